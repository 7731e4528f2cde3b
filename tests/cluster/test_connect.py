"""Connecting to Ray: an address where nothing answers, and what a Ray of this machine leaves behind."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dream.cluster.connect import connect
from dream.errors import DreamError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("form", ["ray://127.0.0.1:{}", "127.0.0.1:{}"])
def test_an_address_where_nothing_answers_is_told_at_once(form: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses at once
        address = form.format(taken.getsockname()[1])
        started = time.monotonic()
        with pytest.raises(DreamError, match=r"nothing answers at 127\.0\.0\.1:.*mend RAY_ADDRESS") as told:
            connect(address)
    assert time.monotonic() - started < 15  # Ray itself tries for minutes
    assert told.value.where == address


@pytest.mark.parametrize("address", ["ray://:10001", "ray://host:port"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(DreamError, match="no address of a Ray cluster; write ray://HOST:PORT"):
        connect(address)


LOCAL = """
import os
os.umask(0o022)
from dream.cluster.connect import connect
connect()
import ray
def mask():
    before = os.umask(0)
    os.umask(before)
    return before
print(mask(), ray.get(ray.remote(mask).remote()))
"""


@pytest.mark.servers
def test_rays_token_is_ours_alone_and_what_its_workers_write_is_not(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    ended = subprocess.run(
        [sys.executable, "-c", LOCAL],
        cwd=ROOT, env={**clean, "HOME": str(tmp_path), "RAY_AUTH_MODE": "token"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.stdout.split() == [str(0o022), str(0o022)], ended.stderr
    assert stat.S_IMODE((tmp_path / ".ray" / "auth_token").stat().st_mode) == 0o600
