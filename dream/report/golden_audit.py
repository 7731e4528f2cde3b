"""An audit of the golden dataset in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from dream.golden.audit.finding import CHECKS, Finding
from dream.report.words import clean_text, count_text
from dream.verdict.golden_audit import GoldenAudit

MOST_SHOWN = 8  # of each check; the CSV and --json have all


def print_audit(audit: GoldenAudit, console: Console) -> None:
    """Print each check with what it found and how far it can be trusted, then where to decide.

    >>> from dream.verdict.golden_audit import Estimate
    >>> print_audit(GoldenAudit("s", (), (), Estimate(0, 0.0), csv="audit.csv"), Console(width=90))
    evidence     0 questions: evidence not found
    ...
    """
    asked = {question.id: question.question for question in audit.questions}
    for check in CHECKS:
        mine = [finding for finding in audit.findings if finding.check == check.name]
        if check.asks and not audit.asked:
            console.print(Text(f"{check.name:<12} not run: {check.title} ({audit.estimate})", style="dim"))
            continue
        number = len({finding.question for finding in mine})
        head = Text(f"{check.name:<12} ", style="bold" if mine else "")
        console.print(head + Text(f"{count_text(number, 'question')}: {check.title}"))
        for finding in mine[:MOST_SHOWN]:
            _print(finding, asked.get(finding.question, ""), console)
        if len(mine) > MOST_SHOWN:
            console.print(Text(f"  and {len(mine) - MOST_SHOWN:,} more, in the CSV", style="dim"))
        if mine:
            console.print(Text(f"  how sure: {check.sure}", style="dim"))
    if audit.refused:
        said = count_text(audit.refused, "more passage was looked at", "more passages were looked at")
        console.print(Text(f"{said}; the judge says that they do not answer the question", style="dim"))
    for name, said_of in audit.without_documents().items():
        mean = "–" if said_of["mean"] is None else f"{said_of['mean']:.3f}"
        failed = f", {said_of['failed']} failed" if said_of["failed"] else ""
        console.print(
            f"without documents {clean_text(name)} has {said_of['metric']} {mean}, "
            f"right on {said_of['right']} of {said_of['asked']}{failed}"
        )
    console.print(f"{len(audit.flagged)} of {count_text(len(audit.questions), 'question')} flagged")
    _print_verdicts(audit, console)
    console.print(Text(f"decide in {audit.csv}: write drop or keep, then name it in the study:"))
    console.print(Text(f"  golden: {{…, exclude: {audit.csv}}}"))


def _print(finding: Finding, question: str, console: Console) -> None:
    console.print(Text(f"  {finding.question}  {clean_text(question)}"))
    console.print(Text(f"    {clean_text(finding.what)}"))
    console.print(Text(f"    → {finding.suggestion}", style="dim"))


def _print_verdicts(audit: GoldenAudit, console: Console) -> None:
    verdicts = {"with all questions": audit.with_flagged, "without the flagged": audit.without_flagged}
    for name, verdict in verdicts.items():
        if verdict:
            console.print(Text(f"verdict {name}: ", style="bold") + Text(clean_text(verdict.text)))
