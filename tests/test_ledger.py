"""Work is done once: in one process, in several at a time, after damage, after ``kill -9``."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from dream.errors import MissingObject, StorageError
from dream.ledger import STAGES, Ledger, key_of
from dream.storage import Folder, open_storage

ROOT = Path(__file__).parents[1]


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(open_storage(tmp_path / "ledger"))


def again(ledger: Ledger) -> Ledger:
    """Another ledger over the same records, as another run has it."""
    return Ledger(open_storage(ledger.storage.url))


def never():
    raise AssertionError("it is recorded and must not be computed")


VALUES = [
    None, True, 0, -1.5, 1e300, 0.1 + 0.2, "", "Zoë 文 \u2028 \x00 \\ \"", [], {}, [None, [1, {"a": []}]],
    {"": {"ü": "b"}}, b"", b"\x00\xffraw\n", b"json 0\nlooks like a frame",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_was_computed_comes_back_as_it_was(ledger, value):
    assert ledger.remember("parse", {"a": 1}, lambda: value) == value
    found = again(ledger).remember("parse", {"a": 1}, never)
    assert found == value and type(found) is type(value)


def test_every_computed_and_every_reused_piece_is_counted(ledger):
    for _ in range(3):
        ledger.remember("embed", "a", lambda: 1, count=10)
    ledger.remember("judge", "a", lambda: 1)
    assert ledger.made == {"embed": 10, "judge": 1} and ledger.reused == {"embed": 20}


def random_value(chance: random.Random, depth: int = 3):
    """Any value made of plain JSON types."""
    kinds = ["text", "number", "none", *(["mapping", "list"] if depth else [])]
    match chance.choice(kinds):
        case "text":
            return "".join(chance.choices('ab"\\é文 \n', k=chance.randrange(5)))
        case "number":
            return chance.choice([0, 1, -1, 0.5, 1e-9, 10**20, True])
        case "none":
            return None
        case "list":
            return [random_value(chance, depth - 1) for _ in range(chance.randrange(4))]
        case _:
            names = {random_value(chance, 0) for _ in range(chance.randrange(5))}
            return {str(name): random_value(chance, depth - 1) for name in names}


def shuffled(chance: random.Random, value):
    """An equal value whose mappings have their keys in another order."""
    if isinstance(value, dict):
        items = chance.sample(list(value.items()), len(value))
        return {key: shuffled(chance, item) for key, item in items}
    return [shuffled(chance, item) for item in value] if isinstance(value, list) else value


def test_equal_inputs_have_one_key_whatever_the_order_of_their_fields():
    chance = random.Random(7)
    for _ in range(300):
        value = random_value(chance)
        assert key_of("parse", value) == key_of("parse", shuffled(chance, value))
        assert key_of("parse", value) == key_of("parse", json.loads(json.dumps(value)))


def test_different_inputs_have_different_keys():
    chance = random.Random(8)
    values = {json.dumps(value, sort_keys=True): value for value in map(random_value, [chance] * 500)}
    keys = {key_of(stage, value) for stage in ("parse", "judge") for value in values.values()}
    assert len(values) > 200 and len(keys) == 2 * len(values)
    tricky = ["1", 1, [1], {"1": 1}, ["1"], None, "null", "", [], {}, [[]], ["a", "b"], ["ab"], ["a,b"]]
    assert len({key_of("parse", value) for value in tricky}) == len(tricky)


def test_a_stage_must_be_one_of_the_known():
    assert len({key_of(stage, 1) for stage in STAGES}) == len(STAGES)
    with pytest.raises(ValueError, match=r"'guess' is not a stage .*parse"):
        key_of("guess", 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data.replace(b"3", b"7"),
        lambda data: b"",
        lambda data: b"\x00" * 80,
    ],
    ids=["truncated", "changed", "emptied", "zeroed"],
)
def test_a_damaged_record_is_computed_again_and_said_so(ledger, caplog, damage):
    ledger.remember("parse", "a", lambda: {"pages": 3})
    path = ledger.storage.root / key_of("parse", "a")
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert again(ledger).remember("parse", "a", lambda: {"pages": 4}) == {"pages": 4}
    assert "computed again" in caplog.text and key_of("parse", "a") in caplog.text
    assert again(ledger).remember("parse", "a", never) == {"pages": 4}


@pytest.mark.servers
def test_a_record_damaged_in_a_bucket_is_computed_again(s3, monkeypatch, caplog):
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    ledger = Ledger(open_storage(f"s3://{s3.bucket()}/x"))
    digest = ledger.remember("parse", "a", lambda: "whole") and ledger.storage.digest(key_of("parse", "a"))
    ledger.storage.client.put_object(
        Bucket=ledger.storage.bucket, Key="x/" + key_of("parse", "a"), Body=b"?", Metadata={"sha256": digest}
    )
    assert ledger.remember("parse", "a", lambda: "anew") == "anew"
    assert again(ledger).remember("parse", "a", never) == "anew"
    assert "computed again" in caplog.text


def test_work_that_fails_is_not_recorded_and_holds_no_claim(ledger):
    def fail(*_):
        raise RuntimeError("broken")

    async def fail_later():
        raise RuntimeError("broken")

    for attempt in (
        lambda: ledger.remember("parse", "a", fail),
        lambda: ledger.remember_many("parse", ["a", "b"], fail),
        lambda: asyncio.run(ledger.remember_call("parse", "a", fail_later)),
    ):
        with pytest.raises(RuntimeError, match="broken"):
            attempt()
    assert ledger.find("parse", "a") is None and not ledger.holds("parse", "a")
    assert not ledger.made and not ledger.reused
    assert ledger.remember("parse", "a", lambda: 1) == 1
    assert ledger.remember_many("parse", ["a", "b"], lambda places: [2 for _ in places]) == [1, 2]


def test_many_are_asked_for_together_and_each_is_computed_once(ledger):
    asked: list[list[int]] = []

    def double(inputs):
        def compute(places):
            asked.append([inputs[place] for place in places])
            return [2 * inputs[place] for place in places]

        return compute

    chance = random.Random(3)
    for _ in range(20):
        inputs = [chance.randrange(40) for _ in range(chance.randrange(12))]
        assert ledger.remember_many("embed", inputs, double(inputs)) == [2 * each for each in inputs]
    computed = Counter(itertools.chain.from_iterable(asked))
    assert max(computed.values()) == 1 and ledger.made["embed"] == len(computed)
    assert ledger.remember_many("embed", [], never) == []


def test_too_few_values_are_refused_and_free_their_claims(ledger):
    with pytest.raises(ValueError, match="shorter"):
        ledger.remember_many("embed", ["a", "b", "c"], lambda places: [0])
    assert ledger.remember_many("embed", ["a", "b", "c"], lambda places: [1] * len(places)) == [0, 1, 1]


def test_tasks_that_ask_the_same_share_one_call(ledger):
    calls: Counter[int] = Counter()

    async def ask(number: int):
        async def call():
            calls[number] += 1
            await asyncio.sleep(0.02)
            return f"answer {number}"

        return await ledger.remember_call("generate", {"question": number}, call)

    async def everybody():
        return await asyncio.gather(*(ask(number % 5) for number in range(60)))

    answers = asyncio.run(everybody())
    assert answers == [f"answer {number % 5}" for number in range(60)]
    assert calls == dict.fromkeys(range(5), 1)
    assert ledger.made["generate"] == 5 and ledger.reused["generate"] == 55


def test_a_cancelled_call_frees_its_claim(ledger):
    async def cancelled():
        task = asyncio.create_task(ledger.remember_call("generate", "a", lambda: asyncio.sleep(30)))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        async def answer():
            return "now"

        return await asyncio.wait_for(ledger.remember_call("generate", "a", answer), 5)

    assert asyncio.run(cancelled()) == "now"


def test_work_done_elsewhere_is_found(ledger):
    ledger.record("trial", {"arm": 1}, [1, 2])
    assert ledger.holds("trial", {"arm": 1}) and ledger.find("trial", {"arm": 1}) == [1, 2]
    assert ledger.find("trial", {"arm": 2}) is None and not ledger.made and not ledger.reused


# Every computation appends a line to a file that all processes share: the truth about who computed what.
WORKER = """
import asyncio, sys, time
from dream.ledger import Ledger
from dream.storage import open_storage

