"""A verdict in a terminal: the paragraph, and the numbers under it."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dream.report.words import dollars_text, score_text, seconds_text
from dream.verdict.verdict import Standing, Verdict, span_text

INDENT = 10


def print_verdict(verdict: Verdict, console: Console, arms: bool = True) -> None:
    """Print the verdict's paragraph, the arms that may be the best, and what else must be known.

    Args:
        verdict: from ``SweepResult.verdict``.
        console: where to.
        arms: whether to show those that are out too.
    """
    paragraph = Table.grid(padding=0)
    paragraph.add_column(width=INDENT, no_wrap=True)
    paragraph.add_column(ratio=1)
    paragraph.add_row(Text("verdict", style="bold"), Text(verdict.text))
    console.print(paragraph)
    shown = verdict.arms if arms else verdict.tied
    if len(shown) > 1:
        console.print(verdict_table(verdict, shown))
    for note in (*verdict.fragile, *verdict.notes):
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, INDENT)))


def verdict_table(verdict: Verdict, shown: tuple[Standing, ...]) -> Table:
    """One line an arm: mean, how far behind the top, the honest mean where there is a holdout."""
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("arm", ratio=1, min_width=12)
    table.add_column(Text(verdict.metric.replace("_", "\n")), justify="right", no_wrap=True)
    table.add_column("behind the top,\nall at once", justify="right", no_wrap=True)
    if verdict.holdout:
        table.add_column("on the\nholdout", justify="right", no_wrap=True)
    # a price or a time that no arm has tells nothing
    priced, timed = any(arm.dollars for arm in shown), verdict.rule == "fastest"
    if priced:
        table.add_column("$/question", justify="right", no_wrap=True)
    if timed:
        table.add_column("p50", justify="right", no_wrap=True)
    for arm in shown:
        cells = [_mark(verdict, arm), Text(arm.name), Text(score_text(arm.mean)), Text(_behind(arm))]
        cells += [Text(_honest(arm))] * bool(verdict.holdout)
        cells += [Text(dollars_text(arm.dollars))] * priced + [Text(seconds_text(arm.seconds))] * timed
        table.add_row(*cells, style="" if arm.tied else "dim")
    return table


def _mark(verdict: Verdict, arm: Standing) -> Text:
    if arm.arm == verdict.recommended:
        return Text("take", style="bold green")
    gone = f"out at {arm.stopped_after}" if arm.stopped_after else "out"
    return Text("tied" if arm.tied else "failed" if arm.mean is None else gone)


def _behind(arm: Standing) -> str:
    if arm.mean is None or arm.difference is None:
        return "–"
    return "top" if arm.difference == arm.low == arm.high == 0 else span_text(arm.low, arm.high)


def _honest(arm: Standing) -> str:
    if arm.honest is None or arm.honest.mean is None:
        return "–"
    half = "" if arm.honest.high is None else f" ±{arm.honest.high - arm.honest.mean:.3f}"
    return f"{arm.honest.mean:.3f}{half}"
