"""Labelling on a local page: a server of this machine alone, behind an address that cannot be guessed."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dream.report.labelling import Labelling

HOST = "127.0.0.1"

HEADERS = {
    # no script, style or connection but the page's own; nothing of it in other pages' hands
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

FILES = {
    "": ("label.html", "text/html; charset=utf-8"),
    "label.css": ("label.css", "text/css; charset=utf-8"),
    "label.js": ("label.js", "text/javascript; charset=utf-8"),
}


def make_label_app(labelling: Labelling, token: str, closed: Callable[[], None]) -> Starlette:
    """The page and its three verbs as an ASGI application; every path begins with the token.

    Args:
        labelling: holds the rows and stores the labels.
        token: what the address must hold.
        closed: is called when the person says that it is enough.
    """

    def file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
        text = resources.files("dream.report").joinpath(name).read_text("utf-8")

        async def give(request: Request) -> Response:
            return Response(text, headers=HEADERS, media_type=kind)

        return give

    def state() -> Response:
        rows = [
            {
                "id": row.id,
                "question": row.question.question,
                "reference": row.question.reference,
                "answer": row.answer,
                "contexts": list(row.contexts),
                "label": labelling.labels.get(row.id),
                "skipped": row.id in labelling.skipped,
            }
            for row in labelling.rows
        ]
        return JSONResponse({"study": labelling.study, "rows": rows}, headers=HEADERS)

    async def rows(request: Request) -> Response:
        return state()

    async def label(request: Request) -> Response:
        asked = await _json(request)
        known = {row.id for row in labelling.rows}
        match asked:
            case {"id": str(id), "right": bool(right)} if id in known:
                await asyncio.to_thread(labelling.say, id, right)
            case {"id": str(id), "skip": True} if id in known:
                labelling.skip(id)
            case {"undo": True}:
                await asyncio.to_thread(labelling.undo)
            case _:
                return JSONResponse({"error": "no such label"}, status_code=400, headers=HEADERS)
        return state()

    async def close(request: Request) -> Response:
        closed()
        return JSONResponse({"closed": True}, headers=HEADERS)

    files = [Route(f"/{token}/{path}", file(*kind)) for path, kind in FILES.items()]
    return Starlette(
        routes=[
            *files,
            Route(f"/{token}/rows", rows),
            Route(f"/{token}/label", label, methods=["POST"]),
            Route(f"/{token}/close", close, methods=["POST"]),
        ],
        # a name that somebody points at this machine is refused (DNS rebinding)
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
    )


async def _json(request: Request) -> Any:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return None  # what another page's form could send
    try:
        return await request.json()
    except ValueError:
        return None


def serve_labelling(labelling: Labelling, opened: Callable[[str], None]) -> None:
    """Serve the page until the person is done, or Ctrl-C.

    Args:
        labelling: holds the rows and stores the labels.
        opened: is told the page's address.
    """
    import uvicorn

    token = secrets.token_urlsafe(24)
    with socket.create_server((HOST, 0)) as listening:
        url = f"http://{HOST}:{listening.getsockname()[1]}/{token}/"

        def stop() -> None:
            server.should_exit = True

        app = make_label_app(labelling, token, stop)
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        opened(url)
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            return
