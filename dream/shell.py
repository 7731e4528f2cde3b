"""How the command line talks: progress, JSON, errors and exit codes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dream.cluster.connect import disconnect
from dream.sweep.progress import Status, Watcher

DONE, FAILURES, MISTAKE, STOPPED = 0, 1, 2, 130

SECONDS_BETWEEN_LINES = 5.0


def print_json(value: Any) -> None:
    """One JSON object on standard output, and nothing else there."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def shown_progress(quiet: bool) -> Iterator[Watcher | None]:
    """A watcher that draws bars on a terminal, and writes a line now and then elsewhere.

    Standard output is for results. Ray writes there of a worker or a machine that died, whenever it hears of
    it: while the block runs that goes to standard error, and after it Ray is left.
    """
    with redirect_stdout(sys.stderr), _drawn(quiet) as watcher:
        yield watcher
        disconnect()


@contextmanager
def _drawn(quiet: bool) -> Iterator[Watcher | None]:
    if quiet:
        yield None
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console)
        return
    with Progress(
        TextColumn("{task.description:<8}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}  {task.fields[spent]}"),
        TimeRemainingColumn(compact=True),
        console=console,
    ) as progress:
        bars: dict[str, Any] = {}

        def show(status: Status) -> None:
            if status.stage not in bars:
                bars[status.stage] = progress.add_task(status.stage, unit=status.unit, spent="")
            progress.update(
                bars[status.stage],
                completed=status.done,
                total=status.total or None,
                unit=status.unit,
                spent=_spent(status),
            )

        yield show


def _lines(console: Console) -> Watcher:
    last: dict[str, float] = {}
    began: dict[str, tuple[float, int]] = {}

    def show(status: Status) -> None:
        complete = status.total and status.done >= status.total
        if not complete and time.monotonic() - last.get(status.stage, 0.0) < SECONDS_BETWEEN_LINES:
            return
        last[status.stage] = time.monotonic()
        at, before = began.setdefault(status.stage, (time.monotonic(), status.done))
        left = _left(status, time.monotonic() - at, before)
        console.print(
            f"{status.stage:<8} {status.done}/{status.total} {status.unit}  {_spent(status)}{left}".rstrip(),
            highlight=False,
        )

    return show


def _left(status: Status, seconds: float, before: int) -> str:
    """How long it will take, by how fast it went so far.

    >>> _left(Status("sweep", 30, 90, "questions"), seconds=20.0, before=10)
    '  eta 1:00'
    """
    if status.done <= before or status.done >= status.total:
        return ""
    minutes, rest = divmod(round(seconds * (status.total - status.done) / (status.done - before)), 60)
    return f"  eta {minutes}:{rest:02d}"


def _spent(status: Status) -> str:
    if not status.model_calls and not status.reused:
        return ""
    dollars = f"  ${status.dollars:,.2f}" if status.dollars else ""
    return f"{status.model_calls:,} calls, {status.reused:,} reused{dollars}"
