"""Ray Tune gets the arms one after another, each when its index and its questions are ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ray.tune.search import Searcher

from dream.records import to_json
from dream.sweep.prepare import Awaited


class WaitingArms(Searcher):
    """Suggests the first arm that has all it waits for, and leaves out those whose index failed."""

    def __init__(self, arms: Sequence[Awaited]) -> None:
        super().__init__()
        self._waiting = list(arms)
        self._under_way = 0

    def suggest(self, trial_id: str) -> Any:
        """An arm to try; ``None`` while none is ready and others are tried: Tune asks again.

        With none under way the search ends, though arms may be left. Tune would only ask on, holding the
        trials' processors, which those who make the indexes may need.
        """
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
