"""Finds the Pods in any resource, and says what in them Pod Security's `restricted` level refuses.

The rules are those of the Pod Security Standards, and a few of our own on top, marked so below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PodSpec = Mapping[str, Any]
Container = Mapping[str, Any]

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def pod_specs(resource: object, path: str = "") -> Iterator[tuple[str, PodSpec]]:
    """Every Pod that a resource would make, with the path to it.

    By shape and not by kind, so that a RayCluster's groups are found as a Deployment's template is.

    >>> [path for path, _ in pod_specs({"spec": {"template": {"spec": {"containers": []}}}})]
    ['.spec.template.spec']
    """
    if isinstance(resource, Mapping):
        if isinstance(resource.get("containers"), list):
            yield path, resource
            return
        for key, value in resource.items():
            yield from pod_specs(value, f"{path}.{key}")
    elif isinstance(resource, Sequence) and not isinstance(resource, str):
        for number, value in enumerate(resource):
            yield from pod_specs(value, f"{path}[{number}]")


def containers(pod: PodSpec) -> list[Container]:
    return [*pod["containers"], *pod.get("initContainers", []), *pod.get("ephemeralContainers", [])]


def refused(pod: PodSpec) -> list[str]:
    """What `restricted` refuses in a Pod, one sentence each; empty when nothing.

    >>> refused({"containers": [{"name": "web"}], "hostNetwork": True})[0]
    'hostNetwork is set'
    """
    found = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes", []):
        if kinds := set(volume) - {"name"} - VOLUMES:
            found.append(f"volume {volume['name']}: {', '.join(kinds)} is not among the allowed kinds")
    whole = pod.get("securityContext") or {}
    for container in containers(pod):
        own = container.get("securityContext") or {}
        found += [
            f"container {container['name']}: {wrong}" for wrong in _refused_container(container, own, whole)
        ]
    return found


def _refused_container(
    container: Container, own: Mapping[str, Any], whole: Mapping[str, Any]
) -> Iterator[str]:
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities: ALL is not dropped"
    if added := set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"capabilities: {', '.join(added)} added"
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if own.get("runAsUser", whole.get("runAsUser")) == 0:
        yield "runAsUser is 0"
    profile = (own.get("seccompProfile") or whole.get("seccompProfile") or {}).get("type")
    if profile not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile is neither RuntimeDefault nor Localhost"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "hostPort is set"


def careless(pod: PodSpec) -> list[str]:
    """What we ask of a Pod beyond `restricted`, one sentence each."""
    found = []
    if "automountServiceAccountToken" not in pod:
        found.append("automountServiceAccountToken is left to the default, which is yes")
    if pod.get("serviceAccountName", "default") == "default":
        found.append("it runs as the namespace's default ServiceAccount")
    for container in containers(pod):
        name, own = container["name"], container.get("securityContext") or {}
        if own.get("readOnlyRootFilesystem") is not True:
            found.append(f"container {name}: readOnlyRootFilesystem is not true")
        resources = container.get("resources") or {}
        for kind, what in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
            if what not in (resources.get(kind) or {}):
                found.append(f"container {name}: resources.{kind}.{what} is not set")
    return found


def images(resource: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every image that a resource names, with the path to it: ``image`` and CloudNativePG's ``imageName``."""
    if isinstance(resource, Mapping):
        for key, value in resource.items():
            if key in ("image", "imageName") and isinstance(value, str):
                yield f"{path}.{key}", value
            else:
                yield from images(value, f"{path}.{key}")
    elif isinstance(resource, Sequence) and not isinstance(resource, str):
        for number, value in enumerate(resource):
            yield from images(value, f"{path}[{number}]")
