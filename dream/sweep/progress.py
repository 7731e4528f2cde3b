"""How far a run is, told by its workers and shown by whoever watches."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dream import logs
from dream.ledger import Ledger
from dream.models.meter import FIRST, KIND, LAST, added
from dream.models.monitor import show_study
from dream.sweep.result import Usage

log = logging.getLogger("dream.worker")

CALLS = ("golden", "generate", "judge")

SECONDS_TO_END = 5.0


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        stage: corpus, golden, embed, prepare, sweep or report.
        done: how many of ``total`` are done.
        total: how many there are.
        unit: what is counted, such as questions or indexes.
        model_calls: chat answers that arrived so far in this run.
        reused: calls and texts that the ledger answered.
        dollars: spent so far in this run.
    """

    stage: str
    done: int
    total: int
    unit: str
    model_calls: int = 0
    reused: int = 0
    dollars: float = 0.0


Watcher = Callable[[Status], None]


def ledger_counts(ledger: Ledger) -> Counter[str]:
    """A ledger's counts as usage: texts embedded, and what was reused."""
    reused = sum(ledger.reused[stage] for stage in (*CALLS, "embed"))
    return Counter({"embedded_texts": ledger.made["embed"], "reused": reused})


def usage_of(counts: Mapping[str, float], seconds: float, unpriced: Sequence[str] = ()) -> Usage:
    """Counts of all processes of a run as one record."""
    kinds = {name.removeprefix(KIND): int(count) for name, count in counts.items() if name.startswith(KIND)}

    def whole(name: str) -> int:
        return int(counts.get(name, 0))

    return Usage(
        model_calls=whole("model_calls"),
        calls={kind: count for kind, count in sorted(kinds.items()) if count},
        input_tokens=whole("input_tokens"),
        output_tokens=whole("output_tokens"),
        embedded_texts=whole("embedded_texts"),
        embedding_requests=whole("embedding_requests"),
        embedding_tokens=whole("embedding_tokens"),
        reused=whole("reused"),
        dollars=float(counts.get("dollars", 0.0)),
        unpriced=tuple(unpriced),
        asking_seconds=counts.get(LAST, 0.0) - counts.get(FIRST, 0.0),
        seconds=seconds,
    )


class Tally:
    """Sums what workers tell; lives as a Ray actor beside the run."""

    def __init__(self, study: str) -> None:
        self._study = study
        self.counts: dict[str, float] = {}
        self.said: list[tuple[int, str]] = []

    def add(self, counts: Mapping[str, float]) -> None:
        """Add to the sums, and let whoever watches the cluster see them."""
        self.counts = added([self.counts, counts])
        show_study(self._study, self.counts)

    def say(self, level: int, line: str) -> None:
        """Keep a worker's log record for the process that shows it."""
        self.said.append((level, line))

    def heard(self) -> list[tuple[int, str]]:
        """The records since the last time."""
        said, self.said = self.said, []
        return said

    def read(self) -> dict[str, float]:
        """All sums so far."""
        return dict(self.counts)


def tell_logs(tally: Any) -> None:
    """In a worker: send log records by way of the tally."""
    logs.send(lambda level, line: tally.say.remote(level, line))


class Reporter:
    """Tells a Tally what changed, at most a few times a second, without waiting for it."""

    def __init__(self, tally: Any, seconds: float = 0.5) -> None:
        self._tally, self._seconds = tally, seconds
        self._told: dict[str, float] = {}
        self._last = 0.0

    def tell(self, totals: Mapping[str, float], *, now: bool = False) -> None:
        """Send the growth since the last call, unless that was a moment ago."""
        if not now and time.monotonic() - self._last < self._seconds:
            return
        self._last = time.monotonic()
        moments = (FIRST, LAST)  # those are no sums
        growth = {
            name: total if name in moments else total - self._told.get(name, 0)
            for name, total in totals.items()
        }
        self._told = dict(totals)
        self._tally.add.remote(growth)


@dataclass(frozen=True)
class Stage:
    """Something that a run does, alone or beside other stages.

    Attributes:
        name: embed, prepare, sweep, corpus or golden.
        total: how much there is to do.
        unit: what the tally counts of it.
    """

    name: str
    total: int
    unit: str


@contextmanager
def beside(look: Callable[[], bool]) -> Iterator[None]:
    """While the block runs, look twice a second in a thread, until the look says that it was the last."""
    ended = threading.Event()

    def keep_looking() -> None:
        while not ended.wait(0.5) and not look():
            pass

    thread = threading.Thread(target=keep_looking, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(SECONDS_TO_END)  # who asks Ray after its end ends the process


@contextmanager
def watched(tally: Any, watcher: Watcher | None, *stages: Stage) -> Iterator[None]:
    """While the block runs, show the tally's sums and the workers' log records twice a second.

    Stages that have not begun are not shown, but for the first of them.
    """
    import ray

    running = [stage for stage in stages if stage.total]
    before = ray.get(tally.read.remote())

    def look() -> bool:
        for level, line in ray.get(tally.heard.remote()):
            log.log(level, line)
        if watcher is None:
            return False
        counts = ray.get(tally.read.remote())
        sums = (
            int(counts.get("model_calls", 0)),
            int(counts.get("reused", 0)),
            float(counts.get("dollars", 0.0)),
        )
        for stage in list(running):
            done = max(0, int(counts.get(stage.unit, 0) - before.get(stage.unit, 0)))
            if done or stage is running[0]:
                watcher(Status(stage.name, done, stage.total, stage.unit, *sums))
            if done >= stage.total:
                running.remove(stage)
        return False  # logs may come to the end

    with beside(look):
        yield
    look()
