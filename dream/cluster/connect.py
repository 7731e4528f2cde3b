"""Connects to Ray: the cluster that RAY_ADDRESS names, or one started on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from dream.errors import DreamError

# Set in every worker: libraries that call home or print banners are told not to.
QUIET = {
    "RAGAS_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
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


def connect(address: str | None = None) -> str:
    """Connect this process to Ray, once; a second call changes nothing.

    Args:
        address: ``ray://host:10001``, ``host:6379`` or ``auto``; RAY_ADDRESS if not given; a Ray of this
            machine, which ends with this process, if neither is.

    Returns:
        The address, or ``local``.

    Raises:
        DreamError: the cluster cannot be reached.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        return "connected"
    address = address or os.environ.get("RAY_ADDRESS")
    if not address or address == "local":
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
        _hide_token()
        return "local"
    _answers(address)
    try:
        ray.init(
            address=address, runtime_env={"env_vars": QUIET}, logging_level=logging.ERROR, log_to_driver=False
        )
    except Exception as error:  # Ray raises many kinds, each with a page of text  # noqa: BLE001
        what = " ".join(str(error).split())[:200]
        todo = "check RAY_ADDRESS, RAY_AUTH_MODE and RAY_AUTH_TOKEN"
        raise DreamError(f"Ray cannot be reached ({what})", address, todo) from None
    return address


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
        raise DreamError(f"nothing answers at {host}:{port} ({said})", address, todo) from None


def _hide_token() -> None:
    """Take everybody else's right to read the token that Ray wrote for its clients.

    A umask around Ray's start would do the same, but Ray's workers would inherit it, and what they store
    could be read by nobody else.
    """
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
    with contextlib.suppress(OSError):
        if token.stat().st_uid == os.getuid():
            token.chmod(0o600)
