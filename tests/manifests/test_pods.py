"""Pods run in a namespace with restricted Pod Security, and with no more than they need."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from .pods import careless, pod_specs, refused
from .render import Case, Document, describe, is_helm_test


def every_pod(cases: tuple[Case, ...]) -> dict[str, tuple[Document, Any]]:
    return {
        f"{case.name}: {describe(document)}{path}": (document, pod)
        for case in cases
        for document in case.documents
        for path, pod in pod_specs(document)
    }


def test_pods_are_restricted(cases: tuple[Case, ...]) -> None:
    pods = every_pod(cases)
    assert pods
    assert not {where: wrong for where, (_, pod) in pods.items() if (wrong := refused(pod))}


def test_pods_have_no_more_than_they_need(cases: tuple[Case, ...]) -> None:
    pods = every_pod(cases)
    assert not {where: wrong for where, (_, pod) in pods.items() if (wrong := careless(pod))}


def test_servers_have_probes(cases: tuple[Case, ...]) -> None:
    # KubeRay adds the probes of a RayCluster's Pods itself, so those are not asked for here.
    without = [
        f"{where}: container {container['name']}"
        for where, (document, pod) in every_pod(cases).items()
        if document["kind"] in ("Deployment", "StatefulSet", "DaemonSet")
        for container in pod["containers"]
        if container.get("ports") and not {"readinessProbe", "livenessProbe"} <= set(container)
    ]
    assert not without


def test_every_server_is_behind_a_network_policy(cases: tuple[Case, ...]) -> None:
    open_to_all = []
    for case in cases:
        policies = [d["spec"] for d in case.documents if d["kind"] == "NetworkPolicy"]
        for document in case.documents:
            if document["kind"] in ("Deployment", "StatefulSet") and not is_helm_test(document):
                labels = document["spec"]["template"]["metadata"]["labels"]
                for direction in ("Ingress", "Egress"):
                    if not any(
                        direction in p["policyTypes"] and selects(p["podSelector"], labels) for p in policies
                    ):
                        open_to_all.append(f"{case.name}: {describe(document)}: {direction}")
    assert not open_to_all


def selects(selector: Document, labels: Document) -> bool:
    """Whether a label selector with equalities only picks these labels.

    >>> selects({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"})
    True
    """
    assert not set(selector) - {"matchLabels"}, "this check knows matchLabels only"
    return (selector.get("matchLabels") or {}).items() <= labels.items()


GOOD: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "serviceAccountName": "web",
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "web",
            "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}


@pytest.mark.parametrize(
    ("where", "value", "complaint"),
    [
        ("hostNetwork", True, "hostNetwork"),
        ("hostPID", True, "hostPID"),
        ("volumes", [{"name": "host", "hostPath": {"path": "/"}}], "hostPath"),
        ("securityContext.runAsNonRoot", False, "runAsNonRoot"),
        ("securityContext.runAsUser", 0, "runAsUser is 0"),
        ("securityContext.seccompProfile", None, "seccompProfile"),
        ("containers.0.securityContext.privileged", True, "privileged"),
        ("containers.0.securityContext.allowPrivilegeEscalation", None, "allowPrivilegeEscalation"),
        ("containers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}, "ALL is not dropped"),
        ("containers.0.securityContext.capabilities.add", ["SYS_ADMIN"], "SYS_ADMIN"),
        ("containers.0.ports", [{"containerPort": 80, "hostPort": 80}], "hostPort"),
        ("containers.0.securityContext.readOnlyRootFilesystem", False, "readOnlyRootFilesystem"),
        ("containers.0.resources.limits", {}, "limits.memory"),
        ("serviceAccountName", "default", "ServiceAccount"),
        ("initContainers", [{"name": "first"}], "container first"),
    ],
)
def test_a_worse_pod_is_found(where: str, value: object, complaint: str) -> None:
    pod = copy.deepcopy(GOOD)
    assert refused(pod) == careless(pod) == []
    *parents, last = where.split(".")
    part: Any = pod
    for key in parents:
        part = part[int(key)] if key.isdigit() else part[key]
    part[last] = value
    assert complaint in "\n".join(refused(pod) + careless(pod))
