"""What the server was asked: the ground truth for "no call was paid twice"."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any


class Counts:
    """Counts of answered calls; a call that met a fault is counted as an error only.

    A call counts once its answer is decided, before any latency: a provider bills it too when the
    caller dies while waiting.

    >>> counts = Counts()
    >>> counts.chat(b"{}", "judge"); counts.chat(b"{}", "judge"); counts.error(429)
    >>> counts.as_json()
    {'chat': 2, 'embeddings': 0, 'embedded_texts': 0,
     'by_kind': {'judge': 2}, 'repeats': 1, 'errors': {'429': 1}}
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self._calls: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._seen: set[bytes] = set()

    def chat(self, body: bytes, kind: str) -> None:
        """Counts an answered chat request."""
        self._calls["chat"] += 1
        self._kinds[kind] += 1
        self._note("chat", body)

    def embeddings(self, body: bytes, texts: int) -> None:
        """Counts an answered embedding request of so many texts."""
        self._calls["embeddings"] += 1
        self._calls["embedded_texts"] += texts
        self._note("embeddings", body)

    def error(self, status: int | str) -> None:
        """Counts a refused request by its status, or a cut answer as ``truncated``."""
        self._errors[str(status)] += 1

    def as_json(self) -> dict[str, Any]:
        """All counts as ``GET /calls`` answers them."""
        return {
            **{name: self._calls[name] for name in ("chat", "embeddings", "embedded_texts")},
            "by_kind": dict(sorted(self._kinds.items())),
            "repeats": self._calls["repeats"],
            "errors": dict(sorted(self._errors.items())),
        }

    def _note(self, endpoint: str, body: bytes) -> None:
        key = hashlib.blake2b(body, digest_size=16, salt=endpoint.encode()).digest()
        self._calls["repeats"] += key in self._seen
        self._seen.add(key)
