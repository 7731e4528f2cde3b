"""Trials begin when their own index is there, while those of others are still made."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dream.models.offline import Faults, ServerOptions, start
from dream.sweep.prepare import Awaited
from dream.sweep.progress import Tally
from dream.sweep.result import Arm
from tests.sweep.shell import numbers, read_end, run, served, small_study, started, wait_until
from tests.workers import workers_of

pytestmark = pytest.mark.servers

# Without a judge: when an arm begins is all that is looked at, and a trial need not import ragas.
ONE_AT_ONCE = "metrics: [recall_at_k]\nobjective: recall_at_k\nlimits: {trials_at_once: 1}"


def remote(url: str) -> str:
    """An embedding of the server at that address."""
    return (
        f'{{provider: openai, model: hashing-64, base_url: "{url}", api_key: null, retries: 0, timeout: 300}}'
    )


def written(storage: Path, stage: str) -> list[float]:
    """When the ledger's records of a stage were written, first to last."""
    return sorted(path.stat().st_mtime for path in (storage / "ledger" / stage).rglob("*") if path.is_file())


def with_embedding(study: Path, url: str, name: str = "far") -> Path:
    """The study with one more embedding among its models."""
    text = study.read_text().replace("  judge: good", f"    {name}: {remote(url)}\n  judge: good")
    study.write_text(text)
    return study


def test_the_first_arms_are_tried_while_the_indexes_of_others_are_made(tmp_path: Path) -> None:
    search = "{method: [chunks], llm: [good, poor], embedding: [hashing, far]}"
    with start(ServerOptions()) as chat, start(ServerOptions()) as far:
        study = small_study(tmp_path, models=served(chat.url), search=search, more=ONE_AT_ONCE)
        study = with_embedding(study, far.url)
        os.kill(far.pid, signal.SIGSTOP)  # it takes requests, and answers none
        try:
            with started(study, tmp_path / "store", "--json", "--quiet") as process:
                wait_until(lambda: len(written(tmp_path / "store", "trial")) == 2, "both arms' ends", 300)
                assert len(written(tmp_path / "store", "index")) == 1
                os.kill(far.pid, signal.SIGCONT)
                said, errors = process.communicate(timeout=300)
        finally:
            os.kill(far.pid, signal.SIGCONT)
        counted = far.calls()

    ended = read_end(process.returncode, said, errors)
    assert ended.code == 0, ended.errors
    assert len(numbers(ended)) == 4
    assert counted["repeats"] == 0
    assert len(written(tmp_path / "store", "index")) == 2


def test_an_index_that_fails_ends_its_own_arms_with_the_reason_and_no_others(tmp_path: Path) -> None:
    search = "{method: [chunks, sentence_window], llm: [good, poor], embedding: [dead, hashing]}"
    with start(ServerOptions()) as chat:
        study = small_study(tmp_path, models=served(chat.url), search=search, more=ONE_AT_ONCE)
        ended = run(with_embedding(study, "http://127.0.0.1:9/v1", "dead"), tmp_path / "store")

    assert ended.code == 1
    by_embedding = {
        name: [arm for arm in ended.said["arms"] if arm["arm"]["embedding"] == name]
        for name in ("dead", "hashing")
    }
    assert all(not arm["error"] for arm in by_embedding["hashing"])
    assert len(by_embedding["dead"]) == len(by_embedding["hashing"]) == 4
    for arm in by_embedding["dead"]:
        assert arm["error"].startswith("its index could not be built: dead"), arm["error"]
        assert "cannot be reached" in arm["error"]


def test_ctrl_c_ends_a_run_that_waits_for_an_index_while_nothing_else_is_left_to_do(tmp_path: Path) -> None:
    search = "{method: [chunks], llm: [good], embedding: [hashing, far]}"
    with start(ServerOptions()) as chat, start(ServerOptions(faults=Faults(latency=600.0))) as far:
        study = small_study(tmp_path, models=served(chat.url), search=search, more=ONE_AT_ONCE)
        with started(with_embedding(study, far.url), tmp_path / "store") as process:
            wait_until(lambda: written(tmp_path / "store", "trial"), "the first trial's end")
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)

    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def test_a_process_that_is_begun_for_an_arm_is_left_to_it_by_those_that_are_free(tmp_path: Path) -> None:
    knobs = f"{{chunks: {{top_k: {list(range(1, 9))}}}}}"  # one index, so that no process is without an arm
    search = f"{{method: [chunks], llm: [good, poor], embedding: [hashing], knobs: {knobs}}}"
    begun: set[int] = set()
    with start(ServerOptions(faults=Faults(latency=0.05))) as chat, ThreadPoolExecutor() as pool:
        study = small_study(
            tmp_path, models=served(chat.url), search=search, more="limits: {trials_at_once: 4}"
        )
        with started(study, tmp_path / "store", "--json", "--quiet") as process:
            heard = pool.submit(process.communicate)
            while not heard.done():
                begun |= {trial.pid for trial in workers_of(process.pid, "ray::ImplicitFunc")}
                time.sleep(0.1)
            ended = read_end(process.returncode, *heard.result())

    assert len(numbers(ended)) == 16
    assert 1 <= len(begun) <= 4  # none would be seen if Ray called them something else


def test_as_many_begin_at_once_as_there_are_processors_and_others_one_by_one() -> None:
    import ray

    from dream.cluster.connect import connect
    from dream.sweep.waiting_arms import SECONDS_APART, Room, WaitingArms

    connect("local")
    try:
        tally = ray.remote(num_cpus=0)(Tally).remote("study")
        there = ray.put(None)
        arms = [Awaited(Arm("chunks", f"model-{number}", "hashing"), None, there) for number in range(6)]
        search = WaitingArms(arms, Room(tally, processors=2))
        given = [search.suggest(str(number)) for number in range(4)]
        assert [bool(arm) for arm in given] == [True, True, False, False]

        search.on_trial_complete("0")  # whoever is done makes room
        assert search.suggest("4") and not search.suggest("5")

        ray.get(tally.add.remote({"questions": 1}))
        assert not search.suggest("6")
        first_seen = time.monotonic()
        wait_until(lambda: search.suggest("7"), "room for one more", 10 * SECONDS_APART)
        assert time.monotonic() - first_seen >= 0.9 * SECONDS_APART
        assert not search.suggest("8")
        wait_until(lambda: search.suggest("9"), "room for another", 10 * SECONDS_APART)
        assert search.suggest("10") is None  # the sixth waits for its turn
    finally:
        ray.shutdown()
