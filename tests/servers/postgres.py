"""A real PostgreSQL with a data folder of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.process import ServerFailed, free_port, new_secret, own_folder, running


@dataclass(frozen=True)
class PostgresServer:
    """A server that is up."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)

    def url(self, database: str = "postgres", driver: str = "postgresql+psycopg2") -> str:
        """Address of a database, password included: for an environment variable, never for a log."""
        return f"{driver}://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    def database(self) -> str:
        """Name of a new, empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with contextlib.closing(self.connect()) as connection:
            connection.autocommit = True  # CREATE DATABASE refuses to run in a transaction
            connection.cursor().execute(f"CREATE DATABASE {name}")
        return name

    def connect(self, database: str = "postgres"):  # type: ignore[no-untyped-def]
        """A psycopg2 connection."""
        import psycopg2

        return psycopg2.connect(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=database
        )


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start PostgreSQL; it must have been found with ``postgres_programs``."""
    programs = postgres_programs()
    assert programs is not None
    server = PostgresServer("127.0.0.1", free_port(), "dream", new_secret())
    with own_folder("postgres") as folder:
        password_file = folder / "password"
        password_file.write_text(server.password)
        as_user = _drop_root(folder, password_file)
        _initialise(programs, as_user, folder / "data", server.user, password_file)
        password_file.unlink()
        settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=50"]
        settings += ["unix_socket_directories=", "listen_addresses=127.0.0.1"]
        command = [*as_user, programs / "postgres", "-D", folder / "data", "-p", str(server.port)]
        for setting in settings:
            command += ["-c", setting]
        with running(command, {}, folder, lambda: _ready(server), [server.password]):
            yield server


def postgres_programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``; Debian does not put it on the PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def _drop_root(folder: Path, *files: Path) -> list[str]:
    """PostgreSQL refuses to run as root: the command's beginning that makes it another user's."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    for path in (folder, *files):
        os.chown(path, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _initialise(programs: Path, as_user: list[str], data: Path, user: str, password_file: Path) -> None:
    command = [*as_user, programs / "initdb", "-D", data, "-U", user, "--pwfile", password_file]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(command, capture_output=True, text=True, cwd=data.parent, stdin=subprocess.DEVNULL)
    if made.returncode != 0:
        raise ServerFailed(f"initdb ended with code {made.returncode}:\n{made.stderr[-2000:]}")


def _ready(server: PostgresServer) -> bool:
    import psycopg2

    try:
        server.connect().close()
    except psycopg2.OperationalError:
        return False
    return True
