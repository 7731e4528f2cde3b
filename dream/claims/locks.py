"""Who is working on what, among all processes of this machine.

A claim is one locked byte of a shared file, at an offset given by the key's hash. The kernel gives
it back when its process ends, however it ends, so a ``kill -9`` leaves nothing to clean up and no
lease has to run out.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from dream.storage import Folder, Storage


class Claims:
    """Keys claimed by this process, out of all that share one file.

    >>> claims = Claims(Path(tempfile.mkdtemp()) / "claims")
    >>> claims.take("a"), claims.take("a"), claims.take("b")
    (True, False, True)
    >>> claims.give_back("a")
    >>> claims.free("a"), claims.free("b"), claims.take("a")
    (True, False, True)
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        # POSIX locks belong to the process, so its own threads and tasks are told apart here.
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def take(self, key: str) -> bool:
        """Claim the key unless somebody, here or in another process, holds it; never waits."""
        with self._guard:
            if key in self._held or not self._lock(key):
                return False
            self._held.add(key)
            return True

    def give_back(self, key: str) -> None:
        """End the claim."""
        with self._guard:
            self._held.discard(key)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number_of(key))

    def free(self, key: str) -> bool:
        """Whether nobody holds the key at this moment."""
        with self._guard:
            if key in self._held or not self._lock(key):
                return False
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number_of(key))
            return True

    def held(self) -> list[str]:
        """What this process holds."""
        with self._guard:
            return list(self._held)

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Wait for the key, and hold it for as long as the block runs."""
        while not self.take(key):
            time.sleep(0.05)
        try:
            yield
        finally:
            self.give_back(key)

    def _lock(self, key: str) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number_of(key))
        except (BlockingIOError, PermissionError):
            return False
        return True


def claims_beside(storage: Storage) -> Claims:
    """The claims of everyone on this machine who writes to that storage."""
    if isinstance(storage, Folder):
        return _claims_in(storage.root / ".claims", os.getpid())
    name = hashlib.sha256(storage.url.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"dream-{os.getuid()}"
    return _claims_in(folder / f"claims-{name}", os.getpid())


@cache
def _claims_in(path: Path, process: int) -> Claims:
    # One open file for each process: closing a second one would give back every claim of the first.
    return Claims(path)


def number_of(key: str) -> int:
    """The key as a number of 62 bits, which is a place in the file and a short name among machines.

    Two of a million keys collide with a chance of 1e-7, and would then only wait for each other.
    """
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 2
