"""Decides which request meets which fault."""

from __future__ import annotations

import hashlib
from collections import Counter

from dream.models.offline.options import Faults


class FaultPlan:
    """Remembers how often each request was hit.

    >>> plan = FaultPlan(Faults(rate_limited=1.0))
    >>> plan.next_fault(b"same body"), plan.next_fault(b"same body")
    ('rate_limited', None)
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._hits: Counter[bytes] = Counter()

    def next_fault(self, body: bytes) -> str | None:
        """The fault that this attempt of a request meets: rate_limited, failing, truncated or None."""
        for name in ("rate_limited", "failing", "truncated"):
            share = getattr(self.faults, name)
            if share and _position(body, name) < share:
                key = _digest(body, name)
                if self._hits[key] < self.faults.attempts:
                    self._hits[key] += 1
                    return name
        return None

    def delay(self, body: bytes) -> float:
        """Seconds that the answer to a request is held back."""
        return self.faults.latency + (
            self.faults.jitter * _position(body, "jitter") if self.faults.jitter else 0.0
        )


def _digest(body: bytes, salt: str) -> bytes:
    return hashlib.blake2b(body, digest_size=8, salt=salt.encode()).digest()


def _position(body: bytes, salt: str) -> float:
    """Where the body falls between 0 and 1."""
    return int.from_bytes(_digest(body, salt), "big") / 2**64
