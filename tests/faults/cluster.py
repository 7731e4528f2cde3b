"""A Ray cluster of several "machines" on this one: raylets that share no lock file and no folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import ray

from tests.servers.process import ServerFailed, free_port
from tests.workers import workers_of

# Ray's own test cluster starts nodes like this; its command line starts half a dozen programs more.
NODE = """
import sys
from ray._private.node import Node
from ray._private.parameter import RayParams

head, address, folder, cpus = sys.argv[1] == "head", sys.argv[2], sys.argv[3], int(sys.argv[4])
where = {"gcs_server_port": int(address.rpartition(":")[2])} if head else {"gcs_address": address}
Node(
    RayParams(
        **where, temp_dir=folder, num_cpus=cpus, num_gpus=0, object_store_memory=150_000_000,
        include_dashboard=False, include_log_monitor=False, no_monitor=True, min_worker_port=0,
        max_worker_port=0, node_manager_port=0, dashboard_agent_listen_port=0,
    ),
    head=head, shutdown_at_exit=True, spawn_reaper=False,
)
sys.stdin.read()  # ends with whoever started it, however that ends
"""


@dataclass
class RayMachines:
    """Raylets that were started here.

    Attributes:
        address: of the head, for RAY_ADDRESS.
        nodes: their processes, the head first.
    """

    address: str
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """What a driver needs to run there."""
        return {**QUIET, "RAY_ADDRESS": self.address}

    def workers(self, name: str, place: int | None = None) -> list[psutil.Process]:
        """Processes of actors and tasks whose titles begin with that name, on all machines or on one."""
        nodes = self.nodes if place is None else [self.nodes[place]]
        return [worker for node in nodes for worker in workers_of(node.pid, name)]

    def kill(self, place: int) -> None:
        """Kill -9 of a machine: its raylet and all its workers at once."""
        with contextlib.suppress(psutil.NoSuchProcess):
            node = psutil.Process(self.nodes[place].pid)
            for process in [node, *node.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        stdin = self.nodes[place].stdin
        if stdin is not None:
            stdin.close()
        self.nodes[place].wait()


@contextlib.contextmanager
def ray_machines(environments: Sequence[Mapping[str, str]], cpus: int = 1) -> Iterator[RayMachines]:
    """Start a head and further raylets, each with an environment and a folder for its files of its own."""
    # not 127.0.0.1, which drivers turn into this machine's own address
    host, port = ray.util.get_node_ip_address(), free_port()
    found = RayMachines(f"{host}:{port}")
    # short, because Ray's sockets lie in it
    folder = Path(tempfile.mkdtemp(prefix="dr", dir="/tmp"))
    try:
        for place, environment in enumerate(environments):
            own = folder / str(place)
            (own / "tmp").mkdir(parents=True)
            words = ["head" if place == 0 else "worker", found.address, str(own / "ray"), str(cpus)]
            command = [sys.executable, "-c", NODE, *words]
            own_env = {**QUIET, **environment, "TMPDIR": str(own / "tmp"), "RAY_TMPDIR": str(own)}
            found.nodes.append(_node(command, own, {**os.environ, **own_env}, found.address, place + 1))
        yield found
    finally:
        for place in range(len(found.nodes)):
            found.kill(place)
        shutil.rmtree(folder, ignore_errors=True)


def _node(
    command: list[str], folder: Path, environment: dict[str, str], address: str, wanted: int
) -> subprocess.Popen[bytes]:
    """Start a node; Ray itself gives a slow machine 30 seconds for that, so it may take several attempts."""
    for _ in range(4):
        with (folder / "log").open("wb") as log:
            node = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while node.poll() is None:
            if _alive(address) >= wanted:
                return node
            time.sleep(0.5)
    raise ServerFailed(f"a Ray node did not start; its log ends:\n{(folder / 'log').read_text()[-3000:]}")


QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


def _alive(address: str) -> int:
    """Nodes of the cluster that are up, asked without joining it."""
    from ray._raylet import GcsClient

    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()  # Ray itself would try for long
        nodes = GcsClient(address=address).get_all_node_info().values()
    except (OSError, ray.exceptions.RayError):
        return 0
    return sum(node.state == 0 for node in nodes)
