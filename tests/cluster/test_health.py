"""`dream doctor --cluster` on a real API server; the kubelet's part (Pods' states) is written by the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dream.cli import app
from dream.cluster.access import Cluster
from dream.cluster.health import examine_cluster
from infra.secrets.cluster import make_namespace
from infra.secrets.make import make_missing

IMAGE = "ghcr.io/dream-rag/dream:0.1.0"
PARTS = ("minio", "postgres", "mlflow", "models", "dream-ray", "jupyter")


def make_pod(cluster: Cluster, part: str, *, image: str = IMAGE, **state: Any) -> None:
    labels = {"app.kubernetes.io/name": part}
    container = {
        "name": "main", "image": image,
        "securityContext": {
            "runAsNonRoot": True, "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        },
    }  # fmt: skip
    body = {"metadata": {"name": f"{part}-0", "labels": labels}, "spec": {"containers": [container]}}
    cluster.core.create_namespaced_pod(cluster.namespace, body)
    ready = "False" if state else "True"
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": ready}],
        "containerStatuses": [
            {"name": "main", "image": image, "imageID": "", "ready": not state, "restartCount": 0, **state}
        ],
    }
    cluster.core.patch_namespaced_pod_status(f"{part}-0", cluster.namespace, {"status": status})


def found(cluster: Cluster) -> dict[str, tuple[bool, str]]:
    return {check.part: (check.well, check.found) for check in examine_cluster(cluster)}


@pytest.fixture
def platform(cluster: Cluster) -> Cluster:
    make_namespace(cluster)
    dict(make_missing(cluster))  # it works as it is read
    return cluster


@pytest.mark.servers
def test_a_platform_that_runs_is_well_and_one_without_pods_is_told(platform: Cluster) -> None:
    assert [check.well for check in examine_cluster(platform)] == [False]
    for part in PARTS:
        make_pod(platform, part)
    checks = found(platform)
    assert not {part: said for part, (well, said) in checks.items() if not well}
    assert {*PARTS, "versions", "secret dream-ray-auth", "secret dream-jupyter"} <= set(checks)


@pytest.mark.servers
def test_what_is_wrong_is_said_with_what_to_do(platform: Cluster) -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    make_pod(platform, "mlflow", **waiting)
    make_pod(platform, "dream-ray", lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}})
    make_pod(platform, "jupyter", image="ghcr.io/dream-rag/dream:0.0.9", state={"waiting": {"reason": "X"}})
    platform.core.delete_namespaced_secret("dream-ray-auth", platform.namespace)
    empty = {"metadata": {"name": "dream-jupyter"}, "data": {"token": ""}}
    platform.core.replace_namespaced_secret("dream-jupyter", platform.namespace, empty)
    claim = {
        "metadata": {"name": "minio-data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    platform.core.create_namespaced_persistent_volume_claim(platform.namespace, claim)
    checks = found(platform)
    assert checks["minio"][0]  # an external store stands in
    assert not checks["postgres"][0] and "install charts/postgres" in checks["postgres"][1]
    assert "mlflow-0: ImagePullBackOff (not found); the image cannot be fetched" in checks["mlflow"][1]
    assert "raise resources.limits.memory" in checks["dream-ray"][1]
    assert not checks["versions"][0] and "dream:0.0.9" in checks["versions"][1]
    assert checks["secret dream-ray-auth"] == (False, "it is missing; run: make secrets")
    assert "token is missing or empty" in checks["secret dream-jupyter"][1]
    assert not checks["volume minio-data"][0] and "StorageClass" in checks["volume minio-data"][1]


@pytest.mark.servers
def test_the_command_ends_with_1_where_something_is_wrong_and_needs_something_to_look_at(
    platform: Cluster, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    make_pod(platform, "models")
    ended = CliRunner().invoke(app, ["doctor", "--cluster", "--namespace", platform.namespace, "--json"])
    assert ended.exit_code == 1
    told = json.loads(ended.stdout)
    assert told["healthy"] is False and {check["part"] for check in told["checks"]} >= set(PARTS)
    nothing = CliRunner().invoke(app, ["doctor"])
    assert nothing.exit_code != 0 and "name a study file" in str(nothing.exception)
