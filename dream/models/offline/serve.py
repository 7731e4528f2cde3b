"""Runs the offline server in this process."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from dream.errors import DreamError
from dream.models.offline.options import ServerOptions
from dream.models.offline.tokens import encoding


def serve(options: ServerOptions, on_ready: Callable[[str], None] | None = None) -> None:
    """Serves until SIGINT or SIGTERM; prints nothing.

    Args:
        options: where to listen, whom to let in, which faults to have.
        on_ready: is told the base address, ``http://127.0.0.1:41113/v1`` say, once requests can come.

    Raises:
        DreamError: the address is not free, or the environment variable with the key is not set.
    """
    api_key = _read_key(options.api_key_env)
    listener = _listen(options.host, options.port)

    import uvicorn

    from dream.models.offline.app import make_app

    encoding()  # loaded now, not in the first call
    app = make_app(options.faults, api_key)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        if on_ready is not None:
            on_ready(_address(listener))  # the socket listens already: callers wait in its backlog
        yield

    app.router.lifespan_context = lifespan
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        # longer than any client keeps an idle connection, so that none sends into a closing one
        timeout_keep_alive=300,
        timeout_graceful_shutdown=2,
    )
    with listener, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _read_key(name: str | None) -> str | None:
    if name is None:
        return None
    key = os.environ.get(name)
    if not key:
        raise DreamError(
            f"the environment variable {name} is not set", "api_key_env", "set it to the key to ask for"
        )
    return key


def _listen(host: str, port: int) -> socket.socket:
    where = f"{host}:{port}"
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except (OSError, OverflowError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise DreamError(
            f"cannot listen there: {reason}", where, "choose another port, or 0 for a free one"
        ) from None
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}/v1"
