"""Runs the offline server in a process of its own, which ends with the one that started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import dream
from dream.errors import DreamError
from dream.models.offline.options import ServerOptions

_WHERE = "offline model server"


@dataclass(frozen=True)
class RunningServer:
    """A server in another process.

    Attributes:
        url: base address for OpenAI clients, ``http://127.0.0.1:41113/v1`` say.
        pid: number of its process.
    """

    url: str
    pid: int

    def calls(self) -> dict[str, Any]:
        """The server's own counts, as ``GET /calls`` answers them."""
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/calls", timeout=30) as answer:
            counts: dict[str, Any] = json.load(answer)
        return counts

    def reset(self) -> None:
        """Let it forget its counts."""
        urllib.request.urlopen(self.url.removesuffix("/v1") + "/calls/reset", data=b"", timeout=30).close()


@contextmanager
def start(options: ServerOptions | None = None) -> Iterator[RunningServer]:
    """Starts the offline server as a subprocess, and ends it afterwards.

    The child holds the other end of a pipe to its standard input: when this process ends in any way,
    ``kill -9`` too, the pipe closes and the child ends. The child itself binds the port and reports it,
    so that no other process can take it in between.

    Args:
        options: as for :func:`dream.models.offline.serve`; by default a free port and no faults.

    Raises:
        DreamError: the server did not start; the error says why.

    Example::

        with start(ServerOptions(faults=Faults(latency=0.2))) as server:
            client = openai.OpenAI(base_url=server.url, api_key="offline")
    """
    said = json.dumps(asdict(options or ServerOptions()))
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", "dream.models.offline", "--child", said],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the starter, which may still want answers while it ends
        )
        try:
            yield RunningServer(_await_address(child, complaints), child.pid)
        finally:
            _end(child)


def _environment() -> dict[str, str]:
    """This process's, with the folder that DREAM was imported from, which need not be installed."""
    folders = [str(Path(dream.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _await_address(child: subprocess.Popen[bytes], complaints: IO[bytes]) -> str:
    if child.stdout is None:
        raise AssertionError("the child was started with a pipe")
    line = child.stdout.readline()  # empty when the child ended without a word
    if line:
        return str(json.loads(line)["url"])
    code = child.wait()
    complaints.seek(0)
    last = complaints.read().decode(errors="replace").strip().splitlines()[-1:] or [
        f"it ended with code {code}"
    ]
    raise DreamError(f"it did not start: {last[0]}", _WHERE, "mend that and start again")


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
