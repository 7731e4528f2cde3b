"""Runs a study on the cluster without this machine: as a RayJob, or by the Jobs API where no operator is."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from dream.cluster.access import Cluster, asking, open_cluster
from dream.cluster.forward import forward
from dream.cluster.jobs import (
    JOBS_PORT,
    SECONDS_BETWEEN_LOOKS,
    jobs_client,
    jobs_versions,
    named_address,
    start_job,
)
from dream.cluster.packed import command_line, send_study
from dream.cluster.versions import own_versions, same_versions
from dream.errors import DreamError
from dream.records import digest_of
from dream.study import Study

RAY_CLUSTER = "dream-ray"

PREFIX = "dream-"

SECONDS_TO_BEGIN = 300.0


@contextlib.contextmanager
def jobs_api(cluster: Cluster | None) -> Iterator[Any]:
    """A client of the Jobs API: of RAY_API_SERVER_ADDRESS, beside RAY_ADDRESS, or through a forwarded port.

    Args:
        cluster: the platform's, if there is a kubeconfig; its token opens its own forwarded port only.

    Raises:
        DreamError: no Jobs API can be reached, or its Ray is another one.
    """
    with contextlib.ExitStack() as opened:
        address = named_address(os.environ.get("RAY_ADDRESS", ""))
        if not address:
            if cluster is None:
                todo = "set RAY_API_SERVER_ADDRESS, or KUBECONFIG to the platform's cluster"
                raise DreamError("no cluster to submit to", "RAY_API_SERVER_ADDRESS", todo)
            ports = opened.enter_context(forward(cluster, {f"{RAY_CLUSTER}-head": (JOBS_PORT,)}))
            address = f"http://127.0.0.1:{ports[0].local}"
            # Only there: an address that the user names may be of another cluster, which must not see it.
            if not os.environ.get("RAY_AUTH_TOKEN"):
                os.environ["RAY_AUTH_TOKEN"] = _token(cluster)
        if os.environ.get("RAY_AUTH_TOKEN"):
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        same_versions(own_versions(), jobs_versions(address), address)
        yield jobs_client(address)


def find_cluster(namespace: str, context: str | None = None) -> Cluster | None:
    """The platform's cluster, or ``None`` where no kubeconfig leads to one.

    An address that the user names may be of another cluster, so the kubeconfig's is not asked then.
    """
    if context is None and named_address(os.environ.get("RAY_ADDRESS", "")):
        return None
    try:
        return open_cluster(namespace, context)
    except DreamError:
        if context is not None:
            raise
        return None


def submit(study: Study, storage: str, cluster: Cluster | None, client: Any) -> str:
    """Start the study on the cluster, unless it is under way there already; gives the job's name.

    Args:
        study: its documents must lie where the cluster sees them; question files and modules go along.
        storage: address of the ledger; the study travels through it.
        cluster: where a RayJob is made, if KubeRay serves it.
        client: of the Jobs API.

    Raises:
        DreamError: the storage is a folder of this machine, or the cluster refuses the job.
    """
    line = command_line(storage, send_study(study, storage), ["run"])
    base = f"{PREFIX}{study.name}".lower().replace("_", "-").replace(".", "-")[:40].rstrip("-")
    base = f"{base}-{digest_of([line, study.name])[:8]}"
    if name := running(client, base):
        return name
    name = f"{base}-{int(time.time())}"
    if cluster is not None and has_operator(cluster):
        with asking(f"RayJob {name}"):
            cluster.custom.create_namespaced_custom_object(
                "ray.io", "v1", cluster.namespace, "rayjobs", ray_job(name, line)
            )
        _wait_for(client, name)
    else:
        start_job(client, name, line)
    return name


def ray_job(name: str, line: str) -> dict[str, Any]:
    """A RayJob on the platform's own Ray cluster, to be shown by ``kubectl get rayjobs``.

    >>> job = ray_job("dream-mine-1", "python -m dream.cli run study.yaml")
    >>> job["spec"]["clusterSelector"], job["spec"]["jobId"]
    ({'ray.io/cluster': 'dream-ray'}, 'dream-mine-1')
    """
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "dream", "dream.dev/job": "true"}},
        "spec": {
            "entrypoint": line,
            "jobId": name,
            # The operator speaks to the dashboard itself: no further Pod with an image and a token.
            "submissionMode": "HTTPMode",
            "clusterSelector": {"ray.io/cluster": RAY_CLUSTER},
            # The head has no CPUs for work; this one only waits.
            "entrypointNumCpus": 0,
        },
    }


def has_operator(cluster: Cluster) -> bool:
    """Whether the platform's Ray is a RayCluster that KubeRay looks after."""
    from kubernetes.client import ApiException

    with asking(f"RayCluster {RAY_CLUSTER}"):
        try:
            found = cluster.custom.get_namespaced_custom_object(
                "ray.io", "v1", cluster.namespace, "rayclusters", RAY_CLUSTER
            )
        except ApiException as error:
            if error.status in (403, 404):
                return False
            raise
    return bool(found.get("status"))


def running(client: Any, base: str = PREFIX) -> str | None:
    """The newest job of that name that has not ended."""
    jobs = [
        job
        for job in client.list_jobs()
        if (job.submission_id or "").startswith(base) and not job.status.is_terminal()
    ]
    return max(jobs, key=lambda job: job.start_time or 0).submission_id if jobs else None


def follow(client: Any, name: str, show: Callable[[str], None]) -> int:
    """Show a job's log until it ends; gives its exit code. Whoever stops looking leaves the job alone.

    Args:
        client: of the Jobs API.
        name: from ``submit``.
        show: takes pieces of the log.

    Raises:
        DreamError: there is no such job.
    """
    seen = 0
    while True:
        try:
            ended = client.get_job_status(name).is_terminal()  # first: what was logged until then is whole
            log = client.get_job_logs(name)
        except RuntimeError as error:
            if "404" not in str(error) and "not found" not in str(error).lower():
                raise
            raise DreamError("there is no such job", name, "see: ray job list") from None
        if log[seen:]:
            show(log[seen:])
            seen = len(log)
        if ended:
            code = client.get_job_info(name).driver_exit_code
            return 1 if code is None else int(code)
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _wait_for(client: Any, name: str) -> None:
    """Wait until the operator has handed the RayJob to Ray."""
    deadline = time.monotonic() + SECONDS_TO_BEGIN
    while time.monotonic() < deadline:
        with contextlib.suppress(RuntimeError):
            client.get_job_status(name)
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise DreamError("Ray has not been given the job", f"RayJob {name}", f"kubectl describe rayjob {name}")


def _token(cluster: Cluster) -> str:
    import base64

    with asking("Secret dream-ray-auth"):
        secret = cluster.core.read_namespaced_secret("dream-ray-auth", cluster.namespace)
    return base64.b64decode(secret.data["auth_token"]).decode()
