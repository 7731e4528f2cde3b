"""Decides which request meets which fault, and what a judge says who wavers."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

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


def waver(text: str, body: bytes, share: float) -> str:
    """A judge's answer with that share of its verdicts turned round, other ones for another seed.

    >>> waver('{"verdict":1}', b"a request", 1.0), waver('{"verdict":1}', b"a request", 0.0)
    ('{"verdict":0}', '{"verdict":1}')
    """
    if not share:
        return text
    said = json.loads(text)
    found: list[tuple[dict[str, Any], str]] = []
    for one in (said, *said.get("statements", ()), *said.get("classifications", ())):
        found += [(one, name) for name in ("verdict", "attributed") if isinstance(one, dict) and name in one]
    for number, (one, name) in enumerate(found):
        if _position(body, f"verdict {number}") < share:
            one[name] = 1 - one[name]
    if "TP" in said:
        claims = [(one, name) for name in ("TP", "FP") for one in said[name]]
        turned = [_position(body, f"claim {number}") < share for number in range(len(claims))]
        for kind in ("TP", "FP"):
            pairs = zip(claims, turned, strict=True)
            said[kind] = [one for (one, name), other in pairs if (name == kind) != other]
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _digest(body: bytes, salt: str) -> bytes:
    return hashlib.blake2b(body, digest_size=8, salt=salt.encode()).digest()


def _position(body: bytes, salt: str) -> float:
    """Where the body falls between 0 and 1."""
    return int.from_bytes(_digest(body, salt), "big") / 2**64
