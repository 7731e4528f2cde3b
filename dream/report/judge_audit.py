"""An audit of the judge in a terminal: agreement, and the ranking before and after the labels."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dream.report.words import clean_text, score_text
from dream.verdict.judge_audit import JudgeAudit
from dream.verdict.prediction_powered import Corrected


def print_judge_audit(audit: JudgeAudit, console: Console) -> None:
    """Print the arms as the judge and as a person sees them, then what it means."""
    lined = box.SIMPLE_HEAD if console.is_terminal else None
    table = Table(box=lined, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("arm")
    table.add_column(f"judge: {audit.metric}", justify="right")
    table.add_column("right, by your labels", justify="right")
    table.add_column("against the first", justify="right")
    for arm in audit.arms:
        table.add_row(
            Text(clean_text(arm.name)),
            score_text(arm.judged),
            _share(arm.corrected, signed=False),
            _share(arm.behind, signed=True),
        )
    console.print()
    console.print(table)
    console.print()
    if any(arm.behind for arm in audit.arms):
        said = "in percentage points; estimated from the questions on which the two arms answer differently"
        console.print(Text(f"against the first: {said}", style="dim"))
        console.print()
    console.print(Text(clean_text(audit.text)))
    console.print(Text(f"by the judge alone: {clean_text(audit.verdict.text)}", style="dim"))


def _share(found: Corrected | None, signed: bool) -> str:
    """A share in percent, or a difference in points, with its interval."""
    if found is None:
        return "–"
    sign = "+" if signed else ""
    if found.low is None or found.high is None:
        return f"{100 * found.mean:{sign}.0f}"
    low, high = (found.low, found.high) if signed else (max(0.0, found.low), min(1.0, found.high))
    unit = "" if signed else " %"
    return f"{100 * found.mean:{sign}.0f}{unit}  {100 * low:{sign}.0f} to {100 * high:{sign}.0f}"
