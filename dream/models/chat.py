"""Asks a chat model, and remembers every answer in the ledger the moment it arrives."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from dream.errors import ModelError
from dream.ledger import Ledger
from dream.models.limits import Gate
from dream.models.meter import Meter
from dream.records import from_json, to_json
from dream.study import ENVIRONMENT_VARIABLE, OfflineChat, OpenAIChat, OpenAIModel, Prices

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = logging.getLogger(__name__)

_DURATION = re.compile(r"(?:([\d.]+)h)?(?:([\d.]+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?")

Messages = list[dict[str, str]]

TRIES_FOR_JSON = 3

# For what a call will take of a limit on tokens; what it took is known when it ends.
LETTERS_PER_TOKEN = 4
USUAL_ANSWER = 150

# What chat formats put around a message, at most.
TOKENS_OF_A_MESSAGE = 16


class CutOff(ModelError):
    """An answer ended at the limit on its tokens: half an answer is none."""


@dataclass(frozen=True)
class Reply:
    """A model's answer.

    Attributes:
        text: what it said.
        input_tokens: tokens of the prompt, as its server counted them.
        output_tokens: tokens of the answer.
        seconds: from the request to the whole answer, waiting for a free place not counted.
    """

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def dollars(self, prices: Prices | None) -> float:
        """What it costs at these prices; 0 where none are known.

        >>> Reply("", input_tokens=1_000_000, output_tokens=500_000).dollars(Prices(input=0.4, output=1.6))
        1.2
        """
        if prices is None:
            return 0.0
        return (self.input_tokens * prices.input + self.output_tokens * prices.output) / 1e6


@dataclass
class ChatModel:
    """An open connection to one chat model; belongs to the event loop that it is first used in.

    Attributes:
        name: what the study calls it.
        identity: everything about the model that its answers depend on, for the ledger.
        parameters: sent with every request.
        prices: ``None`` where the study names none.
        meter: what arrived through this connection, and what it cost.
    """

    name: str
    identity: dict[str, Any]
    model: str
    client: AsyncOpenAI
    prices: Prices | None
    parameters: dict[str, Any]
    seed: int | None
    gate: Gate
    secret: str = field(default="", repr=False)
    token_limit: str = "max_tokens"
    meter: Meter = field(default_factory=Meter)
    _under_way: dict[tuple[object, ...], asyncio.Task[Any]] = field(default_factory=dict, repr=False)

    async def ask(
        self, messages: Messages, *, seed: int = 0, kind: str = "generate", **parameters: Any
    ) -> Reply:
        """One answer; the client retries what can be retried, and honours Retry-After.

        Args:
            messages: the request.
            seed: added to the study's.
            kind: what the call is for, for the meter: golden, generate, or the name of a metric.
            parameters: of this request, such as ``max_tokens``.

        Raises:
            ModelError: the model refused for good, or did not answer after all retries.
        """
        import httpx
        import openai

        wanted = {**self.parameters, **parameters}
        if self.token_limit != "max_tokens":
            wanted[self.token_limit] = wanted.pop("max_tokens")
        if self.seed is not None:
            wanted["seed"] = self.seed + seed
        letters = sum(len(message["content"]) for message in messages)
        most = self._most_dollars(messages, int(wanted[self.token_limit]))
        async with self.gate.call(most, letters // LETTERS_PER_TOKEN + USUAL_ANSWER) as leave:
            started = time.perf_counter()
            try:
                # what chat.completions.create sends, without its walk through every field of the request
                response = await self.client.post(
                    "/chat/completions",
                    body={"messages": messages, "model": self.model, **wanted},
                    cast_to=httpx.Response,
                )
            except openai.OpenAIError as error:
                raise told(error, self.name, self.secret) from None
            reply, ended = self._read(response.content, time.perf_counter() - started)
            leave.took_dollars = reply.dollars(self.prices)
            leave.took_tokens = reply.input_tokens + reply.output_tokens
        self.meter.calls[kind] += 1
        self.meter.input_tokens += reply.input_tokens
        self.meter.output_tokens += reply.output_tokens
        self.meter.dollars += leave.took_dollars
        self.meter.took(reply.seconds)
        tokens = (reply.input_tokens, reply.output_tokens)
        log.debug("%s, %s: %d + %d tokens in %.2f s", self.name, kind, *tokens, reply.seconds)
        if ended == "length":
            limit = wanted[self.token_limit]
            raise CutOff(f"the answer was cut off at max_tokens={limit}", self.name, "raise max_tokens")
        if ended == "content_filter":
            raise ModelError("the provider's filter held the answer back", self.name, "look at the question")
        if not reply.text.strip():
            raise ModelError("the model answered with nothing", self.name, "try again, or another model")
        return reply

    def _read(self, content: bytes, seconds: float) -> tuple[Reply, str]:
        """The answer, and why it ended; servers of many makes leave out what they have not."""
        try:
            answer = json.loads(content)
            choice = (answer.get("choices") or [{}])[0]
            usage = answer.get("usage") or {}
            text = (choice.get("message") or {}).get("content") or ""
            tokens = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            return Reply(str(text), tokens[0], tokens[1], seconds), str(choice.get("finish_reason") or "")
        except (ValueError, TypeError, AttributeError, LookupError):
            what = "what the server sent is no answer of a chat model"
            raise ModelError(what, self.name, "check base_url") from None

    def _most_dollars(self, messages: Messages, max_tokens: int) -> float:
        """More than the call can cost: a token is a byte at least, and an answer ends at its limit."""
        prompt = sum(len(message["content"].encode()) + TOKENS_OF_A_MESSAGE for message in messages)
        return Reply("", prompt, max_tokens).dollars(self.prices)

    async def ask_once(
        self,
        ledger: Ledger,
        stage: str,
        messages: Messages,
        *,
        repeat: int = 0,
        accept: Callable[[str], object] | None = None,
        kind: str = "",
        **parameters: Any,
    ) -> Reply:
        """The recorded answer to this very request, or the model's, recorded as it arrives.

        Args:
            ledger: where answers are recorded.
            stage: generate, judge or golden.
            messages: the request.
            repeat: 0 for the first time that a caller asks this, 1 for its second independent answer, …
            accept: raises ValueError for an answer that is of no use; it is asked for again, at most
                TRIES_FOR_JSON times, and never recorded.
            kind: what the call is for, for the meter; the stage if not given.
            parameters: of this request, such as ``max_tokens``.

        Raises:
            ModelError: no useful answer could be had.
        """
        inputs = {
            "model": self.identity,
            "messages": messages,
            "parameters": {**self.parameters, **parameters},
            "seed": self.seed,
            "repeat": repeat,
        }

        async def compute() -> Any:
            for attempt in range(TRIES_FOR_JSON):
                try:
                    reply = await self.ask(
                        messages, seed=repeat + 1000 * attempt, kind=kind or stage, **parameters
                    )
                    if accept:
                        accept(reply.text)
                except (ValueError, CutOff) as error:
                    if accept is None:
                        raise
                    complaint = str(error).splitlines()[0]
                    continue
                return to_json(reply)
            raise ModelError(
                f"{TRIES_FOR_JSON} answers were not in the form that was asked for ({complaint})",
                self.name,
                "run again, raise max_tokens, or take a model that can answer in JSON",
            )

        # What is asked for again while it is under way waits for that answer, without a look at the ledger.
        asked = (stage, repeat, repr(parameters), *(message["content"] for message in messages))
        task = self._under_way.get(asked)
        if task is None:
            task = self._under_way[asked] = asyncio.create_task(ledger.remember_call(stage, inputs, compute))
            task.add_done_callback(lambda _: self._under_way.pop(asked, None))
            return from_json(Reply, await asyncio.shield(task))
        found = await asyncio.shield(task)
        ledger.reused[stage] += 1
        return from_json(Reply, found)


def open_chat(
    name: str,
    model: OpenAIChat | OfflineChat,
    *,
    seed: int,
    gate: Gate,
    offline_url: str | None,
) -> ChatModel:
    """Connect to a model of the study.

    Args:
        name: what the study calls it.
        model: what the study says of it.
        seed: of the study.
        gate: this process's way to the model's provider, shared by all models there.
        offline_url: where the offline server listens, if the study uses it.

    Raises:
        ModelError: its key's environment variable is not set here.
    """
    from openai import AsyncOpenAI

    identity, parameters = chat_identity(model), chat_parameters(model)
    if isinstance(model, OfflineChat):
        if offline_url is None:
            raise ModelError("the offline server is not running", name, "start it with: dream models serve")
        client = AsyncOpenAI(
            base_url=offline_url, api_key="offline", max_retries=6, timeout=60, http_client=_listening(gate)
        )
        return ChatModel(name, identity, model.style, client, Prices(input=0), parameters, seed, gate)
    key = resolve_key(name, model)
    client = open_client(model, key, gate)
    sent = seed if model.send_seed else None
    return ChatModel(
        name, identity, model.model, client, model.prices, parameters, sent, gate, key, model.token_limit
    )


def chat_parameters(model: OpenAIChat | OfflineChat) -> dict[str, Any]:
    """What is sent with every request to the model."""
    if isinstance(model, OfflineChat):
        return {"temperature": 0.0, "max_tokens": 4096}
    temperature = {} if model.temperature is None else {"temperature": model.temperature}
    return {"max_tokens": model.max_tokens, **temperature}


def open_client(model: OpenAIModel, key: str, gate: Gate) -> AsyncOpenAI:
    """The OpenAI client: its retries wait with jitter, and as long as Retry-After says."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        base_url=model.base_url,
        api_key=key or "none",
        max_retries=model.retries,
        timeout=model.timeout,
        http_client=_listening(gate),
    )


