"""Which workloads read a secret, and restarting them one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dream.cluster.access import Cluster, asking
from dream.errors import DreamError

# Servers before their clients; Ray's head before its workers, which wait for it.
ORDER = ("minio", "postgres", "mlflow", "dream-ray/head", "dream-ray/worker", "jupyter")


@dataclass(frozen=True)
class Workload:
    """Something that must restart to see a new secret.

    Attributes:
        kind: ``Deployment``, ``StatefulSet``, or ``Pod`` for one that Ray's operator replaces.
        name: its name.
        part: which part of the platform it is, as in ``ORDER``.
    """

    kind: str
    name: str
    part: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


def reads(template: Any, secret: str) -> bool:
    """Whether a pod's description, as plain JSON, refers to a Secret.

    >>> reads({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}]}]}, "a")
    True
    >>> reads({"volumes": [{"secret": {"secretName": "a"}}]}, "b")
    False
    """
    if isinstance(template, list):
        return any(reads(item, secret) for item in template)
    if not isinstance(template, dict):
        return False
    for key, value in template.items():
        if key in ("secretKeyRef", "secretRef") and isinstance(value, dict) and value.get("name") == secret:
            return True
        if (
            key == "secret"
            and isinstance(value, dict)
            and secret in (value.get("secretName"), value.get("name"))
        ):
            return True
        if reads(value, secret):
            return True
    return False


def part_of(labels: dict[str, str]) -> str:
    """The part of the platform that a pod's labels tell.

    >>> part_of({"app.kubernetes.io/name": "dream-ray", "app.kubernetes.io/component": "head"})
    'dream-ray/head'
    >>> part_of({"ray.io/cluster": "dream-ray", "ray.io/node-type": "worker"})
    'dream-ray/worker'
    """
    if "ray.io/node-type" in labels:
        return f"dream-ray/{labels['ray.io/node-type']}"
    name = labels.get("app.kubernetes.io/name", "")
    return f"{name}/{labels.get('app.kubernetes.io/component', '')}" if name == "dream-ray" else name


def readers(cluster: Cluster, secret: str) -> list[Workload]:
    """The workloads that read a secret, servers before clients; those of no known part come last."""
    found: list[Workload] = []
    with asking(f"workloads of namespace {cluster.namespace}"):
        deployments = cluster.plain(cluster.apps.list_namespaced_deployment(cluster.namespace).items)
        stateful = cluster.plain(cluster.apps.list_namespaced_stateful_set(cluster.namespace).items)
        pods = cluster.plain(cluster.core.list_namespaced_pod(cluster.namespace).items)
    for kind, items in (("Deployment", deployments), ("StatefulSet", stateful)):
        for item in items:
            template = item["spec"]["template"]
            if reads(template["spec"], secret):
                part = part_of(template["metadata"].get("labels", {}))
                found.append(Workload(kind, item["metadata"]["name"], part))
    for pod in pods:
        # Ray's operator makes its pods itself; those of all other owners are not ours to delete.
        owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])}
        if "RayCluster" in owners and reads(pod["spec"], secret):
            found.append(Workload("Pod", pod["metadata"]["name"], part_of(pod["metadata"].get("labels", {}))))
    return sorted(found, key=_rank)


def _rank(workload: Workload) -> tuple[int, str]:
    known = workload.part in ORDER
    return (ORDER.index(workload.part) if known else len(ORDER), workload.name)


def restart(cluster: Cluster, workload: Workload, seconds: float = 900) -> None:
    """Restart a workload and wait until what replaces it is ready.

    Raises:
        DreamError: it was not ready in time.
    """
    ready = _delete_pod(cluster, workload) if workload.kind == "Pod" else _roll_out(cluster, workload)
    limit = time.monotonic() + seconds
    with asking(str(workload)):
        while not ready():
            if time.monotonic() > limit:
                raise DreamError(
                    f"not ready {seconds:.0f} s after its restart",
                    str(workload),
                    f"see `kubectl -n {cluster.namespace} describe {workload}`, then run the rotation again",
                )
            time.sleep(1)


def _roll_out(cluster: Cluster, workload: Workload) -> Callable[[], bool]:
    name, namespace = workload.name, cluster.namespace
    verbs = cluster.apps
    stateful = workload.kind == "StatefulSet"
    patch = verbs.patch_namespaced_stateful_set if stateful else verbs.patch_namespaced_deployment
    read = verbs.read_namespaced_stateful_set if stateful else verbs.read_namespaced_deployment
    # The annotation that `kubectl rollout restart` sets, which GitOps tools leave alone.
    now = datetime.now(UTC).isoformat()
    annotations = {"kubectl.kubernetes.io/restartedAt": now}
    with asking(str(workload)):
        patch(name, namespace, {"spec": {"template": {"metadata": {"annotations": annotations}}}})

    def ready() -> bool:
        seen = cluster.plain(read(name, namespace))
        wanted, status = seen["spec"].get("replicas", 1), seen.get("status", {})
        return bool(
            status.get("observedGeneration", 0) >= seen["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == wanted
            and status.get("replicas", 0) == wanted
            and status.get("readyReplicas", 0) == wanted
            and (not stateful or status.get("currentRevision") == status.get("updateRevision"))
        )

    return ready


def _delete_pod(cluster: Cluster, workload: Workload) -> Callable[[], bool]:
    with asking(str(workload)):
        old = cluster.core.read_namespaced_pod(workload.name, cluster.namespace)
        labels = old.metadata.labels or {}
        keys = ("ray.io/cluster", "ray.io/node-type", "ray.io/group")
        selector = ",".join(f"{key}={labels[key]}" for key in keys if key in labels)
        wanted = len(cluster.core.list_namespaced_pod(cluster.namespace, label_selector=selector).items)
        cluster.core.delete_namespaced_pod(workload.name, cluster.namespace)

    def ready() -> bool:
        pods = cluster.core.list_namespaced_pod(cluster.namespace, label_selector=selector).items
        others = [pod for pod in pods if pod.metadata.uid != old.metadata.uid]
        return len(others) == len(pods) >= wanted and all(_is_ready(pod) for pod in others)

    return ready


def _is_ready(pod: Any) -> bool:
    return any(it.type == "Ready" and it.status == "True" for it in (pod.status.conditions or []))


def restart_all(cluster: Cluster, secret: str) -> Iterator[Workload]:
    """Restart each workload that reads a secret, and wait for it before the next.

    Yields:
        each workload, when it is ready again.
    """
    for workload in readers(cluster, secret):
        restart(cluster, workload)
        yield workload
