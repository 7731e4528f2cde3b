"""The same notebooks against a cluster: a Ray of its own with a token, S3, and MLflow on Postgres."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.notebooks.run import NAMES, copied, execute
from tests.notebooks.test_local import tell_what_they_should
from tests.servers.mlflow import MlflowServer
from tests.servers.ray import RayCluster
from tests.sweep.shell import OFFLINE, SEARCH, small_study

pytestmark = pytest.mark.notebooks


def test_the_notebooks_run_unchanged_on_a_cluster(
    environment: dict[str, str], mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    folder = copied(tmp_path)
    shown = {name: execute(folder, name, environment) for name in NAMES}
    tell_what_they_should(shown, mlflow_server.url)
    assert "through ray://" in shown["03_sweep"].shown("text/html")
    assert "uploaded=4" in shown["01_corpus"].shown()


SWEEP = """
import sys
import dream
study = dream.load_study("study.yaml")
print(dream.connect(), flush=True)
result = dream.run_sweep(study, watcher=lambda status: print(status.stage, status.done, flush=True))
print("failed:", [arm.error for arm in result.arms if arm.error])
print("made:", result.usage.model_calls, "reused:", result.usage.reused)
"""


AUDIT = """
print(dream.audit_golden(study))
"""


def swept(folder: Path, environment: dict[str, str], more: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", SWEEP + more],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_driver_that_is_killed_loses_no_finished_work(environment: dict[str, str], tmp_path: Path) -> None:
    folder = small_study(tmp_path / "s", models=OFFLINE, search=SEARCH).parent
    driver = subprocess.Popen(
        [sys.executable, "-c", SWEEP], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout
    for line in driver.stdout:
        if line.startswith("sweep") and int(line.split()[1]) >= 3:
            break
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    time.sleep(2)  # what the trials still record does no harm
    said = swept(folder, environment)
    assert "failed: []" in said
    assert int(said.split("reused:")[1]) > 0


def test_where_the_client_is_not_let_through_the_same_verbs_run_as_jobs(
    environment: dict[str, str], cluster: RayCluster, tmp_path: Path
) -> None:
    metrics = "metrics: [answer_correctness, recall_at_k]\nobjective: answer_correctness"
    folder = small_study(tmp_path / "s", models=OFFLINE, search=SEARCH, more=metrics).parent
    closed = {**environment, "RAY_ADDRESS": "ray://127.0.0.1:9", "RAY_API_SERVER_ADDRESS": cluster.jobs}
    said = swept(folder, closed, AUDIT)
    assert f"by jobs at {cluster.jobs}" in said
    assert "failed: []" in said and "sweep 24" in said  # the job's own progress came through
    assert "of 6 questions flagged" in said


def test_another_ray_is_told_in_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    older = "import ray; ray.__version__ = '2.59.0'; import dream; dream.connect()"
    done = subprocess.run(
        [sys.executable, "-c", older],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "DreamError" in last and "2.59.0" in last and "use the image of the cluster" in last


def test_a_folder_that_the_cluster_does_not_see_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    """The cluster of this test is on the same machine: the folder is taken away from under it."""
    hidden = f"""
import dream, ray
from pathlib import Path
from dream.cluster.shared import connect_for
Path.touch = lambda self: None  # what this process writes is seen by nobody else
Path.unlink = lambda self: None
connect_for({str(tmp_path)!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", hidden],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "the cluster's machines do not see this folder" in done.stderr.strip().splitlines()[-1]
