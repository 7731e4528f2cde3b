"""The HTTP endpoints of the offline server."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dream.errors import DreamError
from dream.models.offline import wire
from dream.models.offline.counts import Counts
from dream.models.offline.faults import FaultPlan, waver
from dream.models.offline.options import Faults
from dream.models.offline.reply import reply, text_of
from dream.models.offline.requests import (
    MODELS,
    Refusal,
    read_count,
    read_dimensions,
    read_json,
    read_messages,
    read_style,
    read_texts,
)
from dream.models.offline.tokens import count_prompt, count_tokens, cut_tokens

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(faults: Faults, api_key: str | None = None) -> Starlette:
    """The server as an ASGI application.

    Args:
        faults: the faults it has on purpose.
        api_key: what callers must send as a bearer token; None lets all in.
    """
    counts, plan = Counts(), FaultPlan(faults)

    async def chat(request: Request) -> Response:
        body = await request.body()
        asked = read_json(body)
        model, messages = read_style(asked), read_messages(asked)
        choices = read_count(asked, "n", default=1, most=128)
        most = read_count(asked, "max_completion_tokens", default=0, most=10**9)
        most = most or read_count(asked, "max_tokens", default=0, most=10**9)
        fault = _refuse_by_plan(plan, body)
        said = reply(model, messages, asked.get("response_format"))
        text = waver(said.text, body, faults.wavering) if said.kind == "judge" else said.text
        completion = _complete(body, model, messages, text, choices, most, cut=fault == "truncated")
        counts.chat(body, said.kind)
        if completion.finish == "length":
            counts.error("truncated")
        await _wait(plan, body)
        if asked.get("stream"):
            include_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
            return StreamingResponse(_stream(completion, include_usage), media_type="text/event-stream")
        return _json(wire.write_completion(completion))

    async def embeddings(request: Request) -> Response:
        body = await request.body()
        asked = read_json(body)
        dimensions, texts = read_dimensions(asked), read_texts(asked)
        _refuse_by_plan(plan, body)
        from dream.models.hashing import embed_by_hashing

        vectors = embed_by_hashing(texts, dimensions)
        counts.embeddings(body, len(texts))
        await _wait(plan, body)
        packed = asked.get("encoding_format") == "base64"
        tokens = sum(map(count_tokens, texts))
        return _json(wire.write_embeddings(str(asked["model"]), vectors, packed, tokens))

    async def models(request: Request) -> Response:
        return _json(wire.write_models(MODELS))

    async def health(request: Request) -> Response:
        return _json({"status": "ok"})

    async def calls(request: Request) -> Response:
        return _json(counts.as_json())

    async def reset(request: Request) -> Response:
        counts.reset()
        return _json(counts.as_json())

    async def latency(request: Request) -> Response:
        """From now on calls take so many seconds; counts go on, as they would not in a new server."""
        seconds = read_json(await request.body()).get("latency")
        try:
            plan.faults = replace(plan.faults, latency=float(seconds))  # type: ignore[arg-type]
        except (TypeError, ValueError, DreamError):
            raise Refusal(400, 'Send {"latency": seconds}, 0 or more.') from None
        return _json({"latency": plan.faults.latency})

    def guarded(endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                _check_key(request, api_key)
                return await endpoint(request)
            except Refusal as refusal:
                counts.error(refusal.status)
                return _refuse(refusal, faults.retry_after)

        return answer

    return Starlette(
        routes=[
            Route("/v1/chat/completions", guarded(chat), methods=["POST"]),
            Route("/v1/embeddings", guarded(embeddings), methods=["POST"]),
            Route("/v1/models", guarded(models)),
            Route("/health", health),
            Route("/calls", calls),
            Route("/calls/reset", reset, methods=["POST"]),
            Route("/latency", guarded(latency), methods=["POST"]),
        ]
    )


def _complete(
    body: bytes, model: str, messages: list[dict[str, Any]], text: str, choices: int, most: int, cut: bool
) -> wire.Completion:
    tokens, finish = count_tokens(text), "stop"
    if cut:
        most = min(most or tokens, tokens // 2)
    if (most or cut) and tokens > most:
        text, tokens, finish = cut_tokens(text, most), most, "length"
    prompt = count_prompt(map(text_of, messages))
    return wire.Completion(body, model, text, finish, prompt, tokens * choices, choices)


def _refuse_by_plan(plan: FaultPlan, body: bytes) -> str | None:
    fault = plan.next_fault(body)
    if fault == "rate_limited":
        raise Refusal(
            429, "Too many requests; this is an offline server told to say so.", "rate_limit_exceeded"
        )
    if fault == "failing":
        raise Refusal(500, "The server failed; this is an offline server told to do so.", "server_error")
    return fault


def _check_key(request: Request, api_key: str | None) -> None:
    sent = request.headers.get("authorization", "")
    if api_key is not None and not hmac.compare_digest(sent.encode(), f"Bearer {api_key}".encode()):
        raise Refusal(401, "The API key is missing or wrong.", "invalid_api_key")


async def _wait(plan: FaultPlan, body: bytes) -> None:
    seconds = plan.delay(body)
    if seconds:
        await asyncio.sleep(seconds)


async def _stream(completion: wire.Completion, include_usage: bool) -> Any:
    for event in wire.write_events(completion, include_usage):
        yield event


def _refuse(refusal: Refusal, retry_after: float) -> Response:
    kind = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error"}
    error = wire.write_error(refusal.message, kind.get(refusal.status, "invalid_request_error"), refusal.code)
    headers = {"Retry-After": f"{retry_after:g}"} if refusal.status == 429 else None
    return Response(wire.dump(error), refusal.status, headers, "application/json")


def _json(value: Any) -> Response:
    return Response(wire.dump(value), media_type="application/json")
