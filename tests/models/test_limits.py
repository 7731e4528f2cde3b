"""Limits hold for everyone together: calls at once, rates, dollars; dead holders give their share back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dream.errors import StorageError
from dream.ledger import Ledger
from dream.models.capacity import LOST_AFTER, Capacity, Demand, Purse, Rules
from dream.models.limits import Bounds, CapReached, Gate, study_purse
from dream.storage import open_storage

TEN = Rules(calls_at_once=10)


def test_three_holders_share_evenly_and_what_one_leaves_the_others_take() -> None:
    capacity = Capacity()
    under_way = dict.fromkeys("abc", 0)
    wants = {"a": 100, "b": 100, "c": 1}
    for tick in range(20):
        for name in under_way:
            demand = Demand(name, TEN, under_way=under_way[name], waiting=wants[name] - under_way[name])
            under_way[name] = capacity.grant(demand, tick * 0.1).share
            assert sum(under_way.values()) <= 10
    assert under_way["c"] == 1
    assert sorted((under_way["a"], under_way["b"])) == [4, 5]


def test_the_share_of_a_silent_holder_goes_to_the_others() -> None:
    capacity = Capacity()
    assert capacity.grant(Demand("dead", TEN, waiting=10), 0.0).share == 10
    assert capacity.grant(Demand("alive", TEN, waiting=10), LOST_AFTER - 1).share == 0
    assert capacity.grant(Demand("alive", TEN, waiting=10), LOST_AFTER + 1).share == 10


def test_a_rate_lets_no_more_start_in_a_minute_than_it_says() -> None:
    capacity, rules = Capacity(), Rules(calls_at_once=1000, requests_per_minute=120)
    started = sum(
        capacity.grant(Demand("a", rules, waiting=500), tick / 10).starts or 0 for tick in range(600)
    )
    assert 115 <= started <= 122  # two a second for a minute, and the first burst


def test_starts_that_were_not_used_come_back() -> None:
    capacity, rules = Capacity(), Rules(calls_at_once=100, requests_per_minute=600)
    first = capacity.grant(Demand("a", rules, waiting=10), 0.0).starts
    assert first == 10
    assert capacity.grant(Demand("a", rules, waiting=10, unused=10), 0.01).starts == 10


def test_tokens_per_minute_count_what_calls_really_took() -> None:
    rules = Rules(calls_at_once=1000, tokens_per_minute=60_000)
    for really in (1.0, 2.0):
        capacity, calls, over = Capacity(), 0, 0
        for tick in range(600):
            starts = capacity.grant(
                Demand("a", rules, waiting=500, tokens_each=100, tokens_over=over), tick / 10
            ).starts
            calls += starts or 0
            over = int((starts or 0) * 100 * (really - 1))
        assert calls * 100 * really == pytest.approx(60_000, rel=0.05)


def test_a_refusal_pauses_and_shrinks_and_answers_grow_back() -> None:
    capacity = Capacity()
    capacity.grant(Demand("a", TEN, under_way=10, waiting=50), 0.0)
    refused = capacity.grant(Demand("a", TEN, under_way=10, waiting=50, refusals=3, pause=2.0), 1.0)
    assert (refused.share, refused.pause) == (7, 2.0)
    shares = [
        capacity.grant(Demand("a", TEN, under_way=7, waiting=50, ended=7), 4.0 + tick).share
        for tick in range(6)
    ]
    assert shares[0] < shares[-1] == 10
    assert shares == sorted(shares)


def test_a_purse_counts_what_a_lost_holder_had_reserved_as_spent() -> None:
    purse = Purse(cap=1.0)
    assert purse.grant("lost", spent=0.0, under_way=0.0, first=0.4, wanted=0.4, now=0.0) == 0.4
    given = purse.grant("a", spent=0.0, under_way=0.0, first=0.1, wanted=2.0, now=LOST_AFTER + 1)
    assert given == pytest.approx(0.6)
    assert purse.total == pytest.approx(0.4)


def test_a_gate_without_actors_lets_in_as_many_as_its_rules_say() -> None:
    async def main() -> int:
        most = now = 0
        async with Gate(Rules(calls_at_once=3)) as gate:

            async def call() -> None:
                nonlocal most, now
                async with gate.call(0.0, 10):
                    now += 1
                    most = max(most, now)
                    await asyncio.sleep(0.01)
                    now -= 1

            await asyncio.gather(*(call() for _ in range(12)))
        return most

    assert asyncio.run(main()) == 3


class Counter:
    """How many calls are under way in all processes, and the most there ever were."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.most = self.all = 0

    def change(self, who: str, by: int) -> None:
        self.now[who] = self.now.get(who, 0) + by
        self.all += max(0, by)
        self.most = max(self.most, sum(self.now.values()))

    def read(self) -> tuple[int, int, dict[str, int]]:
        return self.most, self.all, self.now


