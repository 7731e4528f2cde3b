"""Which process has which key, among all machines of a Ray cluster.

The bookkeeping is pure, with the time given from outside; one named Ray actor for each storage keeps it.
A holder tells all it has in every message, so that nothing depends on what was said before: an actor that
died and came back knows everything again as soon as every holder has told once. A holder that is silent
is dead, and what it had is free.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

NAMESPACE = "dream"
LOST_AFTER = 10.0  # seconds of silence after which a holder is held to be dead
BEAT = 2.0  # seconds between two messages of a holder that has something


@dataclass(frozen=True)
class Said:
    """What a holder is told.

    Attributes:
        given: keys, of those it wants, that are its own now.
        free: keys, of those it waits for, that nobody has any more.
        later: nothing is given yet, because not every holder has told what it has; ask again.
    """

    given: frozenset[int] = frozenset()
    free: frozenset[int] = frozenset()
    later: bool = False


@dataclass
class Keeper:
    """Keys and who has them.

    Attributes:
        opens: when the first key may be given; later than now after a restart.
    """

    opens: float = 0.0
    owners: dict[int, str] = field(default_factory=dict)
    holders: dict[str, set[int]] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)

    def exchange(
        self, holder: str, has: Collection[int], wants: Collection[int], waits: Collection[int], now: float
    ) -> Said:
        """Hear everything that a holder has, wants and waits for, and say what it may have.

        >>> keeper = Keeper()
        >>> sorted(keeper.exchange("a", [], [1, 2], [], now=0.0).given)
        [1, 2]
        >>> sorted(keeper.exchange("b", [], [2, 3], [], now=0.1).given)
        [3]
        >>> keeper.exchange("a", [1], [], [], now=0.2).given  # it has given 2 back
        frozenset()
        >>> sorted(keeper.exchange("b", [3], [], [1, 2], now=0.3).free)
        [2]
        """
        for name in [name for name, at in self.seen.items() if now - at > LOST_AFTER and name != holder]:
            self._keep(name, ())
            del self.seen[name], self.holders[name]
        self.seen[holder] = now
        self._keep(holder, has)
        if now < self.opens:
            return Said(later=True)
        given = frozenset(key for key in wants if self.owners.setdefault(key, holder) == holder)
        self.holders[holder] |= given
        return Said(given, frozenset(key for key in waits if key not in self.owners))

    def _keep(self, holder: str, has: Collection[int]) -> None:
        for key in self.holders.get(holder, set()).difference(has):
            del self.owners[key]
        # After a restart two may say that they have the same key; the first one keeps it.
        self.holders[holder] = {key for key in has if self.owners.setdefault(key, holder) == holder}


class ClaimsKeeper:
    """Ray actor: a storage's keeper."""

    def __init__(self) -> None:
        import ray

        again = ray.get_runtime_context().was_current_actor_reconstructed
        self._keeper = Keeper(opens=time.monotonic() + 1.5 * BEAT if again else 0.0)

    def exchange(
        self, holder: str, has: Collection[int], wants: Collection[int], waits: Collection[int]
    ) -> Said:
        """See Keeper.exchange."""
        return self._keeper.exchange(holder, has, wants, waits, time.monotonic())


def keeper_of(storage: str) -> Any:
    """The cluster's keeper for the storage at that address, made if there is none."""
    import ray

    actor: Any = ray.remote(ClaimsKeeper)
    return actor.options(
        name=f"claims-{hashlib.sha256(storage.encode()).hexdigest()[:16]}",
        namespace=NAMESPACE,
        get_if_exists=True,
        lifetime="detached",
        num_cpus=0,
        max_restarts=-1,
    ).remote()
