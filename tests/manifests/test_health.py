"""The health checks in ``argocd/bootstrap/health``, run by Argo CD's own interpreter."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from .programs import ROOT, program
from .render import documents

BOOTSTRAP = ROOT / "argocd" / "bootstrap"


@pytest.fixture(scope="module")
def config_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """argocd-cm as bootstrap makes it from an empty one."""
    folder = tmp_path_factory.mktemp("bootstrap")
    kustomization = yaml.safe_load((BOOTSTRAP / "kustomization.yaml").read_text())
    empty = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}}
    labels = {"app.kubernetes.io/part-of": "argocd"}
    (folder / "empty.yaml").write_text(
        yaml.safe_dump({**empty, "metadata": {"name": "argocd-cm", "labels": labels}})
    )
    (folder / "health").mkdir()
    for file in (BOOTSTRAP / "health").iterdir():
        (folder / "health" / file.name).write_text(file.read_text())
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({**kustomization, "resources": ["empty.yaml"]}))
    made = subprocess.run(
        [program("kubectl"), "kustomize", folder], capture_output=True, text=True, check=True
    )
    file = folder / "argocd-cm.yaml"
    file.write_text(made.stdout)
    (found,) = documents(made.stdout)
    assert len(found["data"]) == len(list((BOOTSTRAP / "health").iterdir()))
    return file


def health(config_map: Path, resource: Mapping[str, Any], folder: Path) -> tuple[str, str]:
    """Status and message that Argo CD gives a resource."""
    file = folder / "resource.yaml"
    file.write_text(yaml.safe_dump(resource))
    command: list[str | Path] = [
        "admin",
        "settings",
        "resource-overrides",
        "health",
        file,
        "--argocd-cm-path",
        config_map,
    ]
    done = subprocess.run([program("argocd"), *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    return said["STATUS"], said.get("MESSAGE", "")


def application(status: Mapping[str, Any] | None) -> dict[str, Any]:
    found = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "a"},
        "spec": {},
    }
    return found if status is None else {**found, "status": status}


SYNCED = {
    "sync": {"status": "Synced"},
    "operationState": {"phase": "Succeeded"},
    "health": {"status": "Healthy"},
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, ("Progressing", "first sync")),
        ({}, ("Progressing", "not Synced")),
        (SYNCED, ("Healthy", "")),
        # What argo-cd #27917 lets through: healthy in sum, as what was refused is not counted.
        ({**SYNCED, "sync": {"status": "OutOfSync"}}, ("Progressing", "OutOfSync")),
        (
            {**SYNCED, "operationState": {"phase": "Running", "message": "waiting for x"}},
            ("Progressing", "x"),
        ),
        ({**SYNCED, "operationState": None}, ("Progressing", "no sync has succeeded")),
        ({**SYNCED, "operationState": {"phase": "Failed", "message": "refused"}}, ("Degraded", "refused")),
        (
            {**SYNCED, "operationState": {"phase": "Error", "message": "no repository"}},
            ("Degraded", "no repos"),
        ),
        ({**SYNCED, "health": {"status": "Degraded"}}, ("Degraded", "")),
        ({**SYNCED, "health": {"status": "Missing"}}, ("Progressing", "")),
        ({**SYNCED, "health": {"status": "Suspended"}}, ("Suspended", "")),
        (
            {
                "sync": {"status": "Unknown"},
                "health": {"status": "Healthy"},
                "conditions": [{"type": "ComparisonError", "message": "repository not found"}],
            },
            ("Progressing", "ComparisonError: repository not found"),
        ),
    ],
)
def test_application(status: Any, expected: tuple[str, str], config_map: Path, tmp_path: Path) -> None:
    found = health(config_map, application(status), tmp_path)
    assert found[0] == expected[0] and expected[1] in found[1]


def ray(generation: int = 1, observed: int = 1, **conditions: str) -> dict[str, Any]:
    return {
        "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "r", "generation": generation},
        "status": {
            "observedGeneration": observed,
            "conditions": [{"type": t, "status": s, "message": f"about {t}"} for t, s in conditions.items()],
        },
    }  # fmt: skip


READY: dict[str, Any] = {"HeadPodReady": "True", "RayClusterProvisioned": "True"}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (
            {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "r"}},
            ("Progressing", "operator"),
        ),
        (ray(), ("Progressing", "starting")),
        (ray(HeadPodReady="True", RayClusterProvisioned="False"), ("Progressing", "RayClusterProvisioned")),
        (ray(**READY), ("Healthy", "")),
        (ray(generation=2, **READY), ("Progressing", "newest spec")),
        (ray(HeadPodReady="False", RayClusterProvisioned="True"), ("Degraded", "HeadPodReady")),
        (ray(**READY, ReplicaFailure="True"), ("Degraded", "ReplicaFailure")),
        (ray(RayClusterSuspended="True", HeadPodReady="False"), ("Suspended", "")),
    ],
)
def test_raycluster(resource: Any, expected: tuple[str, str], config_map: Path, tmp_path: Path) -> None:
    found = health(config_map, resource, tmp_path)
    assert found[0] == expected[0] and expected[1] in found[1]


def postgres(phase: str | None, ready: int = 3, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": "postgres", "annotations": more.get("annotations", {})},
        "spec": {"instances": 3},
        "status": {"phase": phase, "readyInstances": ready, "conditions": more.get("conditions", [])},
    }  # fmt: skip


WHOLE = "Cluster in healthy state"


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({**postgres(None), "status": None}, ("Progressing", "operator")),
        (postgres("Setting up primary", 0), ("Progressing", "Setting up primary")),
        (postgres("Applying configuration", 0), ("Progressing", "")),
        (postgres(WHOLE), ("Healthy", "3 of 3")),
        (postgres(WHOLE, 2), ("Progressing", "2 of 3")),
        (postgres("Failing over", 2), ("Degraded", "Failing over")),
        (postgres("Not enough disk space"), ("Degraded", "disk")),
        (postgres(WHOLE, annotations={"cnpg.io/reconciliationLoop": "disabled"}), ("Suspended", "")),
        (
            postgres(
                WHOLE, conditions=[{"type": "cnpg.io/hibernation", "status": "True", "message": "asleep"}]
            ),
            ("Suspended", "asleep"),
        ),
    ],
)
def test_postgres(resource: Any, expected: tuple[str, str], config_map: Path, tmp_path: Path) -> None:
    found = health(config_map, resource, tmp_path)
    assert found[0] == expected[0] and expected[1] in found[1]
