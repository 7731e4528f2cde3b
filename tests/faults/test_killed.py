"""Kill -9 of each part of a running study: the same leaderboard, and only calls in flight are made again."""

from __future__ import annotations

import contextlib
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from dream.models.offline import Faults, RunningServer, ServerOptions, start
from tests.faults.cluster import RayMachines
from tests.faults.conftest import BATCH, CALLS_AT_ONCE, SLOW, Undisturbed, make_study, pace
from tests.faults.s3 import MortalS3
from tests.faults.watching import JSON, Record, ended, paid_once, under_way
from tests.servers.mlflow import mlflow_on
from tests.sweep.shell import dream, numbers, run, started, wait_until
from tests.workers import kill_newest

pytestmark = pytest.mark.faults

INDEXES = 2  # of the study: one for each method


def indexes_in(storage: Path) -> list[Path]:
    """The indexes that are whole."""
    return list((storage / "index").glob("*/vectors.npy"))


def test_a_killed_limiter_and_a_killed_trial_come_back(
    tmp_path: Path,
    models: RunningServer,
    machines: RayMachines,
    there: dict[str, str],
    undisturbed: Undisturbed,
    record_property: Record,
) -> None:
    with started(make_study(tmp_path, models.url), tmp_path / "store", *JSON, env=there) as process:
        under_way(models, undisturbed, 0.2)
        kill_newest(machines.workers("ray::ProviderLimiter"))
        under_way(models, undisturbed, 0.5)
        kill_newest(machines.workers("ray::ImplicitFunc"))
        after = ended(process)
    assert after.code == 0, after.errors
    assert numbers(after) == undisturbed.numbers
    paid_once(models, undisturbed, record_property, again=CALLS_AT_ONCE)


def kill_driver(process: subprocess.Popen[str]) -> None:
    """Kill -9 of a driver alone; nothing that it started goes on working without it."""
    everyone = psutil.Process(process.pid).children(recursive=True)
    at_work = []
    for one in everyone:
        with contextlib.suppress(psutil.NoSuchProcess):
            # Ray's own agents look for their raylet now and then only
            at_work += [] if one.name().startswith(("ray::Dashboard", "ray::RuntimeEnv")) else [one]
    process.kill()
    process.communicate()
    _, left = psutil.wait_procs(at_work, timeout=60)
    names = [one.name() for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    for one in everyone:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    assert not names


def test_a_killed_driver_is_run_again_while_it_embeds_and_while_it_asks(
    tmp_path: Path,
    models: RunningServer,
    tracking: dict[str, str],
    undisturbed: Undisturbed,
    record_property: Record,
) -> None:
    study = make_study(tmp_path, models.url)
    embedded = 5 * CALLS_AT_ONCE * BATCH  # more than may be lost: each request is recorded on its own
    pace(models, 1.0)  # so that much is left to embed when Ray sees that the driver is gone
    with started(study, tmp_path / "store", *JSON, env=tracking) as process:
        wait_until(lambda: models.calls()["embedded_texts"] >= embedded, "the first embeddings", 400)
        kill_driver(process)
    pace(models, SLOW.faults.latency)
    assert models.calls()["embedded_texts"] < undisturbed.calls["embedded_texts"]
    assert len(indexes_in(tmp_path / "store")) < INDEXES, "it had made all indexes, so it embedded no more"
    with started(study, tmp_path / "store", *JSON, env=tracking) as process:
        under_way(models, undisturbed)
        kill_driver(process)
    after = run(study, tmp_path / "store", env=tracking)
    assert after.code == 0, after.errors
    assert numbers(after) == undisturbed.numbers
    assert len(indexes_in(tmp_path / "store")) == INDEXES
    # one kill met embeddings, the other one calls and the embeddings of answers
    paid_once(models, undisturbed, record_property, again=2 * CALLS_AT_ONCE)


def test_an_s3_server_that_is_gone_for_20_seconds_is_waited_for(
    tmp_path: Path,
    models: RunningServer,
    bucket_server: MortalS3,
    there: dict[str, str],
    undisturbed: Undisturbed,
    record_property: Record,
) -> None:
    storage = f"s3://{bucket_server.server.bucket()}/dream"
    with started(make_study(tmp_path, models.url), storage, *JSON, env=there) as process:
        under_way(models, undisturbed)
        bucket_server.kill()
        try:
            time.sleep(20)
        finally:
            bucket_server.back()
        after = ended(process)
    assert after.code == 0, after.errors
    assert numbers(after) == undisturbed.numbers
    paid_once(models, undisturbed, record_property, again=0)


def test_an_mlflow_server_that_is_gone_costs_nothing_and_gets_the_results_later(
    tmp_path: Path,
    models: RunningServer,
    there: dict[str, str],
    undisturbed: Undisturbed,
    record_property: Record,
) -> None:
    store = tmp_path / "mlflow"
    store.mkdir()
    backend = (f"sqlite:///{store}/mlflow.db", str(store / "artifacts"), {}, "mlflow")
    study = make_study(tmp_path, models.url)
    with ExitStack() as servers:
        url = servers.enter_context(mlflow_on(*backend))
        env = {**there, "MLFLOW_TRACKING_URI": url}
        with started(study, tmp_path / "store", *JSON, env=env) as process:
            under_way(models, undisturbed)
            for server in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    if url.rpartition(":")[2] in server.cmdline():
                        server.kill()
            after = ended(process)
    assert after.code == 1
    assert after.said["mlflow_error"] and "Traceback" not in after.errors
    assert numbers(after) == undisturbed.numbers
    with mlflow_on(*backend) as url:
        env = {"MLFLOW_TRACKING_URI": url}
        later = dream("report", study, "--storage", tmp_path / "store", "--json", cwd=tmp_path, env=env)
    assert later.code == 0 and later.said["mlflow_run"], later.errors
    paid_once(models, undisturbed, record_property, again=0)


def test_refused_failing_and_cut_answers_change_no_number(
    tmp_path: Path, there: dict[str, str], undisturbed: Undisturbed, record_property: Record
) -> None:
    faults = Faults(rate_limited=0.05, failing=0.05, truncated=0.05, retry_after=0.2)
    with start(ServerOptions(faults=faults)) as models:
        study = make_study(tmp_path, models.url)
        first = run(study, tmp_path / "store", env=there)
        met = models.calls()["errors"]
        assert min(met["429"], met["500"], met["truncated"]) > 0
        # a judge's answer that was cut is asked for again; a cut answer to a question is a row without one
        for arm, found in numbers(first).items():
            for name, metric in found["metrics"].items():
                whole = undisturbed.numbers[arm]["metrics"][name]
                assert metric == whole or metric["missing"] > 0
        second = run(study, tmp_path / "store", env=there)
        assert second.code == 0, second.errors
        assert numbers(second) == undisturbed.numbers
        paid = models.calls()
        record_property("paid", f"{paid['chat']} calls, {paid['repeats']} repeats, met {met}")
        assert paid["repeats"] <= met["truncated"]
        assert paid["embedded_texts"] == undisturbed.calls["embedded_texts"]
