"""Argo CD's own installation, rendered over a release's manifest that lies on this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.servers.fixtures import missing

from .conftest import kubeconform
from .pods import pod_specs, refused
from .programs import ROOT, SHARED, program
from .render import Document, describe, documents

BOOTSTRAP = ROOT / "argocd" / "bootstrap"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What ``kubectl apply -k argocd/bootstrap`` would send, with the test cluster's copy of the release."""
    releases = sorted((SHARED / "cluster" / "manifests").glob("argo-cd-*.yaml"))
    if not releases:
        missing("no manifest of an Argo CD release lies in ../shared/cluster/manifests")
    folder = tmp_path_factory.mktemp("argocd") / "bootstrap"
    shutil.copytree(BOOTSTRAP, folder)
    shutil.copy(releases[-1], folder / "release.yaml")
    file = folder / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text())
    (address,) = (r for r in kustomization["resources"] if r.startswith("https://"))
    file.write_text(file.read_text().replace(address, "release.yaml"))
    made = subprocess.run(
        [program("kubectl"), "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


@pytest.fixture(scope="module")
def resources(installed: str) -> dict[str, Document]:
    return {describe(document): document for document in documents(installed)}


def test_the_pinned_version_is_the_one_that_is_tested(resources: dict[str, Document]) -> None:
    pinned = (BOOTSTRAP / "kustomization.yaml").read_text().partition("argo-cd/v")[2].partition("/")[0]
    controller = resources["StatefulSet argocd-application-controller"]
    images = {c["image"] for c in controller["spec"]["template"]["spec"]["containers"]}
    assert images == {f"quay.io/argoproj/argocd:v{pinned}"}


def test_health_checks_are_merged_into_argo_cds_settings(resources: dict[str, Document]) -> None:
    settings = resources["ConfigMap argocd-cm"]
    for file, kind in (
        ("application", "argoproj.io_Application"),
        ("raycluster", "ray.io_RayCluster"),
        ("cluster", "postgresql.cnpg.io_Cluster"),
    ):
        text = (BOOTSTRAP / "health" / f"{file}.lua").read_text()
        assert settings["data"][f"resource.customizations.health.{kind}"] == text
    # Without the label Argo CD does not read the settings at all.
    assert settings["metadata"]["labels"]["app.kubernetes.io/part-of"] == "argocd"


def test_everything_namespaced_is_in_argo_cds_namespace(resources: dict[str, Document]) -> None:
    assert resources["Namespace argocd"]
    namespaces = {d["metadata"].get("namespace") for d in resources.values()}
    assert namespaces == {None, "argocd"}
    for document in resources.values():
        for subject in document.get("subjects", []):
            assert subject["namespace"] == "argocd", describe(document)


def test_its_pods_comply_with_their_namespace(resources: dict[str, Document]) -> None:
    level = resources["Namespace argocd"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert level == "restricted"
    wrong = {
        describe(document): refused(pod)
        for document in resources.values()
        if document["kind"] in ("Deployment", "StatefulSet")
        for _, pod in pod_specs(document)
        if refused(pod)
    }
    assert not wrong


def test_it_is_valid(installed: str, schema_folder: Path, tmp_path: Path) -> None:
    # Its own schemas are of another kind, which kubeconform is not asked about.
    kept = [d for d in documents(installed) if d["kind"] != "CustomResourceDefinition"]
    (tmp_path / "argocd.yaml").write_text(yaml.safe_dump_all(kept))
    assert not kubeconform(schema_folder, tmp_path)