def call_often(bounds: Bounds, counter: Any, who: str, calls: int, dollars: float = 0.0) -> float:
    """Makes calls through a gate; gives what they cost."""

    async def main() -> float:
        spent = 0.0
        async with bounds.gate("http://provider.test") as gate:

            async def call() -> None:
                nonlocal spent
                async with gate.call(dollars, 10) as leave:
                    await counter.change.remote(who, 1)
                    await asyncio.sleep(0.05)
                    leave.took_dollars = dollars / 2
                    spent += leave.took_dollars
                    await counter.change.remote(who, -1)

            results = await asyncio.gather(*(call() for _ in range(calls)), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, CapReached):
                raise result
        return spent

    return asyncio.run(main())


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    from dream.cluster.connect import connect

    connect("local")
    import ray

    yield ray
    ray.shutdown()


def test_a_call_that_waited_for_its_turn_does_not_begin_where_a_write_has_failed(tmp_path: Path) -> None:
    ledger = Ledger(open_storage(tmp_path / "store"))
    in_the_way = tmp_path / "store" / "ledger"

    async def two_calls() -> None:
        gate = Gate(Rules(calls_at_once=1), ledger=ledger)
        async with gate.call(0, 0):
            waiting = asyncio.create_task(gate.call(0, 0).__aenter__())
            await asyncio.sleep(0)
            in_the_way.write_text("")  # where a folder should be
            with pytest.raises(StorageError):
                ledger.record("judge", "a question", 1.0)
        with pytest.raises(StorageError):
            await waiting
        in_the_way.unlink()
        async with gate.call(0, 0):  # it can be written again, and the failed call holds no place
            assert not ledger.doubted

    asyncio.run(two_calls())


@pytest.mark.servers
def test_calls_at_once_hold_for_all_processes_together(ray: Any, tmp_path: Path) -> None:
    bounds = Bounds(Rules(calls_at_once=6), shared=True)
    counter = ray.remote(num_cpus=0)(Counter).remote()
    task = ray.remote(num_cpus=0.1)(call_often)
    ray.get([task.remote(bounds, counter, str(number), 40) for number in range(3)])
    most, made, _ = ray.get(counter.read.remote())
    assert made == 120
    assert 4 <= most <= 6


@pytest.mark.servers
def test_the_calls_of_a_killed_process_go_to_the_others(ray: Any) -> None:
    bounds = Bounds(Rules(calls_at_once=4), shared=True)
    counter = ray.remote(num_cpus=0)(Counter).remote()

    def die_holding_all(bounds: Bounds, counter: Any) -> None:
        async def main() -> None:
            async with bounds.gate("http://dies.test") as gate, asyncio.timeout(30):
                for _ in range(4):
                    await gate.call(0.0, 10).__aenter__()
                await counter.change.remote("dead", 4)
                os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())

    dying = ray.remote(num_cpus=0.1, max_retries=0)(die_holding_all).remote(bounds, counter)
    with pytest.raises(ray.exceptions.RayError):
        ray.get(dying)
    started = time.monotonic()

    async def go_on() -> None:
        async with bounds.gate("http://dies.test") as gate, gate.call(0.0, 10):
            pass

    asyncio.run(go_on())
    assert time.monotonic() - started < LOST_AFTER + 5


@pytest.mark.servers
def test_dollars_are_never_passed_by_all_processes_and_survive_the_run(ray: Any, tmp_path: Path) -> None:
    bounds = Bounds(Rules(calls_at_once=8), str(tmp_path), "mine", dollars=1.0, shared=True)
    counter = ray.remote(num_cpus=0)(Counter).remote()
    task = ray.remote(num_cpus=0.1)(call_often)
    # a call may cost 10 cents and costs 5, so a cap of a dollar lets at least 18 of the 60 through
    spent = sum(ray.get([task.remote(bounds, counter, str(number), 30, 0.1) for number in range(2)]))
    assert 0.9 <= spent <= 1.0
    assert ray.get(study_purse(str(tmp_path), "mine", 1.0).total.remote()) == pytest.approx(spent)

    # the same study in a new run, with a higher cap: what was spent counts
    more = Bounds(Rules(calls_at_once=8), str(tmp_path), "mine", dollars=1.5, shared=True)
    again = ray.get(task.remote(more, counter, "later", 60, 0.1))
    assert 0.4 <= again <= 0.5