how, url, log = sys.argv[1:]
ledger = Ledger(open_storage(url))

def compute(number):
    with open(log, "a") as file:
        file.write(f"{number}\\n")
    time.sleep(0.005)
    return number

async def call(number):
    return compute(number)

print("ready", flush=True)
sys.stdin.readline()
numbers = range(12)
if how == "one":
    found = [ledger.remember("embed", number, lambda: compute(number)) for number in numbers]
elif how == "many":
    found = ledger.remember_many("embed", numbers, lambda places: [compute(place) for place in places])
elif how == "call":
    found = [asyncio.run(ledger.remember_call("embed", number, lambda: call(number))) for number in numbers]
assert found == list(numbers)
print(ledger.made["embed"], ledger.reused["embed"])
"""


def start(how: str, ledger: Ledger, log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, how, ledger.storage.url, str(log)]
    pipe = subprocess.PIPE
    worker = subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, env=dict(os.environ))
    assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    return worker


def computed_by_two(how: str, ledger: Ledger, log: Path) -> list[int]:
    workers = [start(how, ledger, log) for _ in range(2)]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=30)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    made, reused = (sum(map(int, each)) for each in zip(*said, strict=True))
    assert (made, reused) == (12, 12)
    return sorted(map(int, log.read_text().split()))


@pytest.mark.parametrize("how", ["one", "many", "call"])
def test_two_processes_at_once_compute_everything_once(ledger, tmp_path, how):
    assert computed_by_two(how, ledger, tmp_path / "log") == list(range(12))


@pytest.mark.servers
def test_two_processes_at_once_compute_everything_once_in_a_bucket(s3, monkeypatch, tmp_path):
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    ledger = Ledger(open_storage(f"s3://{s3.bucket()}/x"))
    assert computed_by_two("many", ledger, tmp_path / "log") == list(range(12))


HOLDER = """
import sys, time
from dream.ledger import Ledger
from dream.storage import open_storage

