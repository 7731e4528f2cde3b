"""Kill -9 of each part of a running study: the same leaderboard, and only calls in flight are made again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from dream.models.offline import Faults, RunningServer, ServerOptions, start
from tests.faults.conftest import BATCH, CALLS_AT_ONCE, SLOW, Undisturbed, make_study
from tests.servers.fixtures import missing
from tests.servers.mlflow import mlflow_on
from tests.servers.s3 import minio_program, s3_server
from tests.sweep.shell import Ended, dream, numbers, read_end, run, started, wait_until

pytestmark = pytest.mark.faults

JSON = ("--json", "--quiet")


def under_way(models: RunningServer, undisturbed: Undisturbed, share: float = 0.4) -> None:
    """Wait until that share of the calls was made."""
    wanted = share * undisturbed.calls["chat"]
    wait_until(lambda: models.calls()["chat"] > wanted, "so many of the calls", 400)


def ended(process: subprocess.Popen[str]) -> Ended:
    said, errors = process.communicate(timeout=300)
    return read_end(process.returncode, said, errors)


def paid_once(models: RunningServer, undisturbed: Undisturbed, *, again: int) -> None:
    """The calls of the undisturbed study were made, and at most so many of them once more."""
    paid, whole = models.calls(), undisturbed.calls
    assert 0 <= paid["chat"] - whole["chat"] <= again
    assert 0 <= paid["embedded_texts"] - whole["embedded_texts"] <= again * BATCH
    assert paid["repeats"] <= again


@pytest.mark.parametrize("part", ["ray::ImplicitFunc", "ray::ProviderLimiter"], ids=["trial", "limiter"])
def test_a_killed_actor_comes_back(tmp_path: Path, undisturbed: Undisturbed, part: str) -> None:
    with start(SLOW) as models:
        with started(make_study(tmp_path, models.url), tmp_path / "store", *JSON) as process:
            under_way(models, undisturbed)
            victims = [
                child
                for child in psutil.Process(process.pid).children(recursive=True)
                if " ".join(child.cmdline()).startswith(part)
            ]
            assert victims, f"there is no {part}"
            victims[0].kill()
            after = ended(process)
        assert after.code == 0, after.errors
        assert numbers(after) == undisturbed.numbers
        paid_once(models, undisturbed, again=CALLS_AT_ONCE)


def test_a_killed_driver_is_run_again_while_it_embeds_and_while_it_asks(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    with start(SLOW) as models:
        study = make_study(tmp_path, models.url)
        with started(study, tmp_path / "store") as process:
            wait_until(lambda: models.calls()["embeddings"] >= 3, "the first embeddings", 400)
            os.kill(process.pid, signal.SIGKILL)
        assert models.calls()["chat"] == 0
        with started(study, tmp_path / "store") as process:
            under_way(models, undisturbed)
            os.kill(process.pid, signal.SIGKILL)
        after = run(study, tmp_path / "store")
        assert after.code == 0, after.errors
        assert numbers(after) == undisturbed.numbers
        paid_once(models, undisturbed, again=2 * CALLS_AT_ONCE)


def test_an_s3_server_that_is_gone_for_20_seconds_is_waited_for(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    if minio_program() is None:
        pytest.skip("moto keeps nothing when it is killed; no MinIO here")
    data = tmp_path / "data"
    with start(SLOW) as models, ExitStack() as servers:
        s3 = servers.enter_context(s3_server(data=data))
        storage = f"s3://{s3.bucket()}/dream"
        study = make_study(tmp_path, models.url)
        with started(study, storage, *JSON, env=s3.environment()) as process:
            under_way(models, undisturbed)
            for server in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    if str(data) in server.cmdline() and "minio" in server.name():
                        server.kill()
            servers.close()
            time.sleep(20)
            servers.enter_context(s3_server(data=data, before=s3))
            after = ended(process)
        assert after.code == 0, after.errors
        assert numbers(after) == undisturbed.numbers
        paid_once(models, undisturbed, again=0)


def test_an_mlflow_server_that_is_gone_costs_nothing_and_gets_the_results_later(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    store = tmp_path / "mlflow"
    store.mkdir()
    backend = (f"sqlite:///{store}/mlflow.db", str(store / "artifacts"), {}, "mlflow")
    with start(SLOW) as models:
        study = make_study(tmp_path, models.url)
        with ExitStack() as servers:
            tracking = {"MLFLOW_TRACKING_URI": servers.enter_context(mlflow_on(*backend))}
            with started(study, tmp_path / "store", *JSON, env=tracking) as process:
                under_way(models, undisturbed)
                for server in psutil.process_iter():
                    with contextlib.suppress(psutil.Error):
                        if tracking["MLFLOW_TRACKING_URI"].rpartition(":")[2] in server.cmdline():
                            server.kill()
                after = ended(process)
        assert after.code == 1
        assert after.said["mlflow_error"] and "Traceback" not in after.errors
        assert numbers(after) == undisturbed.numbers
        with mlflow_on(*backend) as back:
            tracking = {"MLFLOW_TRACKING_URI": back}
            later = dream(
                "report", study, "--storage", tmp_path / "store", "--json", cwd=tmp_path, env=tracking
            )
        assert later.code == 0 and later.said["mlflow_run"], later.errors
        paid_once(models, undisturbed, again=0)


def test_refused_failing_and_cut_answers_change_no_number(tmp_path: Path, undisturbed: Undisturbed) -> None:
    faults = Faults(rate_limited=0.05, failing=0.05, truncated=0.05, retry_after=0.2)
    with start(ServerOptions(faults=faults)) as models:
        study = make_study(tmp_path, models.url)
        first = run(study, tmp_path / "store")
        met = models.calls()["errors"]
        assert min(met["429"], met["500"], met["truncated"]) > 0
        # a judge's answer that was cut is asked for again; a cut answer to a question is a row without one
        for arm, found in numbers(first).items():
            for name, metric in found["metrics"].items():
                whole = undisturbed.numbers[arm]["metrics"][name]
                assert metric == whole or metric["missing"] > 0
        second = run(study, tmp_path / "store")
        assert second.code == 0, second.errors
        assert numbers(second) == undisturbed.numbers
        assert models.calls()["repeats"] <= met["truncated"]
        assert models.calls()["embedded_texts"] == undisturbed.calls["embedded_texts"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "none", folder], capture_output=True
    ).returncode:
        missing("a small disk cannot be mounted here; it takes root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(folder).free < 4096
    return filler


def test_a_full_disk_ends_the_run_in_words_and_what_was_recorded_is_kept(
    small_disk: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    with start(SLOW) as models:
        study = make_study(tmp_path, models.url)
        with started(study, small_disk / "store", *JSON) as process:
            under_way(models, undisturbed)
            filler = fill(small_disk)
            after = ended(process)
        assert after.code in (1, 2)
        assert "No space left" in after.errors + str(after.said)
        assert "Traceback" not in after.errors
        filler.unlink()
        again = run(study, small_disk / "store")
        assert again.code == 0, again.errors
        assert numbers(again) == undisturbed.numbers
        paid_once(models, undisturbed, again=CALLS_AT_ONCE)
