"""Secrets and the namespace, as the cluster holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dream.cluster.access import Cluster, asking

LABELS = {"app.kubernetes.io/part-of": "dream", "app.kubernetes.io/managed-by": "make-secrets"}


def read_secret(cluster: Cluster, name: str) -> Any | None:
    """A Secret, or None where there is none."""
    from kubernetes.client import ApiException

    with asking(f"Secret {name}"):
        try:
            return cluster.core.read_namespaced_secret(name, cluster.namespace)
        except ApiException as error:
            if error.status == 404:
                return None
            raise


def make_namespace(cluster: Cluster) -> bool:
    """Make the namespace, with Pod Security at its strictest; False where it exists already."""
    body = {
        "metadata": {
            "name": cluster.namespace,
            "labels": {
                "app.kubernetes.io/part-of": "dream",
                "pod-security.kubernetes.io/enforce": "restricted",
            },
        }
    }
    return _created(f"namespace {cluster.namespace}", cluster.core.create_namespace, body)


def make_secret(
    cluster: Cluster, name: str, values: Mapping[str, str], type_: str, labels: Mapping[str, str]
) -> bool:
    """Make a Secret; False where one of that name exists, which then stays as it is.

    The API server decides, not a look beforehand: of two runs at once, one makes it and the other leaves it.
    """
    body = {
        "metadata": {"name": name, "labels": {**LABELS, **labels}},
        "type": type_,
        "stringData": dict(values),
    }
    return _created(
        f"Secret {name}",
        lambda it: cluster.core.create_namespaced_secret(cluster.namespace, it, field_manager="make-secrets"),
        body,
    )


def _created(what: str, create: Any, body: Mapping[str, Any]) -> bool:
    from kubernetes.client import ApiException

    with asking(what):
        try:
            create(body)
        except ApiException as error:
            if error.status == 409:
                return False
            raise
    return True
