"""Labelling in a terminal: an answer at a time, one key each."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from dream.report.labelling import Labelling
from dream.report.words import clean_text
from dream.verdict.labels import LabelRow

KEYS = "y right · n wrong · s skip · u undo · c contexts · q stop"

SHORT = 300  # letters of a context that are shown before c is pressed


def label_in_terminal(labelling: Labelling, console: Console, key: Callable[[], str]) -> None:
    """Ask about one answer after another until all are labelled, skipped, or q is pressed.

    Args:
        labelling: holds the rows and stores the labels.
        console: where they are shown.
        key: waits for one key.
    """
    whole = False
    while (row := labelling.next) is not None:
        _show(row, labelling, console, whole)
        whole = False
        try:
            pressed = key().lower()
        except (KeyboardInterrupt, EOFError):  # what was said is stored; what it means is shown next
            break
        if pressed in {"y", "n"}:
            labelling.say(row.id, pressed == "y")
        elif pressed == "s":
            labelling.skip(row.id)
        elif pressed == "u":
            if labelling.undo() is None:
                console.print(Text("nothing to take back", style="yellow"))
        elif pressed == "c":
            whole = True
        elif pressed in {"q", "\x03", "\x04"}:
            break
        else:
            console.print(Text(f"{pressed!r} is no key; {KEYS}", style="yellow"))


def _show(row: LabelRow, labelling: Labelling, console: Console, whole: bool) -> None:
    console.print()
    console.print(Rule(Text(f"{labelling.done} of {len(labelling.rows)} labelled"), align="left"))
    for name, text, style in (
        ("question", row.question.question, "bold"),
        ("reference", row.question.reference, "green"),
        ("answer", row.answer, "cyan"),
    ):
        console.print(Text(name, style="dim"))
        console.print(Padding(Text(clean_text(text), style=style), (0, 0, 0, 2)))
    console.print(Text(f"contexts ({len(row.contexts)})", style="dim"))
    for number, text in enumerate(row.contexts, start=1):
        said = clean_text(text)
        shown = said if whole or len(said) <= SHORT else said[:SHORT] + "…"
        console.print(Padding(Text(f"[{number}] {shown}", style="dim"), (0, 0, 0, 2)))
    console.print(Text("Is the answer right, as the reference has it?  ", style="bold") + Text(KEYS))
