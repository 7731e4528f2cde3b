"""Saved by the documented command, lost, and put back: database, artefacts and ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.shell import numbers

from . import studies
from .conftest import Finished, Stack
from .figures import Figures

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

LOSE = """
import boto3
client, gone = boto3.client("s3"), 0
for bucket in ("dream", "mlflow"):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", ()):
            client.delete_object(Bucket=bucket, Key=each["Key"])
            gone += 1
print(gone)
"""

READ = """
import sys
from mlflow import MlflowClient
client = MlflowClient()
print(client.get_run(sys.argv[1]).info.status)
print(sorted(each.path for each in client.list_artifacts(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def restored(
    stack: Stack, small: Finished, tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> Path:
    """The platform after all of it was lost and put back."""
    cluster, folder = stack.cluster, tmp_path_factory.mktemp("backup") / "saved"
    before = cluster.python(studies.JUPYTER, READ, small.ended.said["mlflow_run"])
    cluster.run("make", "backup", f"TO={folder}", seconds=600)
    lost = int(cluster.python(studies.JUPYTER, LOSE))
    assert lost > 100
    cluster.kubectl(
        "exec", "postgres-1", "--container", "postgres", "--",
        "psql", "-d", "mlflow", "-c", "drop table runs, experiments, metrics cascade",
    )  # fmt: skip
    assert cluster.attempt(
        "kubectl", "-n", "dream", "exec", *studies.JUPYTER.split(), "--", "dream", "report", small.study
    ).returncode != 0, "nothing was lost"  # fmt: skip
    cluster.run("make", "restore", f"FROM={folder}", seconds=900)
    assert cluster.python(studies.JUPYTER, READ, small.ended.said["mlflow_run"]) == before
    figures["objects saved, lost and restored"] = lost
    return folder


def test_the_ledger_is_back(stack: Stack, small: Finished, restored: Path) -> None:
    before = studies.calls(stack.cluster)["chat"]
    again = studies.in_cluster(stack.cluster, small.study)
    assert again.code == 0, again.errors
    assert numbers(again) == numbers(small.ended)
    assert again.said["model_calls"] == 0
    assert studies.calls(stack.cluster)["chat"] == before


def test_a_damaged_backup_is_refused(stack: Stack, restored: Path) -> None:
    with (restored / "store.tar").open("ab") as file:
        file.write(b"more")
    done = stack.cluster.attempt("infra/backup/restore", restored)
    assert done.returncode != 0
    assert "store.tar" in done.stdout + done.stderr


def test_nothing_of_it_stays_on_the_cluster(stack: Stack, restored: Path) -> None:
    left = stack.cluster.attempt(
        "kubectl", "--namespace", "dream", "get", "pod", "backup", "--output", "json"
    )
    assert left.returncode != 0 or "deletionTimestamp" in left.stdout
