"""Every manifest of every overlay, accepted by a real API server with the operators' schemas.

Pod Security ``restricted`` is enforced and warns; a quota of no Pods lets resources be made for real without
anything starting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.manifests.conftest import WITHOUT_SCHEMA
from tests.manifests.pods import pod_specs
from tests.manifests.programs import crd_folder
from tests.manifests.render import Case, all_cases, describe

from .cluster import Cluster
from .conftest import Stack
from .figures import Figures

pytestmark = pytest.mark.cluster

HERE = "manifests"

# The finalizer's name is Argo CD's own.
BORNE = "prefer a domain-qualified finalizer name"

# Kinds whose controllers run on the test cluster and must not act: these are only asked about.
ACTED_UPON = {"Cluster", "ScheduledBackup", "Application"}


@pytest.fixture(scope="module")
def place(stack: Stack) -> Iterator[Cluster]:
    """A namespace in which nothing may start, and every schema."""
    cluster = stack.cluster
    for file in sorted(crd_folder().glob("*.yaml")):
        if not file.name.startswith(("argo-cd", "cloudnative-pg")):  # theirs came with them
            cluster.run("kubectl", "apply", "--server-side", "--force-conflicts", "--filename", file)
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    cluster.run("kubectl", "apply", "--filename", "-", stdin=as_list([
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HERE, "labels": labels}},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "nothing", "namespace": HERE},
         "spec": {"hard": {"pods": "0"}}},
    ]))  # fmt: skip
    cluster.run("kubectl", "wait", "--for=condition=Established", "crd", "--all")
    yield cluster
    cluster.run("kubectl", "delete", "namespace", HERE, "--wait=false")


@pytest.fixture(scope="module")
def resources(figures: Figures) -> list[dict[str, Any]]:
    """All resources of all charts and overlays, each once, in the namespace of this test."""
    found: dict[str, dict[str, Any]] = {}
    cases: list[Case] = list(all_cases())
    for case in cases:
        for document in case.deployed:
            if f"{document['apiVersion']}/{document['kind']}" in WITHOUT_SCHEMA:
                continue
            moved = json.loads(json.dumps(document))
            if moved["metadata"].get("namespace", "dream") in ("dream", "argocd"):
                moved["metadata"]["namespace"] = HERE
            found[json.dumps(moved, sort_keys=True)] = moved
    figures["renderings sent to the API server"] = len(cases)
    figures["different resources in them"] = len(found)
    return list(found.values())


def as_list(items: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def layers(resources: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The resources in lists that hold each name once: overlays make the same thing in different ways."""
    made: list[dict[str, dict[str, Any]]] = []
    for each in resources:
        for layer in made:
            if layer.setdefault(describe(each), each) is each:
                break
        else:
            made.append({describe(each): each})
    return [list(layer.values()) for layer in made]


def test_all_are_accepted(place: Cluster, resources: list[dict[str, Any]]) -> None:
    wrong = []
    for layer in layers(resources):
        done = place.attempt(
            "kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", "-",
            stdin=as_list(layer),
        )  # fmt: skip
        # Pod templates are only warned about: what makes them would learn of it when it is too late.
        wrong += [line for line in done.stderr.splitlines() if line.strip() and BORNE not in line]
    assert not wrong, "\n".join(wrong)


def test_their_pods_are_let_in(place: Cluster, resources: list[dict[str, Any]], figures: Figures) -> None:
    pods: dict[str, dict[str, Any]] = {}
    for document in resources:
        for number, (_, spec) in enumerate(pod_specs(document)):
            # What a StatefulSet would add, and what only its controllers could make.
            claims = document.get("spec", {}).get("volumeClaimTemplates", [])
            volumes = [
                *spec.get("volumes", []),
                *(
                    {"name": one["metadata"]["name"], "persistentVolumeClaim": {"claimName": "any"}}
                    for one in claims
                ),
            ]
            made = {"restartPolicy": "Never", "serviceAccountName": "default", "volumes": volumes}
            body = {"spec": {**spec, **made}}
            name = f"{document['kind']}-{document['metadata']['name']}-{number}".lower()
            head = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": HERE}}
            pods[json.dumps(body, sort_keys=True)] = {**head, **body}
    place.kubectl("delete", "resourcequota", "nothing", "--namespace", HERE)
    wrong = []
    for layer in layers(list(pods.values())):
        done = place.attempt(
            "kubectl", "create", "--dry-run=server", "--validate=strict", "--filename", "-",
            stdin=as_list(layer),
        )  # fmt: skip
        wrong += [line for line in done.stderr.splitlines() if line.strip()]
    figures["Pods let in by Pod Security restricted"] = len(pods)
    assert not wrong, "\n".join(wrong)


def test_applied_twice_there_is_no_difference(place: Cluster, resources: list[dict[str, Any]]) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "nothing", "namespace": HERE},
             "spec": {"hard": {"pods": "0"}}}  # fmt: skip
    place.run("kubectl", "apply", "--filename", "-", stdin=as_list([quota]))
    mine = [each for each in resources if each["kind"] not in ACTED_UPON and of_here(each)]
    first = layers(mine)[0]
    text = as_list(first)
    place.run("kubectl", "apply", "--server-side", "--filename", "-", stdin=text)
    again = place.attempt("kubectl", "diff", "--server-side", "--filename", "-", stdin=text)
    assert again.returncode == 0, again.stdout + again.stderr
    before = generations(place, text)
    place.run("kubectl", "apply", "--server-side", "--filename", "-", stdin=text)
    assert generations(place, text) == before


def of_here(document: dict[str, Any]) -> bool:
    return document["metadata"].get("namespace") == HERE


def generations(place: Cluster, text: str) -> dict[str, Any]:
    """The generation of each resource, which changes with its wish; of one without, all but its state."""
    found = json.loads(place.run("kubectl", "get", "--filename", "-", "--output", "json", stdin=text))
    return {describe(each): each["metadata"].get("generation") or wish(each) for each in found["items"]}


def wish(resource: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in resource.items() if key not in ("metadata", "status")}
    meta = {key: resource["metadata"].get(key) for key in ("name", "labels", "annotations")}
    return {**kept, **meta}
