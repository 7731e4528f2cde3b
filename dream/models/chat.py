"""Asks a chat model, and remembers every answer in the ledger the moment it arrives."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dream.errors import ModelError
from dream.ledger import Ledger
from dream.records import from_json, to_json
from dream.study import ENVIRONMENT_VARIABLE, OfflineChat, OpenAIChat, OpenAIModel, Prices

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Messages = list[dict[str, str]]

TRIES_FOR_JSON = 3


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

    def dollars(self, prices: Prices) -> float:
        """What it costs at these prices.

        >>> Reply("", input_tokens=1_000_000, output_tokens=500_000).dollars(Prices(input=0.4, output=1.6))
        1.2
        """
        return (self.input_tokens * prices.input + self.output_tokens * prices.output) / 1e6


@dataclass
class ChatModel:
    """An open connection to one chat model; belongs to the event loop that it is first used in.

    Attributes:
        name: what the study calls it.
        identity: everything about the model that its answers depend on, for the ledger.
        parameters: sent with every request.
        calls: how many answers arrived through this connection.
        spent: what they cost, in dollars.
    """

    name: str
    identity: dict[str, Any]
    model: str
    client: AsyncOpenAI
    prices: Prices
    parameters: dict[str, Any]
    seed: int | None
    gate: asyncio.Semaphore
    secret: str = field(default="", repr=False)
    calls: int = 0
    spent: float = 0.0

    async def ask(self, messages: Messages, *, seed: int = 0, **parameters: Any) -> Reply:
        """One answer; the client retries what can be retried, and honours Retry-After.

        Raises:
            ModelError: the model refused for good, or did not answer after all retries.
        """
        import openai

        wanted = {**self.parameters, **parameters}
        if self.seed is not None:
            wanted["seed"] = self.seed + seed
        async with self.gate:
            started = time.perf_counter()
            try:
                answer = await self.client.chat.completions.create(
                    model=self.model,
                    messages=messages,  # type: ignore[arg-type]  # plain dicts, checked by the server
                    **wanted,
                )
            except openai.OpenAIError as error:
                raise told(error, self.name, self.secret) from None
            seconds = time.perf_counter() - started
        usage = answer.usage
        text = answer.choices[0].message.content if answer.choices else None
        reply = Reply(
            text=text or "",
            input_tokens=usage.prompt_tokens if usage else 0,
            output_tokens=usage.completion_tokens if usage else 0,
            seconds=seconds,
        )
        self.calls += 1
        self.spent += reply.dollars(self.prices)
        if not reply.text.strip():
            raise ModelError("the model answered with nothing", self.name, "try again, or another model")
        return reply

    async def ask_once(
        self,
        ledger: Ledger,
        stage: str,
        messages: Messages,
        *,
        repeat: int = 0,
        accept: Callable[[str], object] | None = None,
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
                reply = await self.ask(messages, seed=repeat + 1000 * attempt, **parameters)
                try:
                    if accept:
                        accept(reply.text)
                except ValueError as error:
                    complaint = str(error).splitlines()[0]
                    continue
                return to_json(reply)
            raise ModelError(
                f"{TRIES_FOR_JSON} answers were not in the form that was asked for ({complaint})",
                self.name,
                "run again, raise max_tokens, or take a model that can answer in JSON",
            )

        return from_json(Reply, await ledger.remember_call(stage, inputs, compute))


def open_chat(
    name: str,
    model: OpenAIChat | OfflineChat,
    *,
    seed: int,
    gate: asyncio.Semaphore,
    offline_url: str | None,
    identity: dict[str, Any],
) -> ChatModel:
    """Connect to a model of the study.

    Args:
        name: what the study calls it.
        model: what the study says of it.
        seed: of the study.
        gate: how many calls may be under way at once, shared by the models of a process.
        offline_url: where the offline server listens, if the study uses it.
        identity: from ``chat_identity``.

    Raises:
        ModelError: its key's environment variable is not set here.
    """
    from openai import AsyncOpenAI

    if isinstance(model, OfflineChat):
        if offline_url is None:
            raise ModelError("the offline server is not running", name, "start it with: dream models serve")
        client = AsyncOpenAI(base_url=offline_url, api_key="offline", max_retries=6, timeout=60)
        parameters: dict[str, Any] = {"temperature": 0.0, "max_tokens": 512}
        return ChatModel(name, identity, model.style, client, Prices(), parameters, seed, gate)
    key = resolve_key(name, model)
    client = AsyncOpenAI(
        base_url=model.base_url, api_key=key or "none", max_retries=model.retries, timeout=model.timeout
    )
    parameters = {"temperature": model.temperature, "max_tokens": model.max_tokens}
    sent = seed if model.send_seed else None
    return ChatModel(name, identity, model.model, client, model.prices, parameters, sent, gate, key)


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
    return key


def told(error: Exception, name: str, secret: str) -> ModelError:
    """A client's exception in one sentence that holds no secret."""
    import openai

    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        # Servers like to repeat a part of the key in this text.
        return ModelError(f"the server refused the key (HTTP {error.status_code})", name, "check the key")
    if isinstance(error, openai.APITimeoutError):
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
