"""Ray Tune gets the arms one after another, each when its index and its questions are ready.

On a machine of few processors, trials that begin together are all late, for each imports for seconds what
it needs; and as they share the limits, they end together too, while hardly a call is under way. So only as
many begin at once as there are processors, and one more every few seconds from the first answers on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from dream.records import to_json
from dream.sweep.prepare import Awaited

SECONDS_APART = 2.0  # in which those under way are done if all are short: then nobody else need begin


@dataclass
class Room:
    """For how many trials there is room.

    Attributes:
        tally: of the run, which knows whether a question is done.
        processors: of the cluster; as many trials begin at once.
        since: when the first question was seen to be done.
    """

    tally: Any
    processors: int
    since: float | None = None

    def now(self) -> int:
        """How many may be under way now."""
        import ray

        if self.since is None and ray.get(self.tally.read.remote()).get("questions"):
            self.since = time.monotonic()
        more = 0 if self.since is None else int((time.monotonic() - self.since) / SECONDS_APART)
        return self.processors + more


class WaitingArms(Searcher):
    """Suggests the first arm that has all it waits for, and leaves out those whose index failed."""

    def __init__(self, arms: Sequence[Awaited], room: Room) -> None:
        super().__init__()
        self._waiting = list(arms)
        self._under_way = 0
        self._room = room

    def suggest(self, trial_id: str) -> Any:
        """An arm to try; ``None`` while others are tried and none is ready, or there is no room.

        Tune asks again then. With none under way the search ends, though arms may be left. Tune would only
        ask on, holding the trials' processors, which those who make the indexes may need.
        """
        if self._waiting and self._under_way >= self._room.now():
            return None
        not_ready = set()
        for arm in list(self._waiting):
            needs = (arm.index, arm.questions)
            if needs in not_ready or not arm.ready():
                not_ready.add(needs)
                continue
            self._waiting.remove(arm)
            if not arm.reason():
                self._under_way += 1
                return {"arm": to_json(arm.arm)}
        return None if self._waiting and self._under_way else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """There is room for one more."""
        self._under_way -= 1

    def save(self, checkpoint_path: str) -> None:
        """Nobody reads Tune's own state, the ledger is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """See ``save``."""


class OwnProcess(FIFOScheduler):
    """Leaves an arm to the process that is being begun for it.

    Tune uses the processes of trials that have ended again. It would give such a process the first arm
    that waits, even one for which a process is just being begun, and kill that when it has imported all:
    in a sweep of 48 short trials 24 processes were begun for nothing. Without a choice of the scheduler a
    free process gets the next arm that has none.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """None: Tune then goes through the arms that have no process."""
