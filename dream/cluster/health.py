"""How the platform is on its cluster: each part, what it needs, and what to do where something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dream.cluster.access import Cluster, asking
from dream.cluster.doctor import Check
from dream.cluster.parts import ONE_IMAGE, PARTS, SECRET_KEYS, Part
from dream.errors import DreamError

# What Kubernetes says of a container that does not run, and what a person does about it.
TODO = {
    "ImagePullBackOff": "the image cannot be fetched: check its name, tag and the pull secret",
    "ErrImagePull": "the image cannot be fetched: check its name, tag and the pull secret",
    "ErrImageNeverPull": "the image is not on the node: load it there",
    "CreateContainerConfigError": "a Secret or ConfigMap that it names is missing: make secrets",
    "CrashLoopBackOff": "it ends again and again: read its log with kubectl logs --previous",
    "Unschedulable": "no node has room for it, or its volume is elsewhere: kubectl describe pod",
    "OOMKilled": "it needs more memory than its limit: raise resources.limits.memory",
}


def examine_cluster(cluster: Cluster) -> list[Check]:
    """Look at every part of the platform in the cluster's namespace.

    Reads only; of a Secret only whether it is there and has its keys.

    Raises:
        DreamError: the API server cannot be reached, or does not let us look at the Pods.
    """
    with asking(f"Pods of namespace {cluster.namespace}"):
        pods = [cluster.plain(pod) for pod in cluster.core.list_namespaced_pod(cluster.namespace).items]
    if not pods:
        what = "there is no Pod at all"
        todo = "name the platform's namespace with --namespace, or install it: docs/operations.md"
        return [Check(f"namespace {cluster.namespace}", False, f"{what}; {todo}")]
    checks = [_part(part, pods) for part in PARTS]
    checks += [_one_image(pods)]
    checks += _guarded("secrets", lambda: _secrets(cluster, pods))
    checks += _guarded("volumes", lambda: _volumes(cluster))
    checks += _guarded("Argo CD", lambda: _applications(cluster))
    return checks


def _guarded(part: str, look: Any) -> list[Check]:
    """What can be seen; a right that is missing is a finding of its own and hides nothing else."""
    try:
        return list(look())
    except DreamError as error:
        return [Check(part, False, str(error))]


def _part(part: Part, pods: Iterable[Mapping[str, Any]]) -> Check:
    mine = [pod for pod in pods if _belongs(pod, part)]
    if not mine:
        if part.optional:
            return Check(part.name, True, "not installed here; something else stands in for it")
        return Check(part.name, False, f"it has no Pod; install charts/{part.name}, or sync its Application")
    troubles = [trouble for pod in mine if (trouble := _trouble(pod))]
    ready = len(mine) - len(troubles)
    restarts = sum(
        status.get("restartCount", 0) for pod in mine for status in pod["status"].get("containerStatuses", ())
    )
    found = f"{ready} of {len(mine)} Pods ready" + (f", {restarts} restarts" if restarts else "")
    return Check(part.name, not troubles, "; ".join([found, *troubles]))


def _belongs(pod: Mapping[str, Any], part: Part) -> bool:
    labels = pod["metadata"].get("labels") or {}
    name, _, value = part.selector.partition("=")
    named = labels.get(name) == value or labels.get("app.kubernetes.io/name") == part.name
    # Pods of `helm test` and of finished jobs are done with, not ill.
    return (
        named
        and labels.get("app.kubernetes.io/component") != "test"
        and pod["status"].get("phase") != "Succeeded"
        and "batch.kubernetes.io/job-name" not in labels
    )


def _trouble(pod: Mapping[str, Any]) -> str:
    """Why a Pod is not ready and what to do, or nothing if it is ready."""
    status = pod["status"]
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    if conditions.get("Ready", {}).get("status") == "True":
        return ""
    reason, said = "not ready yet", ""
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        reason, said = scheduled.get("reason", "Unschedulable"), scheduled.get("message", "")
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting") or {}
        ended = container.get("lastState", {}).get("terminated") or {}
        if waiting.get("reason") in (None, "PodInitializing", "ContainerCreating") and not ended:
            continue
        killed = ended.get("reason") == "OOMKilled"
        reason = "OOMKilled" if killed else waiting.get("reason") or ended.get("reason") or reason
        said = waiting.get("message", "")
        break
    name = pod["metadata"]["name"]
    todo = TODO.get(reason, f"wait a minute, then: kubectl describe pod {name}")
    return f"{name}: {reason}{f' ({said})' if said else ''}; {todo}"


def _one_image(pods: Iterable[Mapping[str, Any]]) -> Check:
    """Ray's client refuses another Ray, and pickles of another Python cannot be read."""
    images: dict[str, set[str]] = {}
    for part in PARTS:
        if part.name in ONE_IMAGE:
            for pod in (pod for pod in pods if _belongs(pod, part)):
                images.setdefault(pod["spec"]["containers"][0]["image"], set()).add(part.name)
    if len(images) <= 1:
        return Check("versions", True, f"all of {', '.join(ONE_IMAGE)} run {next(iter(images), 'nothing')}")
    told = "; ".join(f"{', '.join(sorted(names))}: {image}" for image, names in sorted(images.items()))
    return Check("versions", False, f"{told}; give all of them one image and tag, or Ray refuses its clients")


