"""The servers that other tests rely on are real, closed to strangers, and gone when the tests are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.servers.mlflow import MlflowServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerFailed, answers, own_folder, running
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.servers


def test_s3_keeps_an_object_and_gives_it_back(s3: S3Server) -> None:
    bucket = s3.bucket()
    s3.client().put_object(Bucket=bucket, Key="folder/a b", Body=b"hello")
    assert s3.keys(bucket) == ["folder/a b"]
    assert s3.client().get_object(Bucket=bucket, Key="folder/a b")["Body"].read() == b"hello"


def test_minio_refuses_a_wrong_secret(s3: S3Server) -> None:
    from botocore.exceptions import ClientError

    if s3.program != "minio":
        pytest.skip("moto does not check credentials")
    stranger = S3Server(s3.endpoint, s3.access_key, "wrong", s3.program)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.client().list_buckets()


def test_postgres_keeps_rows_and_refuses_a_wrong_password(postgres: PostgresServer) -> None:
    import psycopg2

    database = postgres.database()
    with postgres.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 7 AS number")
        cursor.execute("SELECT number FROM kept")
        assert cursor.fetchone() == (7,)
    stranger = PostgresServer(postgres.host, postgres.port, postgres.user, "wrong")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        stranger.connect()


def test_mlflow_keeps_its_tables_in_postgres(mlflow_server: MlflowServer, postgres: PostgresServer) -> None:
    with urllib.request.urlopen(f"{mlflow_server.url}/version") as response:
        assert response.read().decode().startswith("3.")
    with postgres.connect(mlflow_server.database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM experiments WHERE experiment_id = 0")
        assert cursor.fetchone() == ("Default",)


def test_secrets_are_not_shown(s3: S3Server, postgres: PostgresServer) -> None:
    assert s3.secret_key not in repr(s3)
    assert postgres.password not in repr(postgres)
    commands = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert s3.secret_key not in commands
    assert postgres.password not in commands


def test_a_server_that_fails_shows_its_log_without_secrets() -> None:
    script = "import sys; print('my password is swordfish'); sys.exit(3)"
    with (
        own_folder("failing") as folder,
        pytest.raises(ServerFailed, match=r"ended with code 3(.|\n)*password is •••"),
        running([sys.executable, "-c", script], {}, folder, lambda: False, ["swordfish"]),
    ):
        pass


PARENT = """
import sys, time
from tests.servers.process import free_port, own_folder, running, answers
port = free_port()
script = '''
import subprocess, sys
subprocess.Popen([sys.executable, "-m", "http.server", "PORT", "--bind", "127.0.0.1"]).wait()
'''.replace("PORT", str(port))
url = f"http://127.0.0.1:{port}/"
with own_folder("killed") as folder:
    with running([sys.executable, "-c", script], {}, folder, lambda: answers(url)):
        print(url, folder, flush=True)
        time.sleep(60)
"""


def test_a_server_and_its_workers_die_with_the_tests_even_by_kill_9() -> None:
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=root, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url, folder = parent.stdout.readline().split()
    assert answers(url)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    limit = time.monotonic() + 12
    while answers(url) or Path(folder).exists():
        assert time.monotonic() < limit, "the server outlived the process that started it"
        time.sleep(0.1)
