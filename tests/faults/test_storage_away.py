"""A bucket whose server is killed and comes back on the same data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from dream.storage import open_storage
from tests.faults.s3 import mortal_s3

pytestmark = pytest.mark.faults


def test_a_bucket_that_has_answered_is_waited_for_when_its_server_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mortal_s3(tmp_path / "data") as s3, ThreadPoolExecutor(1) as later:
        for name, value in s3.server.environment().items():
            monkeypatch.setenv(name, value)
        storage = open_storage(f"s3://{s3.server.bucket()}/x")
        storage.put("before", b"kept")
        s3.kill()
        written = later.submit(storage.put, "while away", b"paid for")
        with suppress(TimeoutError):
            written.result(
                timeout=35  # longer than boto's own retries
            )
        assert not written.done(), "nobody was there to write to"
        s3.back()
        written.result(timeout=60)
        assert storage.get("before") == b"kept" and storage.get("while away") == b"paid for"
