"""A process's word with the other machines of its Ray cluster about who does what.

A key is first decided among the processes of this machine, by a lock. Only then, and only where the
cluster has other machines, is it asked for here: a thread gathers what is asked in a few milliseconds
into one message to the keeper. Nothing here starts Ray; a process without Ray has no agreement.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from functools import cache
from typing import Any

from dream.claims.keeper import BEAT, LOST_AFTER, Said, keeper_of
from dream.claims.locks import Claims, number_of

log = logging.getLogger(__name__)

GATHER = 0.004  # seconds in which what is asked goes into one message
LINGER = 0.05  # seconds after which others hear of a key that was given back, if nothing is asked before
LOOKS = (0.02, 0.25)  # seconds between two questions whether others' work is done: at first, at most
NODES_KNOWN = 5.0  # seconds for which it is known how many machines there are


class Agreement:
    """What this process asks of the keeper of one storage; may be used by any thread."""

    def __init__(self, claims: Claims, storage: str) -> None:
        self._claims, self._storage = claims, storage
        self._name = f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._guard = threading.Lock()
        self._asked: dict[int, Future[bool]] = {}
        self._awaited: dict[int, list[Future[None]]] = {}
        self._wake = threading.Event()
        self._returned = False
        self._keeper: Any = None
        self._look = LOOKS[0]
        self._machines = _machines()
        self._counted = time.monotonic()
        threading.Thread(target=self._keep_talking, name="claims", daemon=True).start()

    @property
    def needed(self) -> bool:
        """Whether there are other machines to agree with."""
        if time.monotonic() - self._counted > NODES_KNOWN:
            self._wake.set()  # counted by the thread; until then what was known holds
        return self._machines > 1

    def ask(self, key: str) -> Future[bool]:
        """Whether the key, which this process has claimed on its machine, is its own in the cluster."""
        asked: Future[bool] = Future()
        with self._guard:
            self._asked[number_of(key)] = asked
        self._wake.set()
        return asked

    def freed(self, key: str) -> Future[None]:
        """Done when whoever had the key has given it back, or is dead."""
        awaited: Future[None] = Future()
        with self._guard:
            self._awaited.setdefault(number_of(key), []).append(awaited)
            self._look = LOOKS[0]
        self._wake.set()
        return awaited

    def ask_all(self, keys: Sequence[str]) -> list[bool]:
        """``ask`` for many, waiting for the answer."""
        return [asked.result() for asked in [self.ask(key) for key in keys]]

    def given_back(self, key: str) -> None:
        """The claim on the key has ended on this machine, answered or not."""
        with self._guard:
            self._asked.pop(number_of(key), None)
            told, self._returned = self._returned, True
        if not told:
            self._wake.set()

    def _keep_talking(self) -> None:
        while True:
            self._wake.wait(self._pause())
            if self._returned and not self._asked:
                self._wake.clear()
                self._wake.wait(LINGER)
            time.sleep(GATHER)
            self._wake.clear()
            if time.monotonic() - self._counted > NODES_KNOWN:
                self._counted, self._machines = time.monotonic(), _machines()
            self._exchange()

    def _pause(self) -> float | None:
        """Seconds to the next message, if nothing is asked before."""
        if self._machines < 2:
            return NODES_KNOWN if self._claims.held() else None
        if self._awaited:
            self._look = min(self._look * 1.5, LOOKS[1])
            return self._look
        return BEAT if self._claims.held() else None

    def _exchange(self) -> None:
        with self._guard:
            self._returned = False
            asked = dict(self._asked)
            # a wait that was cancelled is nobody's
            self._awaited = {
                number: waiting
                for number, waits in self._awaited.items()
                if (waiting := [wait for wait in waits if not wait.done()])
            }
            awaited = list(self._awaited)
        # What is asked for is claimed on this machine, and not yet in the cluster.
        has = {number_of(key) for key in self._claims.held()}.difference(asked)
        alone = Said(frozenset(asked), frozenset(awaited))
        said = self._say(has, list(asked), awaited) if self._machines > 1 else alone
        if said.later:
            time.sleep(0.2)
            self._wake.set()
            return
        with self._guard:
            settled = {number: self._asked.pop(number) for number in asked if number in self._asked}
            free = [wait for number in said.free for wait in self._awaited.pop(number, ())]
        for number, answer in settled.items():
            _tell(answer, number in said.given)
        for wait in free:
            _tell(wait, None)

    def _say(self, has: set[int], wants: list[int], waits: list[int]) -> Said:
        """One message; where the keeper cannot be had for long, this process goes on alone."""
        import ray

        deadline = time.monotonic() + LOST_AFTER
        while ray.is_initialized():  # a call would start a Ray of its own where there is none any more
            try:
                self._keeper = self._keeper or keeper_of(self._storage)
                said: Said = ray.get(
                    self._keeper.exchange.remote(self._name, has, wants, waits), timeout=LOST_AFTER / 2
                )
                return said
            except Exception as error:  # noqa: BLE001 - it died and comes back, or Ray ends, or the network
                log.debug("the keeper of claims did not answer: %s", error)
                self._keeper = None
            if time.monotonic() > deadline:
                log.warning("nobody keeps the cluster's claims; equal work may be done twice")
                break
            time.sleep(0.2)
        return Said(frozenset(wants), frozenset(waits))


def _tell(question: Future[Any], answer: Any) -> None:
    # A caller that was cancelled gives its claim back, so the next message takes the key back too.
    with contextlib.suppress(InvalidStateError):
        question.set_result(answer)


def agreement_for(claims: Claims, storage: str) -> Agreement | None:
    """The agreement of this process about a storage; ``None`` where the locks of this machine decide.

    That is so without Ray in this process, and as long as the cluster has one machine only.
    """
    ray: Any = sys.modules.get("ray")
    if ray is None or not getattr(ray, "is_initialized", lambda: False)():
        return None
    found = _agreement(claims, storage, os.getpid())
    return found if found.needed else None


@cache
def _agreement(claims: Claims, storage: str, process: int) -> Agreement:
    return Agreement(claims, storage)


def _machines() -> int:
    """How many machines share the work: those of the cluster, and this one if it is none of them."""
    import ray

    if not ray.is_initialized():
        return 1
    try:
        nodes = sum(bool(node["Alive"]) for node in ray.nodes())  # type: ignore[no-untyped-call]
        visiting: bool = ray.util.client.ray.is_connected()  # type: ignore[no-untyped-call]
        return nodes + visiting
    except Exception as error:  # noqa: BLE001 - Ray is ending, or cannot be asked just now
        log.debug("the machines of the cluster cannot be counted: %s", error)
        return 1
