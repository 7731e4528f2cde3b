"""A real Ray cluster as a process of its own, with token auth: what ``ray://`` and Jobs connect to."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.process import ServerFailed, free_port, new_secret, own_folder, running

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class RayCluster:
    """A cluster of one machine that is up.

    Attributes:
        client: address for the Ray client, ``ray://127.0.0.1:…``.
        jobs: address of the Jobs API.
        metrics: address of what Prometheus reads.
        token: what both of the first ask for.
    """

    client: str
    jobs: str
    metrics: str
    token: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        """What a driver needs to be let in."""
        return {"RAY_ADDRESS": self.client, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}


@contextlib.contextmanager
def ray_cluster(environment: Mapping[str, str], cpus: int = 2) -> Iterator[RayCluster]:
    """Start a Ray head; ``environment`` is what the cluster's pods would have, such as S3's keys.

    Ray gives its own parts 30 seconds to start, which a busy machine may not keep: it is tried again.
    """
    for last in (False, False, True):
        with contextlib.ExitStack() as opened:
            try:
                cluster = opened.enter_context(_one(environment, cpus))
            except ServerFailed:
                if last:
                    raise
                continue
            yield cluster
            return


@contextlib.contextmanager
def _one(environment: Mapping[str, str], cpus: int) -> Iterator[RayCluster]:
    token, gcs, client, dashboard = new_secret(), free_port(), free_port(), free_port()
    metrics = free_port()
    settings = {
        "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_USAGE_STATS_ENABLED": "0",
        "GRPC_ENABLE_FORK_SUPPORT": "false",  # as charts/dream-ray sets it
        **environment,
    }
    programs = Path(sys.executable).parent
    settings["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    with own_folder("ray") as folder:
        settings["HOME"] = str(folder)  # Ray writes the token there
        (folder / ".cache").symlink_to(Path("~/.cache").expanduser())  # MiniLM's graph, built once
        command = [
            programs / "ray", "start", "--head", "--block", "--disable-usage-stats",
            "--node-ip-address=127.0.0.1", f"--port={gcs}", f"--ray-client-server-port={client}",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", f"--num-cpus={cpus}",
            f"--object-store-memory={256 * 1024**2}", f"--temp-dir={folder}/r",
            f"--metrics-export-port={metrics}", f"--dashboard-agent-listen-port={free_port()}",
        ]  # fmt: skip
        with running(
            command, settings, folder, lambda: _listens(client) and _listens(dashboard), [token], seconds=150
        ):
            urls = [f"http://127.0.0.1:{dashboard}", f"http://127.0.0.1:{metrics}/metrics"]
            yield RayCluster(f"ray://127.0.0.1:{client}", *urls, token)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
