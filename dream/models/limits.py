"""One limiter for each provider and one purse for each study, for the whole Ray cluster.

Both are named actors that every driver and trial of the cluster shares. A trial does not ask them before
each call: its ``Gate`` tells a few times a second what is under way and what waits, and gets leave for a
batch of calls. Where a gate has no actors, as in ``dream doctor``, only its own process counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from dream.errors import MissingObject, ModelError
from dream.ledger import Ledger
from dream.models.capacity import LOST_AFTER, Capacity, Demand, Grant, Purse, Rules
from dream.models.monitor import count_call, show_calls
from dream.records import digest_of
from dream.storage import open_storage
from dream.study import Study

log = logging.getLogger(__name__)

NAMESPACE = "dream"
TICK = 0.1  # seconds between two exchanges with an actor


class CapReached(ModelError):
    """The study's dollar cap lets no further call begin."""


class ProviderLimiter:
    """Ray actor: a provider's capacity."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._capacity = Capacity()

    def exchange(self, demand: Demand) -> Grant:
        """Hear what a holder has and wants, and say what it may."""
        granted = self._capacity.grant(demand, time.monotonic())
        holders = self._capacity.holders.values()
        show_calls(self._provider, sum(one.under_way for one in holders), sum(one.waiting for one in holders))
        return granted


class StudyPurse:
    """Ray actor: a study's dollars; what was spent survives the actor, in the storage."""

    def __init__(self, storage: str, study: str, cap: float | None) -> None:
        self._storage, self._key = open_storage(storage), f"spending/{study}.json"
        try:
            before = float(json.loads(self._storage.get(self._key))["dollars"])
        except MissingObject:
            before = 0.0
        self._purse = Purse(cap, before)
        self._written = before
        self._at = 0.0

    def exchange(self, holder: str, spent: float, under_way: float, first: float, wanted: float) -> float:
        """Hear what a holder spent and wants, and say what it may commit; see Purse.grant."""
        now = time.monotonic()
        given = self._purse.grant(
            holder, spent=spent, under_way=under_way, first=first, wanted=wanted, now=now
        )
        # Once a second, and before the last word: a crash forgets a second's spending at most.
        if self._purse.total > self._written and (now - self._at > 1.0 or given < 0 or not wanted):
            self._written, self._at = self._purse.total, now
            self._storage.put(self._key, json.dumps({"dollars": self._written}).encode())
        return given

    def total(self) -> float:
        """Dollars that the study has spent so far, in all its runs."""
        return self._purse.total


def provider_limiter(provider: str) -> Any:
    """The cluster's limiter for the provider at that address, made if there is none."""
    import ray

    name = f"limiter-{digest_of(provider)[:16]}"
    actor: Any = ray.remote(ProviderLimiter)
    return actor.options(
        name=name, namespace=NAMESPACE, get_if_exists=True, lifetime="detached", num_cpus=0, max_restarts=-1
    ).remote(provider)


def study_purse(storage: str, study: str, cap: float | None) -> Any:
    """The cluster's purse for a study, made if there is none; another cap is another purse."""
    import ray

    name = f"purse-{digest_of([storage, study, cap])[:16]}"
    actor: Any = ray.remote(StudyPurse)
    return actor.options(
        name=name, namespace=NAMESPACE, get_if_exists=True, lifetime="detached", num_cpus=0, max_restarts=-1
    ).remote(storage, study, cap)


@dataclass
class Pass:
    """Leave for one call.

    Attributes:
        most_dollars: what the call may cost at most.
        tokens: what it is expected to take.
        took_dollars: what it cost; set by the caller when it knows.
        took_tokens: likewise.
    """

    most_dollars: float
    tokens: int
    took_dollars: float = 0.0
    took_tokens: int | None = None


