"""Replacing one secret without losing data, safe to interrupt and run again at any moment.

The order is always: the new value into the Secret, then the server that must accept it, then its clients.
While that goes on the Secret carries a mark; a run that finds the mark finishes the former rotation with the
value that is there, and makes no other. No value is ever held only by this process.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from dream.cluster.access import Cluster, asking
from dream.errors import DreamError
from infra.secrets.catalogue import KINDS
from infra.secrets.cluster import read_secret
from infra.secrets.workloads import readers, restart_all

ROTATING = "dream.dev/rotating-since"
RETIRING = "dream.dev/retiring-access-key"
SETUP = "minio-setup"


def rotate(cluster: Cluster, name: str) -> Iterator[str]:
    """Replace a secret's random values and restart what reads them.

    Args:
        cluster: where it lies.
        name: one of ``KINDS``.

    Yields:
        one line for each step done.

    Raises:
        DreamError: there is no such secret, or a step failed; running it again goes on from there.
    """
    if name not in KINDS:
        raise DreamError(f"no secret is called {name!r}", "--rotate", f"use one of {', '.join(KINDS)}")
    secret = read_secret(cluster, name)
    if secret is None:
        raise DreamError(
            "it does not exist", f"Secret {name} in {cluster.namespace}", "run `make secrets` first"
        )
    if name == "dream-s3":
        _need_setup(cluster)
    retiring = _replace(cluster, name, secret)
    yield "finishing a rotation that was interrupted" if retiring is None else "new values are in the Secret"

    if name == "dream-s3":
        # First the new user beside the former one; then the clients, none of them locked out.
        _run_setup(cluster)
        yield "the store knows the new user"
    for workload in restart_all(cluster, name):
        yield f"restarted {workload}"
    if name == "dream-minio":
        _run_setup_if_any(cluster)
        yield "the store's root lets in, buckets and application user are checked"
    if name == "dream-s3":
        marked = read_secret(cluster, name)
        former = (marked.metadata.annotations or {}).get(RETIRING, "") if marked else ""
        _run_setup(cluster, retire=former)
        yield "the store has forgotten the former user"
    _unmark(cluster, name)
    yield "done"


def restarted_by(cluster: Cluster, name: str) -> list[str]:
    """What a rotation would restart, in its order."""
    return [str(workload) for workload in readers(cluster, name)]


def _replace(cluster: Cluster, name: str, secret: Any) -> str | None:
    """Put new values and the mark into the Secret in one request; None if the mark was there already."""
    annotations = secret.metadata.annotations or {}
    if ROTATING in annotations:
        return None
    former = base64.b64decode((secret.data or {}).get("AWS_ACCESS_KEY_ID", "")).decode()
    marks = {ROTATING: datetime.now(UTC).isoformat(timespec="seconds")}
    if name == "dream-s3":
        marks[RETIRING] = former  # a user's name, not its password
    body = {
        # A Secret that somebody else changed meanwhile is not overwritten: the API server answers 409.
        "metadata": {
            "resourceVersion": secret.metadata.resource_version,
            "annotations": marks,
            "labels": dict(KINDS[name].labels),
        },
        "stringData": KINDS[name].renewed(),
    }
    with asking(f"Secret {name}"):
        cluster.core.patch_namespaced_secret(name, cluster.namespace, body, field_manager="make-secrets")
    return former


def _unmark(cluster: Cluster, name: str) -> None:
    body = {"metadata": {"annotations": {ROTATING: None, RETIRING: None}}}
    with asking(f"Secret {name}"):
        cluster.core.patch_namespaced_secret(name, cluster.namespace, body, field_manager="make-secrets")


def _setup(cluster: Cluster) -> Any | None:
    with asking(f"CronJob {SETUP}"):
        items = cluster.batch.list_namespaced_cron_job(
            cluster.namespace, field_selector=f"metadata.name={SETUP}"
        ).items
    return items[0] if items else None


def _need_setup(cluster: Cluster) -> None:
    if _setup(cluster) is None:
        raise DreamError(
            f"there is no CronJob {SETUP} that could tell a store of the new keys",
            f"namespace {cluster.namespace}",
            "with a store outside of the cluster make new keys there, write them into dream-s3, "
            "and run `kubectl rollout restart` for what reads it",
        )


def _run_setup_if_any(cluster: Cluster) -> None:
    if _setup(cluster) is not None:
        _run_setup(cluster)


def _run_setup(cluster: Cluster, retire: str = "", seconds: float = 660) -> None:
    """Run the MinIO chart's set-up once more and wait for it.

    Args:
        cluster: where it lies.
        retire: access key of a user to remove.
        seconds: how long to wait; a little more than the Job gives itself.

    Raises:
        DreamError: it failed, or took too long.
    """
    cron = _setup(cluster)
    assert cron is not None
    template = cluster.plain(cron)["spec"]["jobTemplate"]
    name = f"{SETUP}-{uuid.uuid4().hex[:8]}"
    for variable in template["spec"]["template"]["spec"]["containers"][0]["env"]:
        if variable["name"] == "RETIRED_ACCESS_KEY":
            variable["value"] = retire
    body = {
        "metadata": {"name": name, "labels": template["metadata"].get("labels", {})},
        "spec": template["spec"],
    }
    limit = time.monotonic() + seconds
    with asking(f"Job {name}"):
        cluster.batch.create_namespaced_job(cluster.namespace, body)
        while True:
            status = cluster.batch.read_namespaced_job_status(name, cluster.namespace).status
            ended = {it.type for it in (status.conditions or []) if it.status == "True"}
            if "Complete" in ended:
                return
            if "Failed" in ended or time.monotonic() > limit:
                raise DreamError(
                    "the set-up of the store failed" if "Failed" in ended else "it did not end in time",
                    f"job/{name}",
                    f"read `kubectl -n {cluster.namespace} logs job/{name}`, then run the rotation again",
                )
            time.sleep(1)
