"""The way to a namespace of a Kubernetes cluster, with errors that a person can act upon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dream.errors import DreamError

NAMESPACE = "dream"


@dataclass(frozen=True)
class Cluster:
    """A namespace of a cluster.

    Attributes:
        client: an ApiClient of the package ``kubernetes``.
        namespace: where the platform lives.
        context: of the kubeconfig, for programs that are called beside; ``None`` for the current one.
    """

    client: Any = field(repr=False)
    namespace: str
    context: str | None = None

    @property
    def core(self) -> Any:
        """Pods, Secrets, volumes, namespaces."""
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

    @property
    def custom(self) -> Any:
        """Resources of operators."""
        from kubernetes.client import CustomObjectsApi

        return CustomObjectsApi(self.client)

    def plain(self, thing: Any) -> Any:
        """An object of the client as the JSON that the API server would show."""
        return self.client.sanitize_for_serialization(thing)


def open_cluster(namespace: str = NAMESPACE, context: str | None = None) -> Cluster:
    """The cluster of the current kubeconfig or of one of its contexts; inside a Pod, the Pod's own.

    Raises:
        DreamError: there is no kubeconfig, or it has no such context.
    """
    from kubernetes import client, config

    try:
        return Cluster(config.new_client_from_config(context=context), namespace, context)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        if context is None:
            with contextlib.suppress(config.ConfigException):
                settings = client.Configuration()
                config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
                return Cluster(client.ApiClient(settings), namespace)
        raise DreamError(
            f"no cluster to talk to ({error})", "kubeconfig", "set KUBECONFIG, or pass --context"
        ) from None


@contextlib.contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what the client raises into one sentence.

    Without the answer's body, which may repeat what was sent.

    Raises:
        DreamError: the API server refused, or does not answer.
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
