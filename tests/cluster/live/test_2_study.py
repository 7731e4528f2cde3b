"""A study in the cluster, driven from Jupyter: the laptop's numbers, to the last digit."""

from __future__ import annotations

import json

import pytest

from tests.sweep.shell import Ended, numbers

from . import studies
from .conftest import Finished, Stack
from .figures import Figures

pytestmark = pytest.mark.cluster

TRACKED = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient()
parent = client.get_run(sys.argv[1])
runs = client.search_runs([parent.info.experiment_id], filter_string=f"tags.`mlflow.parentRunId` = '{sys.argv[1]}'")
print(json.dumps({run.info.run_name: run.data.metrics for run in runs}))
"""  # noqa: E501


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return studies.on_this_machine(tmp_path_factory.mktemp("laptop"))


def test_leaderboard_is_the_laptops(small: Finished, laptop: Ended, figures: Figures) -> None:
    assert len(small.ended.said["arms"]) == 4
    assert numbers(small.ended) == numbers(laptop)
    figures["numbers equal to the laptop's"] = sum(
        len(arm["metrics"]) * 4 for arm in small.ended.said["arms"]
    )


def test_work_went_where_it_belongs(stack: Stack, small: Finished) -> None:
    # The driver's address is the cluster's by its environment, and nothing was kept in the Pod.
    address, *left = studies.in_pod(stack.cluster, "echo $RAY_ADDRESS; find ~/studies").split()
    assert address == "ray://dream-ray-head:10001"
    assert not [name for name in left if "ledger" in name or "mlflow.db" in name]
    assert int(stack.cluster.python(studies.JUPYTER, COUNT_LEDGER)) > 100


COUNT_LEDGER = """
import boto3
pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket="dream", Prefix="ledger/")
print(sum(page["KeyCount"] for page in pages))
"""


def test_leaderboard_is_in_mlflow_on_postgres(stack: Stack, small: Finished) -> None:
    arms = json.loads(stack.cluster.python(studies.JUPYTER, TRACKED, small.ended.said["mlflow_run"]))
    objective = small.ended.said["objective"]
    shown = sorted(metrics[objective] for metrics in arms.values())
    assert shown == sorted(arm["metrics"][objective]["mean"] for arm in small.ended.said["arms"])
    count = "select count(*) from runs where lifecycle_stage = 'active'"
    rows = stack.cluster.kubectl(
        "exec", "postgres-1", "--container", "postgres", "--", "psql", "-At", "-d", "mlflow", "-c", count
    )
    assert int(rows) >= len(arms) + 1


def test_run_again_makes_no_call(stack: Stack, small: Finished) -> None:
    before = studies.calls(stack.cluster)
    again = studies.in_cluster(stack.cluster, small.study)
    assert again.code == 0, again.errors
    assert numbers(again) == numbers(small.ended)
    assert again.said["model_calls"] == 0
    assert studies.calls(stack.cluster) == before