class Gate:
    """A process's way to one provider; belongs to one event loop.

    Open it with ``async with``: it then talks to the actors in the background.
    """

    def __init__(
        self,
        rules: Rules,
        limiter: Any = None,
        purse: Any = None,
        provider: str = "",
        ledger: Ledger | None = None,
    ) -> None:
        self.rules = rules
        self._ledger = ledger
        self._provider = provider
        self._limiter, self._purse = limiter, purse
        self._holder = uuid.uuid4().hex
        self._waiting: deque[tuple[Pass, asyncio.Future[None]]] = deque()
        self._grant = Grant(0 if limiter is not None else rules.calls_at_once)
        self._money = 0.0 if purse is not None else float("inf")
        self._paused_until = 0.0
        self._under_way = self._ended = self._refusals = self._tokens_over = 0
        self._pause = 0.0
        self._committed = self._spent = 0.0
        self._wake = asyncio.Event()
        self._talking: asyncio.Task[None] | None = None
        self._broken: ModelError | None = None
        self._asking = False  # nothing begins while an answer is under way, or it would be about old numbers

    async def __aenter__(self) -> Gate:
        if self._limiter is not None or self._purse is not None:
            self._talking = asyncio.create_task(self._keep_talking())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)
            await self._exchange()  # what was held goes back at once

    @asynccontextmanager
    async def call(self, most_dollars: float, tokens: int) -> AsyncIterator[Pass]:
        """Wait for leave, and hold it for as long as the block runs.

        Raises:
            CapReached: the study's dollars are spent.
            StorageError: the answer could not be recorded, as another process of this machine found out while
                this call waited.
        """
        mine = Pass(most_dollars, tokens)
        if self._broken is not None:
            raise self._broken
        leave: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((mine, leave))
        self._let_in()
        if not leave.done():
            self._wake.set()
        try:
            await leave
        except asyncio.CancelledError:
            if leave.done() and not leave.cancelled() and leave.exception() is None:
                self._end(mine)
            raise
        try:
            if self._ledger is not None and self._ledger.doubted:
                await asyncio.to_thread(self._ledger.prove_writable)
            yield mine
        finally:
            self._end(mine)

    def counted(self, seconds: float, outcome: str) -> None:
        """A request was answered, refused or failed; whoever watches the cluster may know."""
        if self._limiter is not None:
            count_call(self._provider, seconds, outcome)

    def refused(self, pause: float) -> None:
        """The provider said "too many requests", and perhaps for how many seconds."""
        self._refusals += 1
        self._pause = max(self._pause, pause)
        self._wake.set()

    def pause(self, seconds: float) -> None:
        """The provider's headers say that nothing is left for so many seconds."""
        self._pause = max(self._pause, seconds)

    def _end(self, mine: Pass) -> None:
        self._under_way -= 1
        self._ended += 1
        self._committed -= mine.most_dollars
        self._spent += mine.took_dollars
        self._money += mine.most_dollars - mine.took_dollars if self._purse is not None else 0.0
        if mine.took_tokens is not None:
            self._tokens_over += mine.took_tokens - mine.tokens
        self._let_in()

    def _let_in(self) -> None:
        """Begin what may begin, in the order of asking."""
        while self._waiting and not self._asking:
            mine, leave = self._waiting[0]
            if leave.cancelled():
                self._waiting.popleft()
                continue
            starts = self._grant.starts
            if (
                self._under_way >= self._grant.share
                or (starts is not None and starts <= 0)
                or mine.most_dollars > self._money + 1e-12
                or time.monotonic() < self._paused_until
            ):
                return
            self._waiting.popleft()
            if starts is not None:
                self._grant = Grant(self._grant.share, starts - 1)
            self._money -= mine.most_dollars if self._purse is not None else 0.0
            self._committed += mine.most_dollars
            self._under_way += 1
            leave.set_result(None)

    async def _keep_talking(self) -> None:
        while True:
            await self._exchange()
            self._let_in()
            # Soon again while there is something to tell or to get; else only to be known alive.
            busy = bool(self._waiting or self._under_way)
            # not wait_for, which in Python 3.11 may lose a cancellation
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK if busy else LOST_AFTER / 5):
                    await self._wake.wait()
            await asyncio.sleep(TICK / 10)  # what is asked for in one moment goes in one message
            self._wake.clear()

    async def _exchange(self) -> None:
        self._asking = True
        try:
            await self._ask_purse()
            await self._ask_limiter()
        except CapReached as reached:
            self._broken = reached
            while self._waiting:
                _, leave = self._waiting.popleft()
                if not leave.done():
                    leave.set_exception(reached)
        except Exception as error:  # noqa: BLE001 - an actor that died comes back; the next tick tells it all
            log.debug("the limiter did not answer: %s", error)
        finally:
            self._asking = False

    async def _ask_purse(self) -> None:
        if self._purse is None:
            return
        costs = [mine.most_dollars for mine, leave in self._waiting if not leave.done()]
        # calls begin in the order of asking, so nothing less than the first one's cost is of any use
        first, wanted = (costs or [0.0])[0], sum(costs[: 4 * self.rules.calls_at_once])
        given = await _answer(
            self._purse.exchange.remote(self._holder, self._spent, self._committed, first, wanted)
        )
        if given < 0:
            todo = "raise limits.dollars and run again: what is done is kept"
            raise CapReached("the study's dollar cap is reached", "limits.dollars", todo)
        self._money = given

    async def _ask_limiter(self) -> None:
        if self._limiter is None:
            return
        tokens = [mine.tokens for mine, leave in self._waiting if not leave.done()]
        demand = Demand(
            self._holder,
            self.rules,
            under_way=self._under_way,
            waiting=len(tokens),
            tokens_each=sum(tokens) // len(tokens) if tokens else 0,
            unused=self._grant.starts or 0,
            ended=self._ended,
            tokens_over=self._tokens_over,
            refusals=self._refusals,
            pause=self._pause,
        )
        self._ended = self._tokens_over = self._refusals = 0
        self._pause = 0.0
        self._grant = await _answer(self._limiter.exchange.remote(demand))
        self._paused_until = time.monotonic() + self._grant.pause


@dataclass(frozen=True)
class Bounds:
    """What a study allows, and where it is kept account of; travels to every worker.

    Attributes:
        rules: calls and rates towards each provider.
        storage: address of the ledger, where the dollars spent are written.
        study: whose purse it is.
        dollars: the cap; ``None`` for none.
        shared: whether the actors of the Ray cluster keep account; else only this process counts.
    """

    rules: Rules
    storage: str = ""
    study: str = ""
    dollars: float | None = None
    shared: bool = False

    def gate(self, provider: str) -> Gate:
        """The way to a provider; to be opened with ``async with`` in the loop that calls it."""
        if not self.shared:
            return Gate(self.rules)
        purse = None if self.dollars is None else study_purse(self.storage, self.study, self.dollars)
        ledger = Ledger(open_storage(self.storage, proven=True)) if self.storage else None
        return Gate(self.rules, provider_limiter(provider), purse, provider, ledger)


def start_actors(bounds: Bounds, providers: Iterable[str]) -> None:
    """Make the cluster's actors now, so that the first trials need not wait for them."""
    for provider in set(providers):
        bounds.gate(provider)


def bounds_of(study: Study, storage: str) -> Bounds:
    """The limits of a study, kept by the actors of the Ray cluster."""
    limits = study.limits
    rules = Rules(limits.calls_at_once, limits.requests_per_minute, limits.tokens_per_minute)
    return Bounds(rules, storage, study.name, limits.dollars, shared=True)


async def _answer(reference: Any) -> Any:
    """A Ray answer, awaited in any event loop."""
    return await asyncio.wrap_future(reference.future())
