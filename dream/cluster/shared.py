"""Whether the cluster's machines see the storage that this process sees."""

from __future__ import annotations

import uuid
from pathlib import Path

from dream.cluster.connect import Connection, connect
from dream.errors import DreamError


def connect_for(storage: str) -> Connection:
    """Connect to Ray, and make sure that its machines see the same storage.

    Raises:
        DreamError: Ray cannot be reached, or the storage is a folder that the cluster does not have.
    """
    connection = connect()
    if connection.kind in ("client", "cluster"):
        same_storage(storage, connection)
    return connection


def same_storage(storage: str, connection: Connection) -> None:
    """Do nothing if they do; a bucket is seen by everyone.

    Raises:
        DreamError: the storage is a folder, and a machine of the cluster does not find in it what this
            process puts there.
    """
    if "://" in storage:
        return
    import ray

    mark = Path(storage, f".seen-{uuid.uuid4().hex}")
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        look = ray.remote(num_cpus=0)(lambda: mark.exists()).options(scheduling_strategy="SPREAD")
        machines = max(1, len([node for node in ray.nodes() if node["Alive"]]))  # type: ignore[no-untyped-call]
        seen = all(ray.get([look.remote() for _ in range(machines)]))
    finally:
        mark.unlink()
    if not seen:
        what = "the cluster's machines do not see this folder"
        raise DreamError(
            what, storage, f"set DREAM_STORAGE=s3://bucket/prefix, as Ray is {connection.address}"
        )
