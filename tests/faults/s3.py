"""An S3 server that is killed, and comes back on the same data, address and credentials."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.servers.s3 import S3Server, minio_program, s3_server


@dataclass
class MortalS3:
    """A server that may be killed.

    Attributes:
        data: folder of its objects.
        server: how it is reached, whether it is up or not.
    """

    data: Path
    server: S3Server
    _up: ExitStack = field(default_factory=ExitStack)

    def kill(self) -> None:
        """Kill -9; it stays away until it is called back."""
        if minio_program() is None:
            pytest.skip("moto keeps nothing when it is killed; no MinIO here")
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(self.data) in process.cmdline() and process.name() == "minio":
                    process.kill()
        self._up.close()

    def back(self) -> None:
        """Start it again."""
        self._up.enter_context(s3_server(data=self.data, before=self.server))


@contextlib.contextmanager
def mortal_s3(data: Path) -> Iterator[MortalS3]:
    """Start one."""
    with ExitStack() as up:
        yield MortalS3(data, up.enter_context(s3_server(data=data)), up)
