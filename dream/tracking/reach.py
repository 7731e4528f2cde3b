"""Whether anything answers at a tracking address, found out in seconds; MLflow itself tries for minutes."""

from __future__ import annotations

import contextlib
import sqlite3
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from dream.errors import DreamError
from dream.tracking.address import Address, without_secrets

SECONDS_TO_ANSWER = 10


def reach(address: Address) -> None:
    """Ask the server for its health, or open the database.

    Raises:
        DreamError: nothing answers, or the database cannot be opened.

    >>> reach(Address("sqlite:////no/such/folder/mlflow.db", ""))
    Traceback (most recent call last):
        ...
    dream.errors.DreamError: MLFLOW_TRACKING_URI: the database cannot be opened (OperationalError: ...
    """
    if address.store.startswith("http"):
        _answers(address)
        return
    try:
        _open(address.store)
    except Exception as error:  # each driver has its own kinds  # noqa: BLE001
        said = without_secrets(str(error).strip().partition("\n")[0])
        raise DreamError(
            f"the database cannot be opened ({type(error).__name__}: {said})",
            where="MLFLOW_TRACKING_URI",
            todo="start it, mend the address, or unset it to use an SQLite file",
        ) from None


def _answers(address: Address) -> None:
    try:
        urllib.request.urlopen(f"{address.pages}/health", timeout=SECONDS_TO_ANSWER).close()
    except urllib.error.HTTPError:
        return  # something answers, and MLflow will say what is wrong
    except OSError as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLError):
            return  # MLflow has its own settings for certificates
        raise DreamError(
            f"no MLflow server answers ({getattr(error, 'reason', error)})",
            where=address.pages,
            todo="start it, or unset MLFLOW_TRACKING_URI to use an SQLite file",
        ) from None


def _open(store: str) -> None:
    if store.startswith("sqlite:///"):
        file = Path(store.removeprefix("sqlite:///"))
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA schema_version")  # reads the file, which SELECT 1 does not
        return
    import sqlalchemy

    limited = {"connect_timeout": SECONDS_TO_ANSWER} if store.startswith(("postgresql", "mysql")) else {}
    engine = sqlalchemy.create_engine(store, poolclass=sqlalchemy.NullPool, connect_args=limited)
    engine.connect().close()