def _secrets(cluster: Cluster, pods: Iterable[Mapping[str, Any]]) -> Iterator[Check]:
    from kubernetes.client import ApiException

    pods = list(pods)
    installed = [part for part in PARTS if any(_belongs(pod, part) for pod in pods)]
    for name in dict.fromkeys(name for part in installed for name in part.secrets):
        part = f"secret {name}"
        with asking(f"Secret {name}"):
            try:
                found = cluster.core.read_namespaced_secret(name, cluster.namespace)
            except ApiException as error:
                if error.status != 404:
                    raise
                yield Check(part, False, "it is missing; run: make secrets")
                continue
        lacking = [key for key in SECRET_KEYS[name] if not (found.data or {}).get(key)]
        if lacking:
            yield Check(
                part, False, f"the key {', '.join(lacking)} is missing or empty; delete it, make secrets"
            )
        else:
            yield Check(part, True, "there, with its keys")


def _volumes(cluster: Cluster) -> Iterator[Check]:
    with asking("PersistentVolumeClaims"):
        claims = cluster.core.list_namespaced_persistent_volume_claim(cluster.namespace).items
    for claim in claims:
        size = (claim.status.capacity or {}).get("storage", "")
        well = claim.status.phase == "Bound"
        found = f"{claim.status.phase}{f', {size}' if size else ''}"
        todo = "; its StorageClass makes no volume: kubectl describe pvc, kubectl get storageclass"
        yield Check(f"volume {claim.metadata.name}", well, found + ("" if well else todo))


def _applications(cluster: Cluster) -> Iterator[Check]:
    from kubernetes.client import ApiException

    with asking("Applications of namespace argocd"):
        try:
            found = cluster.custom.list_namespaced_custom_object(
                "argoproj.io", "v1alpha1", "argocd", "applications"
            )
        except ApiException as error:
            if error.status != 404:
                raise
            return  # no Argo CD: the charts were installed by Helm
    for application in found["items"]:
        status = application.get("status", {})
        sync = status.get("sync", {}).get("status", "Unknown")
        health = status.get("health", {}).get("status", "Unknown")
        well = (sync, health) == ("Synced", "Healthy")
        said = status.get("operationState", {}).get("message", "") or status.get("health", {}).get(
            "message", ""
        )
        todo = f" ({said})" * bool(said) + "; docs/operations.md, 'When something is not green'"
        yield Check(
            f"application {application['metadata']['name']}", well, f"{sync}, {health}{'' if well else todo}"
        )
