"""The test cluster's programs (Helm, kubectl, kubeadm, MinIO, crane …), unpacked once on a machine."""

from __future__ import annotations

import fcntl
import functools
import subprocess
import tempfile
from pathlib import Path

CLUSTER = Path(__file__).parents[3] / "shared" / "cluster" / "cluster"


@functools.cache
def cluster_programs() -> Path | None:
    """Their folder; ``None`` on a machine that has no test cluster.

    The first call on a machine unpacks for a minute. Two test processes that did so at once would move each
    other's half-written files, so one waits for the other.
    """
    if not CLUSTER.exists():
        return None
    with (Path(tempfile.gettempdir()) / "dream-test-cluster-tools.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        shown = subprocess.run(
            [CLUSTER, "tools"], capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL
        )
    if shown.returncode != 0:
        raise RuntimeError(f"{CLUSTER} tools ended with {shown.returncode}: {shown.stderr.strip()}")
    return Path(shown.stdout.split()[-1])
