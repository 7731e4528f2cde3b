"""How the offline server is started, and the faults it can be told to have."""

from __future__ import annotations

from dataclasses import dataclass, field

from dream.errors import DreamError


@dataclass(frozen=True)
class Faults:
    """Faults that the server has on purpose, so that retries and limits can be seen to work.

    Whether a request is hit is decided by the hash of its body, so the same requests are hit in every run
    and in any order; a request that was hit ``attempts`` times succeeds from then on.

    Attributes:
        latency: seconds that each call takes.
        jitter: up to so many seconds more, by the hash of the body.
        rate_limited: share of the requests, 0 to 1, that are answered 429.
        failing: share of the requests that are answered 500.
        truncated: share of the chat requests whose answer is cut in the middle, finish_reason "length".
        wavering: share of a judge's yes and no that is turned round, by the hash of body and seed.
        attempts: how often a request that is hit is hit.
        retry_after: seconds that the Retry-After header of a 429 says.

    >>> Faults(rate_limited=0.1).rate_limited
    0.1
    >>> Faults(failing=2)
    Traceback (most recent call last):
    dream.errors.DreamError: offline server: failing is 2; use a share from 0 to 1
    """

    latency: float = 0.0
    jitter: float = 0.0
    rate_limited: float = 0.0
    failing: float = 0.0
    truncated: float = 0.0
    wavering: float = 0.0
    attempts: int = 1
    retry_after: float = 1.0

    def __post_init__(self) -> None:
        for name in ("rate_limited", "failing", "truncated", "wavering"):
            if not 0 <= getattr(self, name) <= 1:
                raise DreamError(
                    f"{name} is {getattr(self, name)}", "offline server", "use a share from 0 to 1"
                )
        for name in ("latency", "jitter", "retry_after", "attempts"):
            if getattr(self, name) < 0:
                raise DreamError(f"{name} is {getattr(self, name)}", "offline server", "use 0 or more")


@dataclass(frozen=True)
class ServerOptions:
    """Where the offline server listens, whom it lets in, and how it misbehaves.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        api_key_env: environment variable that holds the key which callers must send; None lets all in.
        faults: see :class:`Faults`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key_env: str | None = None
    faults: Faults = field(default_factory=Faults)
