"""What all faults share: the study that meets them, its results when nothing goes wrong, and the servers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dream.models.offline import Faults, RunningServer, ServerOptions, start
from tests.faults.cluster import RayMachines, ray_machines
from tests.faults.s3 import MortalS3, mortal_s3
from tests.sweep.shell import numbers, run, served, small_study

CALLS_AT_ONCE = 8
BATCH = 4  # texts of an embedding request
SLOW = ServerOptions(faults=Faults(latency=0.2))  # slow enough to be caught in the middle


@dataclass(frozen=True)
class Undisturbed:
    """The study when nothing goes wrong.

    Attributes:
        numbers: of its leaderboard.
        calls: the server's own counts.
    """

    numbers: dict[str, Any]
    calls: dict[str, Any]


def make_study(folder: Path, url: str, trials_at_once: int = 2) -> Path:
    """Four arms, six questions, every metric, chat and embedding over HTTP."""
    model = f'model: hashing-256, base_url: "{url}", api_key: null, batch_size: {BATCH}'
    remote = f"remote: {{provider: openai, {model}}}"
    return small_study(
        folder,
        models=served(url).replace("  embeddings:\n", f"  embeddings:\n    {remote}\n"),
        search="{method: [chunks, sentence_window], llm: [good, poor], embedding: [remote]}",
        more=f"limits: {{calls_at_once: {CALLS_AT_ONCE}, trials_at_once: {trials_at_once}}}",
    )


@pytest.fixture(scope="session")
def slow_models() -> Iterator[RunningServer]:
    with start(SLOW) as server:
        yield server


@pytest.fixture
def models(slow_models: RunningServer) -> RunningServer:
    """The models of the study, which have not been asked anything yet."""
    pace(slow_models, SLOW.faults.latency)
    slow_models.reset()
    return slow_models


def pace(models: RunningServer, seconds: float) -> None:
    """From now on each call takes so long."""
    body = json.dumps({"latency": seconds}).encode()
    urllib.request.urlopen(models.url.removesuffix("/v1") + "/latency", body, timeout=30).close()


@pytest.fixture(scope="session")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalS3]:
    with mortal_s3(tmp_path_factory.mktemp("s3") / "data") as found:
        yield found


@pytest.fixture(scope="session")
def machines(bucket_server: MortalS3) -> Iterator[RayMachines]:
    """A Ray cluster of two machines, each with room for two trials."""
    with ray_machines([bucket_server.server.environment()] * 2, cpus=2) as found:
        yield found


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One MLflow database for all runs: to make one takes as long as a small study."""
    return {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"}


@pytest.fixture(scope="session")
def there(machines: RayMachines, bucket_server: MortalS3, tracking: dict[str, str]) -> dict[str, str]:
    """What a driver needs to run on the cluster."""
    return {**bucket_server.server.environment(), **tracking, **machines.environment()}


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, slow_models: RunningServer, there: dict[str, str]
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    slow_models.reset()
    ended = run(make_study(folder, slow_models.url), folder / "store", env=there)
    assert ended.code == 0, ended.errors
    calls = slow_models.calls()
    slow_models.reset()
    assert calls["repeats"] == 0
    return Undisturbed(numbers(ended), calls)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What each fault cost, by the count of the server that was paid."""
    for report in terminalreporter.getreports("passed"):
        if "paid" in (told := dict(report.user_properties)):
            name = report.nodeid.rpartition("::")[2]
            terminalreporter.write_line(f"{report.duration:5.0f} s  {told['paid']}  {name}")