def provider_of(model: OpenAIChat | OfflineChat) -> str:
    """What a limit holds for: all models at one address."""
    return "offline" if isinstance(model, OfflineChat) else model.base_url.rstrip("/")


def _listening(gate: Gate) -> Any:
    """An HTTP client that tells the gate of refusals; the retries themselves are the OpenAI client's."""
    from openai import DefaultAioHttpClient

    async def start(request: Any) -> None:
        request.extensions["started"] = time.perf_counter()

    async def hear(response: Any) -> None:
        headers = response.headers
        outcome = "refused" if response.status_code == 429 else "failed" if response.is_error else "answered"
        gate.counted(time.perf_counter() - response.request.extensions["started"], outcome)
        if response.status_code == 429:
            gate.refused(seconds_of(headers.get("retry-after", "")))
        elif headers.get("x-ratelimit-remaining-requests") == "0":
            gate.pause(seconds_of(headers.get("x-ratelimit-reset-requests", "")))

    return DefaultAioHttpClient(event_hooks={"request": [start], "response": [hear]}, verify=_certificates())


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; reading it takes a tenth of a second, so each process does so once."""
    import httpx

    return httpx.create_ssl_context()


def seconds_of(duration: str) -> float:
    """Seconds of a Retry-After or rate-limit header, 0 where it says none.

    >>> [seconds_of(text) for text in ("2", "1.5s", "6m0s", "20ms", "1h2m", "Wed, 21 Oct 2026", "")]
    [2.0, 1.5, 360.0, 0.02, 3720.0, 0.0, 0.0]
    """
    try:
        return float(duration)
    except ValueError:
        pass
    found = _DURATION.fullmatch(duration.strip())
    if not found or not duration.strip():
        return 0.0
    return sum(
        float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1, 0.001), strict=True)
    )


def chat_identity(model: OpenAIChat | OfflineChat) -> dict[str, Any]:
    """What a chat model's answers depend on, its address included and its key not."""
    if isinstance(model, OfflineChat):
        from dream.models.offline import OFFLINE_VERSION

        return {"provider": "offline", "style": model.style, "version": OFFLINE_VERSION}
    return {"provider": "openai", "model": model.model, "base_url": model.base_url.rstrip("/")}


