"""A real MLflow server on PostgreSQL and S3."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.servers.postgres import PostgresServer
from tests.servers.process import answers, free_port, own_folder, running
from tests.servers.s3 import S3Server


@dataclass(frozen=True)
class MlflowServer:
    """A server that is up.

    Attributes:
        url: its address, for MLFLOW_TRACKING_URI and the browser.
        bucket: where it puts the artifacts.
        database: where it puts everything else.
    """

    url: str
    bucket: str
    database: str


@contextlib.contextmanager
def mlflow_on(backend: str, artifacts: str, environment: dict[str, str], name: str) -> Iterator[str]:
    """Start ``mlflow server`` on a backend store; its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--artifacts-destination", artifacts]
    settings = {
        "MLFLOW_BACKEND_STORE_URI": backend,  # by the environment: command lines are seen by everyone
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **environment,
    }
    hidden = [backend, *environment.values()]
    with (
        own_folder(name) as folder,
        running(command, settings, folder, lambda: answers(f"{url}/health"), hidden, seconds=120),
    ):
        yield url


@contextlib.contextmanager
def mlflow_server(postgres: PostgresServer, s3: S3Server) -> Iterator[MlflowServer]:
    """Start MLflow with a database and a bucket of its own; clients send artifacts through the server."""
    database, bucket = postgres.database(), s3.bucket()
    environment = {**s3.environment(), "MLFLOW_S3_ENDPOINT_URL": s3.endpoint}
    with mlflow_on(postgres.url(database), f"s3://{bucket}/mlflow", environment, "mlflow") as url:
        yield MlflowServer(url, bucket, database)
