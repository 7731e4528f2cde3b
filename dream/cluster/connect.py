"""Connects to Ray: the cluster that RAY_ADDRESS names, or one started on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dream import logs
from dream.cluster.jobs import jobs_address, jobs_versions
from dream.cluster.versions import own_versions, same_versions
from dream.errors import DreamError

# Set in every worker: libraries that call home or print banners are told not to.
QUIET = {
    "RAGAS_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    # A server offers signed addresses of its store, which a client outside the cluster cannot reach.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # nobody reads what they write
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
}

OBJECT_STORE_BYTES = 512 * 1024**2

SECONDS_TO_ANSWER = 5.0

# About one of six valid connections of Ray 2.60's client breaks off with the first, for no reason told. On a
# busy machine one did with the second: it was lost while it was made, and forgotten when it came back.
BROKEN_OFF = ("Starting Ray client server failed", "the Ray client has already been disconnected")


@dataclass(frozen=True)
class Connection:
    """How this process reaches Ray.

    Attributes:
        kind: ``local``, a Ray of this machine that ends with this process; ``client``, through
            ``ray://``; ``cluster``, as one of its machines; ``jobs``, over HTTP: whole verbs are sent
            there and run as jobs, because the client could not connect.
        address: of the cluster; empty where it is local.
        versions: of Ray, Python and DREAM, the same at both ends.
    """

    kind: Literal["local", "client", "cluster", "jobs"]
    address: str = ""
    versions: Mapping[str, str] = field(default_factory=own_versions)

    def __str__(self) -> str:
        """One line: versions, way and address."""
        told = {
            "local": "a Ray of this machine, which ends with this process",
            "client": f"through {self.address}",
            "cluster": f"as a machine of {self.address}",
            "jobs": f"by jobs at {self.address}, as the Ray client cannot connect",
        }
        names = ("Ray", "Python", "dream")
        return f"{', '.join(f'{name} {self.versions[name]}' for name in names)}; {told[self.kind]}"

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>"


_connected: list[Connection] = []  # at most one: Ray itself knows one cluster a process


def connect(address: str | None = None) -> Connection:
    """Connect this process to Ray, once; a second call changes nothing.

    The versions of Ray, Python and DREAM are compared first. Where ``ray://`` does not answer and the
    Jobs API of the same cluster does (port 8265, or RAY_API_SERVER_ADDRESS), the verbs run as jobs there.

    Args:
        address: ``ray://host:10001``, ``http://host:8265`` for jobs, ``host:6379`` or ``auto``;
            RAY_ADDRESS if not given; a Ray of this machine, which ends with this process, if neither is.

    Raises:
        DreamError: the cluster cannot be reached, or its versions are others.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if _connected and (_connected[0].kind == "jobs" or ray.is_initialized()):
        return _connected[0]
    address = address or os.environ.get("RAY_ADDRESS")
    if ray.is_initialized():
        found = Connection("cluster" if address not in (None, "local") else "local", address or "")
    else:
        found = _opened(address)
    _connected[:] = [found]
    return found


def disconnect() -> None:
    """Leave Ray; one of this machine ends. What Ray has still to print it prints now, and nothing later."""
    if _connected:
        import ray

        ray.shutdown()
        _connected.clear()


def _opened(address: str | None) -> Connection:
    import ray

    if not address or address == "local":
        _start_here()
        _hide_token()
        return Connection("local")
    if os.environ.get("RAY_AUTH_TOKEN"):
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # without it Ray ignores the token, and is refused
    if address.startswith(("http://", "https://")):
        return _by_jobs(address)
    try:
        _answers(address)
        _initialise(address)
    except _Unreachable:
        if not address.startswith("ray://") or not (jobs := jobs_address(address)):
            raise
        return _by_jobs(jobs)
    try:
        same_versions(own_versions(), _versions_there(), address)
    except BaseException:
        ray.shutdown()
        raise
    return Connection("client" if address.startswith("ray://") else "cluster", address)


