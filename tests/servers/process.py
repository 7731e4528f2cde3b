"""Starting a real server for a test: wait until it is ready, show its log if it is not, end it for sure."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")


class ServerFailed(Exception):
    """A server did not start; the message holds the end of its log, without secrets."""


@contextlib.contextmanager
def own_folder(name: str) -> Iterator[Path]:
    """A new folder for a server's data and log, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"dream-test-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    folder: Path,
    ready: Callable[[], bool],
    hidden: Iterable[str] = (),
    seconds: float = 60,
) -> Iterator[None]:
    """Run a server until the block ends, or this process does, however that happens.

    Args:
        command: the program and its arguments.
        environment: what it sees besides PATH, HOME and the locale; secrets belong here, not in the command.
        folder: the server's own; holds ``log`` and is removed at the end.
        ready: whether it answers.
        hidden: what must not be seen in the log that is shown.
        seconds: how long to wait for ``ready``.

    Raises:
        ServerFailed: it ended, or was not ready in time.
    """
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    log_file = (folder / "log").open("w+b")  # stays readable after the guard has removed the folder
    with (folder / "log").open("ab") as log:
        guard = subprocess.Popen(
            [sys.executable, "-IS", str(GUARD), str(folder), *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**kept, **environment},
            cwd=folder,
        )
    try:
        limit = time.monotonic() + seconds
        while not ready():
            ended = guard.poll() is not None
            if ended or time.monotonic() > limit:
                said = log_file.read().decode(errors="replace")[-4000:]
                for secret in hidden:
                    said = said.replace(secret, "•••")
                how = f"ended with code {guard.returncode}" if ended else f"not ready in {seconds:.0f} s"
                raise ServerFailed(f"{Path(command[0]).name} {how}; its log ends:\n{said}")
            time.sleep(0.1)
        yield
    finally:
        log_file.close()
        assert guard.stdin is not None
        guard.stdin.close()
        try:
            guard.wait(15)
        except subprocess.TimeoutExpired:
            guard.kill()


def free_port() -> int:
    """A port of this machine that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a GET request is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def new_secret() -> str:
    """A password that no test writes down."""
    return secrets.token_urlsafe(24)
