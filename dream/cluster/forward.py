"""Ports of the platform on this machine, for as long as somebody needs them."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dream.cluster.access import Cluster, asking
from dream.cluster.parts import PARTS
from dream.errors import DreamError

SECONDS_TO_OPEN = 20.0

# What a laptop needs; the database is for MLflow alone.
WANTED = ("dream-ray", "minio", "mlflow", "jupyter")


@dataclass(frozen=True)
class Forwarded:
    """One port of the platform as this machine sees it.

    Attributes:
        what: what answers there.
        service: the Service behind it.
        port: the Service's port.
        local: the port on 127.0.0.1.
    """

    what: str
    service: str
    port: int
    local: int


@contextlib.contextmanager
def forward(
    cluster: Cluster, ports: Mapping[str, tuple[int, ...]] | None = None
) -> Iterator[list[Forwarded]]:
    """Forward the platform's ports to this machine until the block ends; lost ones are opened again.

    A port keeps its number where that is free here.

    Args:
        cluster: the platform's.
        ports: Services and their ports; those of ``WANTED`` parts that are installed if not given.

    Raises:
        DreamError: kubectl is missing, or a port cannot be opened.
    """
    program = shutil.which("kubectl")
    if program is None:
        raise DreamError("kubectl is not installed", "PATH", "install it; it forwards the ports")
    if ports is None:
        ports = wanted_ports(cluster)
    opened = [
        Forwarded(_named(service, port), service, port, _free(port))
        for service, each in ports.items()
        for port in each
    ]
    ended = threading.Event()
    threads = [
        threading.Thread(target=_keep, args=(_command(program, cluster, each), ended), daemon=True)
        for each in opened
    ]
    for thread in threads:
        thread.start()
    try:
        for each in opened:
            _wait(each)
        yield opened
    finally:
        ended.set()
        for thread in threads:
            thread.join(timeout=5)


def wanted_ports(cluster: Cluster) -> dict[str, tuple[int, ...]]:
    """The Services that a laptop needs and that are there, with their ports."""
    with asking(f"Services of namespace {cluster.namespace}"):
        there = {each.metadata.name for each in cluster.core.list_namespaced_service(cluster.namespace).items}
    found = {
        part.service: tuple(part.ports) for part in PARTS if part.name in WANTED and part.service in there
    }
    if not found:
        where = f"namespace {cluster.namespace}"
        raise DreamError("the platform is not there", where, "name its namespace with --namespace")
    return found


def exports(opened: list[Forwarded], namespace: str) -> list[str]:
    """Lines for a shell that point DREAM to the forwarded ports; secrets stay in the cluster until run.

    >>> exports([Forwarded("MLflow", "mlflow", 5000, 5001)], "dream")
    ['export MLFLOW_TRACKING_URI=http://127.0.0.1:5001']
    """

    def secret(name: str, key: str) -> str:
        path = f"{{.data.{key}}}"
        return f"$(kubectl -n {namespace} get secret {name} -o jsonpath='{path}' | base64 -d)"

    local = {(each.service, each.port): each.local for each in opened}
    lines = []
    if port := local.get(("dream-ray-head", 10001)):
        lines += [f"export RAY_ADDRESS=ray://127.0.0.1:{port} RAY_AUTH_MODE=token"]
        lines += [f"export RAY_AUTH_TOKEN={secret('dream-ray-auth', 'auth_token')}"]
    if port := local.get(("dream-ray-head", 8265)):
        lines += [f"export RAY_API_SERVER_ADDRESS=http://127.0.0.1:{port}"]
    if port := local.get(("minio", 9000)):
        lines += [f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port} DREAM_STORAGE=s3://dream/ledger"]
        lines += [
            f"export {key}={secret('dream-s3', key)}"
            for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        ]
    if port := local.get(("mlflow", 5000)):
        lines += [f"export MLFLOW_TRACKING_URI=http://127.0.0.1:{port}"]
    return lines


def _named(service: str, port: int) -> str:
    known = {part.service: part.ports for part in PARTS}
    return known.get(service, {}).get(port, service)


def _free(port: int) -> int:
    """The port, if nobody on this machine has it; else one that is free."""
    for wanted in (port, 0):
        with socket.socket() as looking, contextlib.suppress(OSError):
            looking.bind(("127.0.0.1", wanted))
            return int(looking.getsockname()[1])
    raise DreamError("no port is free", "127.0.0.1", "end some programs")


def _command(program: str, cluster: Cluster, each: Forwarded) -> list[str]:
    context = ["--context", cluster.context] if cluster.context else []
    where = [f"service/{each.service}", f"{each.local}:{each.port}", "--address", "127.0.0.1"]
    return [program, *context, "--namespace", cluster.namespace, "port-forward", *where]


def _keep(command: list[str], ended: threading.Event) -> None:
    """Run the command until the end, again and again: it ends with each Pod that it was connected to."""
    while not ended.is_set():
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            while running.poll() is None and not ended.wait(0.2):
                pass
            running.terminate()
        ended.wait(1.0)


def _wait(each: Forwarded) -> None:
    deadline = time.monotonic() + SECONDS_TO_OPEN
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", each.local), timeout=1):
            return
        time.sleep(0.1)
    what = f"its port {each.port} cannot be forwarded"
    raise DreamError(what, f"service {each.service}", "see: dream doctor --cluster")
