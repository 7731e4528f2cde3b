"""Where results are tracked: the MLflow store, the address of its pages, and links into them."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus, urlencode

from dream.errors import DreamError

LOCAL_PAGES = "http://127.0.0.1:5000"


@dataclass(frozen=True)
class Address:
    """A place that MLflow can write to, and where a browser sees what was written.

    Attributes:
        store: the tracking URI for the MLflow client; may hold a password, so it is never shown.
        pages: where the pages are, without any password.
        artifacts: where the files of new experiments go; ``None`` where the server decides.
        command: shell command that serves the pages; empty where a server does so already.
    """

    store: str = field(repr=False)
    pages: str
    artifacts: str | None = None
    command: str = ""


def address_of(tracking_uri: str | None, folder: Path) -> Address:
    """The address that a tracking URI means.

    Args:
        tracking_uri: an MLflow server (``http://…``), a database (``sqlite:///…``, ``postgresql://…``),
            or ``None`` for an SQLite file in ``folder``.
        folder: where ``mlflow.db`` and the artifacts go if no URI is given; made if it is missing.

    Raises:
        DreamError: the URI is of a kind that cannot be used, or the folder cannot be made.

    >>> address_of("https://me:secret@mlflow.example/", Path("."))
    Address(pages='https://mlflow.example', artifacts=None, command='')
    """
    if not tracking_uri:
        tracking_uri = f"sqlite:///{(folder / 'mlflow.db').absolute()}"
    if tracking_uri.startswith(("http://", "https://")):
        return Address(tracking_uri.rstrip("/"), without_secrets(tracking_uri).rstrip("/"))
    if tracking_uri.startswith("sqlite:///"):
        database = Path(tracking_uri.removeprefix("sqlite:///")).absolute()
        try:
            database.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            todo = "name a folder you can write to"
            raise DreamError(
                f"the folder cannot be made: {error.strerror}", str(database.parent), todo
            ) from None
        store = f"sqlite:///{database}"
        artifacts = database.parent / "mlartifacts"
        return Address(store, LOCAL_PAGES, artifacts.as_uri(), _serve(shlex.quote(store), artifacts))
    if re.match(r"(postgresql|mysql|mssql)(\+\w+)?://", tracking_uri):
        artifacts = (folder / "mlartifacts").absolute()
        # the URI may hold a password: the command names the variable that the user set
        return Address(
            tracking_uri, LOCAL_PAGES, artifacts.as_uri(), _serve('"$MLFLOW_TRACKING_URI"', artifacts)
        )
    raise DreamError(
        f"{without_secrets(tracking_uri)!r} is no address of an MLflow server or database",
        where="MLFLOW_TRACKING_URI",
        todo="use http://HOST:PORT, sqlite:///FILE, or leave it unset for an SQLite file",
    )


def compare_link(pages: str, experiment: str, runs: Sequence[str]) -> str:
    """Link to MLflow's comparison of runs, which opens on the parallel-coordinates plot.

    Everything is percent-encoded, so that a terminal takes the whole link as one.

    >>> compare_link("http://127.0.0.1:5000", "1", ["a", "b"])
    'http://127.0.0.1:5000/#/compare-runs?runs=%5B%22a%22%2C%22b%22%5D&experiments=%5B%221%22%5D'
    """
    query = {"runs": list(runs), "experiments": [experiment]}
    encoded = {key: json.dumps(value, separators=(",", ":")) for key, value in query.items()}
    return f"{pages}/#/compare-runs?{urlencode(encoded, quote_via=quote_plus)}"


def without_secrets(text: str) -> str:
    """The text without user names and passwords in its addresses.

    >>> without_secrets("cannot reach postgresql://me:secret@db:5432/mlflow")
    'cannot reach postgresql://db:5432/mlflow'
    """
    return re.sub(r"(?<=://)[^/\s'\"]*@", "", text)


def _serve(store: str, artifacts: Path) -> str:
    # without job execution the server is 2 processes and 0.5 GB, with it 10 and 2.5 GB
    return (
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true "
        f"{shlex.quote(sys.executable)} -m mlflow server --backend-store-uri {store} "
        f"--artifacts-destination {shlex.quote(str(artifacts))} --workers 1 --port 5000"
    )
