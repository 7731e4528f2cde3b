"""The progress of a run as a notebook shows it: one bar a stage, redrawn in place."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass, field
from typing import Any

from dream.sweep.progress import Status, Watcher

SECONDS_BETWEEN_DRAWINGS = 0.4


def live_progress() -> Watcher:
    """A watcher for ``run_sweep`` and ``build_golden`` that draws bars below the cell.

    It is plain HTML that the frontend replaces, so that it needs no extension of Jupyter's.

    Example::

        result = dream.run_sweep(study, watcher=dream.live_progress())
    """
    from IPython.display import HTML, display

    handle: Any = display(HTML(""), display_id=True)  # type: ignore[no-untyped-call]
    bars = Bars()

    def show(status: Status) -> None:
        if bars.take(status) and handle is not None:
            handle.update(HTML(bars.drawn()))  # type: ignore[no-untyped-call]

    return show


@dataclass
class Bars:
    """The last status of each stage, and when it was last drawn.

    >>> bars = Bars()
    >>> bars.take(Status("sweep", 3, 12, "questions", model_calls=40, dollars=0.5))
    True
    >>> "3 of 12 questions" in bars.drawn() and "40 calls" in bars.drawn() and "$0.50" in bars.drawn()
    True
    """

    stages: dict[str, Status] = field(default_factory=dict)
    last: float = 0.0

    def take(self, status: Status) -> bool:
        """Remember the status; whether it is time to draw."""
        known = self.stages.get(status.stage)
        self.stages[status.stage] = status
        now = time.monotonic()
        if known and status.done < status.total and now - self.last < SECONDS_BETWEEN_DRAWINGS:
            return False
        self.last = now
        return True

    def drawn(self) -> str:
        """The bars as a table."""
        return f"<table>{''.join(map(_bar, self.stages.values()))}</table>"


def _bar(status: Status) -> str:
    said = f"{status.done:,} of {status.total:,} {status.unit}"
    if status.model_calls or status.reused:
        said += f", {status.model_calls:,} calls, {status.reused:,} reused"
    if status.dollars:
        said += f", ${status.dollars:,.2f}"
    bar = f'<progress max="{max(status.total, 1)}" value="{status.done}" style="width:16em"></progress>'
    cells = (html.escape(status.stage), bar, html.escape(said))
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"
