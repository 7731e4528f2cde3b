"""The servers as fixtures, each started once a session, when a test first asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.servers.mlflow import MlflowServer
from tests.servers.mlflow import mlflow_server as start_mlflow
from tests.servers.postgres import PostgresServer, postgres_programs, postgres_server
from tests.servers.s3 import S3Server, s3_server


def missing(what: str) -> NoReturn:
    """Skip for want of a program; on CI, where nothing may be skipped unseen, fail."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if postgres_programs() is None:
        missing("no PostgreSQL: apt-get install postgresql")
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_server(postgres: PostgresServer, s3: S3Server) -> Iterator[MlflowServer]:
    with start_mlflow(postgres, s3) as server:
        yield server