def _start_here() -> None:
    import ray

    for left in (2, 1, 0):
        try:
            with _of_few_parts():
                ray.init(
                    address="local",
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE_BYTES,
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                )
            return
        except Exception as error:
            # Ray gives its own parts 30 seconds, which a busy machine may not keep.
            ray.shutdown()
            if "timed out during startup" not in str(error):
                raise
            if not left:
                what = "Ray did not start within 30 seconds, three times"
                todo = "this machine is too busy: stop what else runs on it, and run again"
                raise DreamError(what, "this machine", todo) from None


@contextlib.contextmanager
def _of_few_parts() -> Iterator[None]:
    """Within it Ray starts without what nobody asks for here, for which `ray.init` has no options.

    Without the monitor, which would start machines, and the reader of logs for a driver that wants none. Its
    agent takes any port: for its own it tries three seconds where another Ray of this machine has it.
    """
    from ray._private import parameter

    whole = parameter.RayParams
    few: dict[str, Any] = {"no_monitor": True, "include_log_monitor": False, "dashboard_agent_listen_port": 0}
    parameter.RayParams = partial(whole, **few)  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        parameter.RayParams = whole  # type: ignore[misc]


def _by_jobs(address: str) -> Connection:
    same_versions(own_versions(), jobs_versions(address), address)
    return Connection("jobs", address)


class _Unreachable(DreamError):
    """Nothing answers, or nothing that lets us in: jobs may still."""


def _initialise(address: str) -> None:
    import ray

    for last in (False, True):
        try:
            ray.init(
                address=address,
                runtime_env={"env_vars": {**QUIET, logs.VARIABLE: os.environ.get(logs.VARIABLE, "warning")}},
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
            return
        except Exception as error:  # Ray raises many kinds, each with a page of text  # noqa: BLE001
            ray.shutdown()
            if not last and any(said in str(error) for said in BROKEN_OFF):
                continue
            raise _told(error, address) from None


def _told(error: Exception, address: str) -> DreamError:
    said = " ".join(str(error).split())
    if "ersion mismatch" in said or "minor versions differ" in said:
        return DreamError(
            f"its Ray or Python is another one ({said[:240]})",
            address,
            "use the image of the cluster here, or bring the cluster to this version",
        )
    todo = "check RAY_ADDRESS, RAY_AUTH_MODE and RAY_AUTH_TOKEN"
    return _Unreachable(f"Ray cannot be reached ({said[:200]})", address, todo)


def _versions_there() -> dict[str, str]:
    """The cluster's versions, told by a task; by value, as it may have no DREAM at all."""
    import ray

    def tell() -> dict[str, str]:
        try:
            from dream.cluster.versions import own_versions
        except ImportError:
            return {"dream": "(none)"}
        return own_versions()

    found: dict[str, str] = ray.get(ray.remote(num_cpus=0)(tell).remote(), timeout=120)
    return found


def _answers(address: str) -> None:
    """Find out in seconds that nothing listens at a cluster's address; Ray itself tries for minutes."""
    if address == "auto":
        return  # Ray looks for one of this machine
    todo = "start the cluster, mend RAY_ADDRESS, or unset it to use a Ray of this machine"
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port or 10001  # the port of Ray's client
    except ValueError:
        host, port = None, 0
    if not host:
        raise DreamError("this is no address of a Ray cluster", address, "write ray://HOST:PORT or HOST:PORT")
    try:
        socket.create_connection((host, port), timeout=SECONDS_TO_ANSWER).close()
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise _Unreachable(f"nothing answers at {host}:{port} ({said})", address, todo) from None


def _hide_token() -> None:
    """Take everybody else's right to read the token that Ray wrote for its clients.

    A umask around Ray's start would do the same, but Ray's workers would inherit it, and what they store
    could be read by nobody else.
    """
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
    with contextlib.suppress(OSError):
        if token.stat().st_uid == os.getuid():
            token.chmod(0o600)
