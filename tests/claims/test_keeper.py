"""Keys among machines: one has a key, silence frees it, a keeper that lost everything learns it again."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dream.claims import agreement
from dream.claims.agreement import Agreement, agreement_for
from dream.claims.keeper import BEAT, LOST_AFTER, Keeper, Said
from dream.claims.locks import Claims, number_of


def test_a_key_has_one_owner_until_it_is_given_back() -> None:
    keeper = Keeper()
    assert keeper.exchange("a", [], [1], [], 0.0).given == {1}
    assert keeper.exchange("b", [], [1], [], 0.1).given == frozenset()
    assert keeper.exchange("b", [], [], [1], 0.2).free == frozenset()
    keeper.exchange("a", [], [], [], 0.3)
    assert keeper.exchange("b", [], [], [1], 0.4).free == {1}
    assert keeper.exchange("b", [], [1], [], 0.5).given == {1}


def test_what_a_silent_holder_had_is_free() -> None:
    keeper = Keeper()
    keeper.exchange("dead", [], [1], [], 0.0)
    assert not keeper.exchange("b", [], [1], [], LOST_AFTER - 1).given
    assert keeper.exchange("b", [], [1], [], LOST_AFTER + 1).given == {1}


def test_a_holder_that_beats_keeps_what_it_has() -> None:
    keeper = Keeper()
    keeper.exchange("slow", [], [1], [], 0.0)
    for beat in range(20):
        keeper.exchange("slow", [1], [], [], beat * BEAT)
    assert not keeper.exchange("b", [], [1], [], 20 * BEAT).given


def test_a_keeper_that_came_back_gives_nothing_before_everyone_has_told() -> None:
    again = Keeper(opens=3.0)
    assert again.exchange("b", [], [1], [], 1.0) == Said(later=True)
    again.exchange("a", [1], [], [], 2.0)
    assert not again.exchange("b", [], [1], [], 4.0).given


class Others:
    """The keeper as this process sees it: a Ray actor's handle, here in this process."""

    def __init__(self) -> None:
        self.keeper = Keeper()
        self.messages = 0
        self.exchange = SimpleNamespace(remote=self._exchange)

    def _exchange(self, holder: str, has: Any, wants: Any, waits: Collection[int]) -> Said:
        self.messages += 1
        return self.keeper.exchange(holder, has, wants, waits, time.monotonic())


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    import ray

    found = Others()
    monkeypatch.setattr(agreement, "keeper_of", lambda storage: found)
    monkeypatch.setattr(agreement, "_machines", lambda: 2)
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "get", lambda said, timeout: said)
    return found


def test_many_keys_of_one_moment_go_in_one_message(others: Others, tmp_path: Path) -> None:
    claims = Claims(tmp_path / "claims")
    agreed = Agreement(claims, "s3://somewhere")
    keys = [str(number) for number in range(200)]
    assert all(claims.take(key) for key in keys)
    assert agreed.ask_all(keys) == [True] * 200
    assert others.messages <= 3
    assert len(others.keeper.owners) == 200


def test_who_is_refused_hears_when_the_key_was_given_back(others: Others, tmp_path: Path) -> None:
    one, two = Claims(tmp_path / "one"), Claims(tmp_path / "two")  # two machines share no file
    here, there = Agreement(one, "s3://somewhere"), Agreement(two, "s3://somewhere")
    assert one.take("a") and here.ask("a").result(5)
    assert two.take("a") and not there.ask("a").result(5)
    freed = there.freed("a")
    two.give_back("a")
    there.given_back("a")
    time.sleep(0.3)
    assert not freed.done()
    one.give_back("a")
    here.given_back("a")
    freed.result(5)
    assert two.take("a") and there.ask("a").result(5)


def test_a_caller_that_was_cancelled_leaves_no_key_behind(others: Others, tmp_path: Path) -> None:
    claims = Claims(tmp_path / "claims")
    agreed = Agreement(claims, "s3://somewhere")
    assert claims.take("a")
    agreed.ask("a").cancel()
    claims.give_back("a")
    agreed.given_back("a")
    for key in "bc":  # two more messages: the thread has heard of all that was before
        assert claims.take(key) and agreed.ask(key).result(5)
    assert others.keeper.owners.keys() == {number_of("b"), number_of("c")}


def test_without_ray_in_the_process_nothing_is_asked_and_no_thread_runs(tmp_path: Path) -> None:
    before = threading.active_count()
    assert agreement_for(Claims(tmp_path / "claims"), "s3://somewhere") is None
    assert threading.active_count() == before
