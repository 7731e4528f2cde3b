"""Ray Tune gets the arms one after another, each when its index and its questions are ready."""

from __future__ import annotations

import signal
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
        """An arm to try; ``None`` while none is ready, if others are being tried: Tune asks again."""
        # Where nothing is under way Tune has nothing to do but to ask, which it does once a second, without
        # a look at Ctrl-C: it gives its handler back when that is pressed.
        handler = signal.getsignal(signal.SIGINT)
        while self._waiting:
            for arm in list(self._waiting):
                if arm.ready():
                    self._waiting.remove(arm)
                    if not arm.reason():
                        self._under_way += 1
                        return {"arm": to_json(arm.arm)}
            if self._under_way:
                return None
            if self._waiting:
                self._waiting[0].ready(seconds=0.5)
            if signal.getsignal(signal.SIGINT) is not handler:
                raise KeyboardInterrupt
        return Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """There is room for one more."""
        self._under_way -= 1

    def save(self, checkpoint_path: str) -> None:
        """Nobody reads Tune's own state, the ledger is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """See ``save``."""
