"""A bucket whose server is killed and comes back on the same data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from dream.storage import open_storage
from tests.servers.s3 import minio_program, s3_server

pytestmark = pytest.mark.faults


def test_a_bucket_that_has_answered_is_waited_for_when_its_server_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if minio_program() is None:
        pytest.skip("moto keeps nothing when it is killed; no MinIO here")
    data = tmp_path / "data"
    with ExitStack() as servers, ThreadPoolExecutor(1) as later:
        s3 = servers.enter_context(s3_server(data=data))
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        storage = open_storage(f"s3://{s3.bucket()}/x")
        storage.put("before", b"kept")
        for server in psutil.process_iter():
            with suppress(psutil.Error):
                if str(data) in server.cmdline() and server.name() == "minio":
                    server.kill()
        servers.close()
        written = later.submit(storage.put, "while away", b"paid for")
        with suppress(TimeoutError):
            written.result(
                timeout=35  # longer than boto's own retries
            )
        assert not written.done(), "nobody was there to write to"
        servers.enter_context(s3_server(data=data, before=s3))
        written.result(timeout=60)
        assert storage.get("before") == b"kept" and storage.get("while away") == b"paid for"