def hold():
    print("held", flush=True)
    time.sleep(60)

Ledger(open_storage(sys.argv[1])).remember("embed", "a", hold)
"""


class Overtaken(Folder):
    """Somebody else finishes the work between this one's first look and its claim."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.looked = False

    def get(self, key: str, digest: str | None = None) -> bytes:
        try:
            return super().get(key, digest)
        except MissingObject:
            if not self.looked:
                self.looked = True
                Ledger(Folder(self.root)).remember("embed", "a", lambda: "theirs")
            raise


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: ledger.remember("embed", "a", never),
        lambda ledger: ledger.remember_many("embed", ["a"], lambda places: [never() for _ in places])[0],
        lambda ledger: asyncio.run(ledger.remember_call("embed", "a", never)),
    ],
    ids=["one", "many", "call"],
)
def test_work_that_was_finished_a_moment_ago_is_not_done_again(tmp_path, ask):
    ledger = Ledger(Overtaken(tmp_path))
    assert ask(ledger) == "theirs"
    assert ledger.reused["embed"] == 1 and not ledger.made


def test_a_claim_ends_with_its_process_by_kill_9_too(ledger):
    command = [sys.executable, "-c", HOLDER, ledger.storage.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        assert not ledger._claims.take(key_of("embed", "a"))
        os.kill(holder.pid, signal.SIGKILL)
    started = time.monotonic()
    assert ledger.remember("embed", "a", lambda: "mine") == "mine"
    assert time.monotonic() - started < 2


class Full(Folder):
    """A folder on a disk that is full until somebody frees some of it."""

    full = True

    def put(self, key: str, data: bytes) -> str:
        if self.full:
            raise StorageError("cannot write: No space left on device", key, "free space")
        return super().put(key, data)


def test_after_a_write_that_failed_nobody_pays_before_it_is_proven_that_writing_works(tmp_path):
    storage = Full(tmp_path)
    paid: list[str] = []

    def ask(ledger: Ledger, name: str):
        async def call():
            paid.append(name)
            return name

        return asyncio.run(ledger.remember_call("judge", name, call))

    with pytest.raises(StorageError, match="No space left"):
        ask(Ledger(storage), "first")
    for again in (
        lambda: ask(Ledger(storage), "a"),
        lambda: Ledger(storage).remember("embed", "b", lambda: paid.append("b")),
        lambda: Ledger(storage).remember_many("embed", ["c"], lambda places: [paid.append("c")]),
    ):
        with pytest.raises(StorageError, match="No space left"):
            again()
    assert paid == ["first"]
    storage.full = False
    assert ask(Ledger(storage), "first") == "first" and ask(Ledger(storage), "second") == "second"
    assert paid == ["first", "first", "second"]
    assert not storage.exists("ledger/.proof")


def test_records_of_a_ledger_are_plain_files_that_are_whole(ledger):
    for number in range(5):
        ledger.remember("chunk", number, lambda number=number: number)
    names = [found.key for found in ledger.storage.list("ledger/")]
    assert sorted(names) == sorted(key_of("chunk", number) for number in range(5))