def resolve_key(name: str, model: OpenAIModel) -> str:
    """The key from the environment variable that the study names; empty for a server without one."""
    if model.api_key is None:
        return ""
    found = ENVIRONMENT_VARIABLE.fullmatch(model.api_key)
    variable = found.group(1) if found else ""
    key = os.environ.get(variable, (found.group(2) or "") if found else "")
    if not key:
        raise ModelError(f"the environment variable {variable} is not set", name, f"export {variable}=…")
    if not key.isascii() or key != key.strip() or not key.isprintable():
        what = f"the key in {variable} has a blank, a line end or a letter that no key has"
        raise ModelError(what, name, f"export {variable} anew, the key alone")
    return key


def told(error: Exception, name: str, secret: str) -> ModelError:
    """A client's exception in one sentence that holds no secret."""
    import httpx
    import openai

    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        # Servers like to repeat a part of the key in this text.
        return ModelError(f"the server refused the key (HTTP {error.status_code})", name, "check the key")
    # a connection that was refused is told as one that took too long
    connected = not isinstance(error.__cause__, httpx.ConnectTimeout)
    if isinstance(error, openai.APITimeoutError) and connected:
        return ModelError(
            "no answer in time, after all retries", name, "raise its timeout, or look at the server"
        )
    if isinstance(error, openai.APIConnectionError):
        return ModelError("the server cannot be reached, after all retries", name, "check base_url")
    said = " ".join(str(getattr(error, "message", error)).split())[:300]
    if secret:
        said = said.replace(secret, "***")
    if isinstance(error, openai.RateLimitError):
        return ModelError(
            f"too many requests, after all retries ({said})", name, "lower limits.calls_at_once"
        )
    return ModelError(f"the call failed ({said})", name, "check the model's name and the server's log")
