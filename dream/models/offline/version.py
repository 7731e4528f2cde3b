"""One hash for all offline rules: answers recorded under other rules must not be reused."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_sources() -> str:
    """SHA-256 of this package's own sources, its first 16 hexadecimal digits.

    >>> digest_sources() == OFFLINE_VERSION
    True
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


OFFLINE_VERSION = digest_sources()
"""Changes whenever a rule changes; part of the ledger's key for every offline answer."""
