"""The projects allow exactly the sources, destinations and kinds that the base and the overlays use."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
import yaml

from .programs import ROOT
from .render import Document, applications, documents, from_here, kustomize, overlay_cases, overlay_sets

OPERATORS = yaml.safe_load((ROOT / "tests/manifests/operator_kinds.yaml").read_text())

# Files that a user makes, so that no rendering here shows their kind.
MADE_BY_THE_USER = {("bitnami.com", "SealedSecret")}

Kind = tuple[str, str]


@cache
def root() -> tuple[Document, ...]:
    return documents(kustomize(ROOT / "argocd" / "root"))


@cache
def projects() -> dict[str, Any]:
    return {d["metadata"]["name"]: d["spec"] for d in root() if d["kind"] == "AppProject"}


def all_applications() -> list[Document]:
    return [application for names in overlay_sets() for application in applications(names)]


def group_kind(document: Document) -> Kind:
    return document["apiVersion"].rpartition("/")[0], document["kind"]


@cache
def used(project: str) -> tuple[set[tuple[str, str, str]], set[Kind]]:
    """Cluster-wide resources by name, and namespaced kinds, that a project's Applications bring."""
    cluster: set[tuple[str, str, str]] = set()
    namespaced: set[Kind] = set()
    for names in overlay_sets():
        texts = {case.name.partition(": ")[2]: case for case in overlay_cases(names)}
        for application in applications(names):
            if application["spec"]["project"] != project:
                continue
            cluster.add(("", "Namespace", application["spec"]["destination"]["namespace"]))
            if from_here(application):
                deployed = texts[application["metadata"]["name"]].deployed
                namespaced |= {group_kind(document) for document in deployed}
                continue
            operator = OPERATORS[application["spec"]["source"]["chart"]]
            for kind, resources in operator["cluster"].items():
                group, _, name = kind.rpartition("/")
                cluster |= {(group, name, resource) for resource in resources}
            namespaced |= {
                (kind.rpartition("/")[0], kind.rpartition("/")[2]) for kind in operator["namespaced"]
            }
    return cluster, namespaced


def test_root_application_takes_the_one_address() -> None:
    (application,) = (d for d in root() if d["kind"] == "Application")
    url = application["spec"]["source"]["repoURL"]
    assert url.startswith("https://") and application["spec"]["project"] == "dream-root"
    assert projects()["dream-root"]["sourceRepos"] == projects()["dream"]["sourceRepos"] == [url]
    found = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "argocd").rglob("*.yaml")
        if any(url in line for line in file.read_text().splitlines())
    ]
    assert found == ["argocd/root/application.yaml"]


def test_default_project_is_closed() -> None:
    closed = projects()["default"]
    assert closed["sourceRepos"] == closed["destinations"] == []
    assert not closed.get("clusterResourceWhitelist")


def test_root_project_makes_applications_only() -> None:
    spec = projects()["dream-root"]
    assert spec["destinations"] == [{"server": "https://kubernetes.default.svc", "namespace": "argocd"}]
    assert spec["namespaceResourceWhitelist"] == [{"group": "argoproj.io", "kind": "Application"}]
    assert not spec.get("clusterResourceWhitelist")


@pytest.mark.parametrize("name", ["dream", "dream-operators"])
def test_sources_and_destinations_are_those_used(name: str) -> None:
    spec = projects()[name]
    own = [a["spec"] for a in all_applications() if a["spec"]["project"] == name]
    destinations = {(d["server"], d["namespace"]) for d in spec["destinations"]}
    assert destinations == {(a["destination"]["server"], a["destination"]["namespace"]) for a in own}
    if name == "dream-operators":
        assert set(spec["sourceRepos"]) == {a["source"]["repoURL"] for a in own}
    else:
        assert {a["source"]["repoURL"] for a in own} == {"https://git.example.org/dream.git"}


@pytest.mark.parametrize("name", ["dream", "dream-operators"])
def test_namespaced_kinds_are_those_used(name: str) -> None:
    allowed = {(k["group"], k["kind"]) for k in projects()[name]["namespaceResourceWhitelist"]}
    needed = used(name)[1] | (MADE_BY_THE_USER if name == "dream" else set())
    assert allowed == needed, f"missing: {sorted(needed - allowed)}, not used: {sorted(allowed - needed)}"


@pytest.mark.parametrize("name", ["dream", "dream-operators"])
def test_cluster_wide_resources_are_those_used(name: str) -> None:
    allowed = [(k["group"], k["kind"], k["name"]) for k in projects()[name]["clusterResourceWhitelist"]]
    needed = used(name)[0]

    def allows(entry: tuple[str, str, str], resource: tuple[str, str, str]) -> bool:
        return entry[:2] == resource[:2] and fnmatchcase(resource[2], entry[2])

    assert not [r for r in needed if not any(allows(entry, r) for entry in allowed)]
    assert not [entry for entry in allowed if not any(allows(entry, r) for r in needed)]


def test_operators_are_known_in_the_version_that_is_used() -> None:
    charts = {
        (a["spec"]["source"]["chart"], a["spec"]["source"]["targetRevision"])
        for a in all_applications()
        if not from_here(a)
    }
    assert charts == {(name, operator["version"]) for name, operator in OPERATORS.items()}


def test_no_project_allows_everything() -> None:
    for name, spec in projects().items():
        for key in ("sourceRepos", "destinations", "clusterResourceWhitelist", "namespaceResourceWhitelist"):
            for entry in spec.get(key) or []:
                values = entry.values() if isinstance(entry, dict) else [entry]
                assert "*" not in values, f"{name}.{key}"
