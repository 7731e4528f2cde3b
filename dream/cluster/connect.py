"""Connects to Ray: the cluster that RAY_ADDRESS names, or one started on this machine."""

from __future__ import annotations

import logging
import os

from dream.errors import DreamError

# Set in every worker: libraries that call home or print banners are told not to.
QUIET = {
    "RAGAS_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # nobody reads what they write
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
}

OBJECT_STORE_BYTES = 512 * 1024**2


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
        mask = os.umask(0o077)  # Ray writes its token for all to read otherwise
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        finally:
            os.umask(mask)
        return "local"
    try:
        ray.init(
            address=address, runtime_env={"env_vars": QUIET}, logging_level=logging.ERROR, log_to_driver=False
        )
    except Exception as error:  # Ray raises many kinds, each with a page of text  # noqa: BLE001
        what = " ".join(str(error).split())[:200]
        todo = "check RAY_ADDRESS, RAY_AUTH_MODE and RAY_AUTH_TOKEN"
        raise DreamError(f"Ray cannot be reached ({what})", address, todo) from None
    return address
