"""Deleted by the page's commands the stack leaves its data and nothing else; installed again, it finds it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.sweep.shell import numbers

from . import studies
from .cluster import Cluster, wait_for
from .conftest import Finished, Stack, wait_until_green
from .documents import OPERATIONS, commands
from .figures import Figures

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

# What every namespace has, and the operator of PostgreSQL gives to one with a Cluster.
NOT_OURS = {"configmaps/kube-root-ca.crt", "serviceaccounts/default", "configmaps/cnpg-default-monitoring"}

# What happened, and the mirror of a Service.
NOT_THINGS = {"events", "events.events.k8s.io", "endpoints"}


def typed(marks: tuple[str, str]) -> list[str]:
    """The page's commands for uninstalling, from one that begins with a mark to before another."""
    page = [one.text for one in commands(OPERATIONS) if one.heading[1:] == UNINSTALL]
    first, last = (page.index(next(text for text in page if text.startswith(mark))) for mark in marks)
    return page[first:last]


UNINSTALL = ("Argo CD: install, overlays, upgrade, scale, uninstall", "Uninstall")


def left(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """Everything in the namespace, by ``resource/name``."""
    kinds = cluster.run("kubectl", "api-resources", "--verbs=list", "--namespaced", "--output=name").split()
    found: dict[str, dict[str, Any]] = {}
    for kind in sorted(set(kinds) - NOT_THINGS):
        listed = json.loads(cluster.kubectl("get", kind, "--output", "json"))
        found |= {f"{kind}/{each['metadata']['name']}": each for each in listed["items"]}
    return {name: each for name, each in found.items() if name not in NOT_OURS}


def of_the_database(resource: dict[str, Any]) -> bool:
    """Whether a resource is PostgreSQL's Cluster or of its making."""
    owners = {owner["kind"] for owner in resource["metadata"].get("ownerReferences", [])}
    return resource["kind"] == "Cluster" or bool(owners & {"Cluster", "Service"})


def is_volume(name: str) -> bool:
    return name.startswith("persistentvolumeclaims/")


@pytest.fixture(scope="module")
def deleted(stack: Stack, small: Finished) -> dict[str, dict[str, Any]]:
    """What is left after the page's commands."""
    cluster = stack.cluster
    for command in typed(("kubectl -n argocd delete application dream", "make secrets")):
        cluster.shell(command)
    wait_for(lambda: not cluster.get("pods"), "the end of every Pod", seconds=400)
    time.sleep(10)  # what Pods and Deployments owned goes a moment after them
    return left(cluster)


def test_data_is_left_and_nothing_else(deleted: dict[str, dict[str, Any]]) -> None:
    volumes = set(filter(is_volume, deleted))
    assert {name.partition("/")[2] for name in volumes} == {"minio-data", "home-jupyter-0", "postgres-1"}
    others = {name for name, each in deleted.items() if name not in volumes and not of_the_database(each)}
    assert not others


def test_installed_again_it_finds_the_data(
    stack: Stack, small: Finished, deleted: object, figures: Figures
) -> None:
    cluster = stack.cluster
    for command in typed(("make secrets", "kubectl delete namespace dream")):
        cluster.shell(command)
    wait_until_green(cluster, stack.fork)
    again = studies.in_cluster(cluster, small.study)
    assert again.code == 0, again.errors
    assert numbers(again) == numbers(small.ended)
    assert again.said["model_calls"] == 0
    found = studies.in_pod(cluster, READ.format(run=small.ended.said["mlflow_run"]))
    assert "FINISHED" in found
    figures["after deletion and installation"] = "same leaderboard, 0 calls, MLflow's runs there"


READ = """python -c "
from mlflow import MlflowClient
print(MlflowClient().get_run('{run}').info.status)
" """
