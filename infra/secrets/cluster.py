"""The few things asked of the cluster, with errors that a person can act upon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dream.errors import DreamError

LABELS = {"app.kubernetes.io/part-of": "dream", "app.kubernetes.io/managed-by": "make-secrets"}


@dataclass(frozen=True)
class Cluster:
    """A namespace of a cluster.

    Attributes:
        client: an ApiClient of the package ``kubernetes``.
        namespace: where the platform lives.
    """

    client: Any = field(repr=False)
    namespace: str

    @property
    def core(self) -> Any:
        """Pods, Secrets, namespaces."""
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self.client)

    @property
    def apps(self) -> Any:
        """Deployments and StatefulSets."""
        from kubernetes.client import AppsV1Api

        return AppsV1Api(self.client)

    @property
    def batch(self) -> Any:
        """Jobs and CronJobs."""
        from kubernetes.client import BatchV1Api

        return BatchV1Api(self.client)

    def plain(self, thing: Any) -> Any:
        """An object of the client as the JSON that the API server would show."""
        return self.client.sanitize_for_serialization(thing)


def connect(namespace: str, context: str | None = None) -> Cluster:
    """The cluster of the current kubeconfig, or of one of its contexts.

    Raises:
        DreamError: there is no kubeconfig, or it has no such context.
    """
    from kubernetes import config

    try:
        client = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise DreamError(
            f"no cluster to talk to ({error})", "kubeconfig", "set KUBECONFIG, or pass --context"
        ) from None
    return Cluster(client, namespace)


@contextlib.contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what the client raises into one sentence.

    Without the answer's body, which may repeat what was sent.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        todo = "ask for the right to do so" if error.status == 403 else "look at the API server's events"
        raise DreamError(f"the API server answered {error.status} {error.reason}", what, todo) from None
    except HTTPError as error:
        raise DreamError(
            f"the API server does not answer ({type(error).__name__})", what, "check `kubectl cluster-info`"
        ) from None


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
