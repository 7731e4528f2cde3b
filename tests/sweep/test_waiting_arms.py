"""Trials begin when their own index is there, while those of others are still made."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dream.models.offline import Faults, ServerOptions, start
from tests.sweep.shell import numbers, read_end, run, served, small_study, started, wait_until

pytestmark = pytest.mark.servers

ONE_AT_ONCE = "limits: {trials_at_once: 1}"


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
