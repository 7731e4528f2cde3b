"""MLflow's client, which says nothing to the terminal, and is made ready before it is needed."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dream.claims import claims_beside
from dream.storage import open_storage
from dream.tracking.address import Address, address_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


def open_client(address: Address) -> MlflowClient:
    """A client for that address; an empty database gets its tables."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=address.store)


def make_ready(tracking_uri: str | None, folder: Path) -> None:
    """Import MLflow, and make the SQLite file if results will go to one that is not there yet.

    To be called while a sweep waits for its models: both together take ten seconds. What cannot be done is
    left to ``log_result``, which says why.

    Args:
        tracking_uri: as given to ``log_result``.
        folder: as given to ``log_result``.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # MLflow reads it when it is imported
    try:
        import mlflow.tracking  # noqa: F401

        store = address_of(tracking_uri, folder).store
        if store.startswith("sqlite:///"):
            with claims_beside(open_storage(folder)).hold("mlflow"), quietly():
                _make(Path(store.removeprefix("sqlite:///")))
    except Exception as error:  # noqa: BLE001 - of any kind, as in log_result
        log.info("MLflow was not made ready: %s", type(error).__name__)


def _make(database: Path) -> None:
    """Make a database that gets its name when it is whole, whenever this process is killed."""
    if database.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with tempfile.TemporaryDirectory(prefix=".mlflow-", dir=database.parent) as folder:
        new = Path(folder, database.name)
        SqlAlchemyStore(f"sqlite:///{new}", "mlruns").engine.dispose()  # type: ignore[no-untyped-call]
        if not database.exists():
            new.replace(database)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep MLflow from announcing a new database, and from printing an address, password and all, per run."""
    key = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
    logger, before = logging.getLogger("mlflow.store.db.utils"), os.environ.get(key)
    level = logger.level
    logger.setLevel(logging.WARNING)
    os.environ[key] = "true"
    try:
        yield
    finally:
        logger.setLevel(level)
        if before is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = before
