"""Turns texts into vectors, each text once."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dream.errors import ModelError, StorageError
from dream.ledger import Ledger
from dream.models.capacity import Rules
from dream.models.chat import LETTERS_PER_TOKEN, open_client, resolve_key, told
from dream.models.limits import Bounds, Gate
from dream.models.meter import Meter
from dream.study import HashingEmbedding, MiniLMEmbedding, OpenAIEmbedding

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Vectors = NDArray[np.float32]
Ask = Callable[[Sequence[str]], Awaitable[Vectors]]
Connect = Callable[[Gate], AbstractAsyncContextManager[Ask]]

GATHER = 0.01  # seconds in which texts are put into one batch

# What a caller without a study's limits gets, such as `dream doctor`.
FREE = Bounds(Rules(calls_at_once=4))


@dataclass(frozen=True)
class Embedder:
    """An embedding model that is ready to use.

    Attributes:
        name: what the study calls it.
        identity: everything that its vectors depend on, for the ledger.
        compute: texts to float32 vectors, not necessarily of length 1; use ``embed``.
        at_once: texts that are embedded, and recorded, together.
        meter: what it took so far.
        provider: whose limits hold for it; ``None`` for one that is computed here.
        gate: makes a way to it.
        connect: opens a client for one event loop, and gives what asks through it.
        ask_for: embeds texts without blocking the event loop; only once ``opened``.
        soon: embeds one text together with those asked for in the same moment; only once ``opened``.
        known: vectors of texts that were asked for since it was opened.
    """

    name: str
    identity: dict[str, Any]
    compute: Callable[[Sequence[str]], Vectors]
    at_once: int = 64
    meter: Meter = field(default_factory=Meter)
    provider: str | None = None
    gate: Callable[[], Gate] | None = field(default=None, repr=False)
    connect: Connect | None = field(default=None, repr=False)
    ask_for: Ask | None = field(default=None, repr=False)
    soon: Callable[[str], Awaitable[Vectors]] | None = field(default=None, repr=False)
    known: dict[str, Vectors] = field(default_factory=dict, repr=False)

    @asynccontextmanager
    async def opened(self, gate: Gate | None = None) -> AsyncIterator[Embedder]:
        """The same embedding for use in this event loop: one client, and texts of one moment in one batch.

        Args:
            gate: this loop's way to its provider, if it is open already.
        """
        async with AsyncExitStack() as opened:
            ask: Ask = self.ask_thread
            if self.connect is not None and self.gate is not None:
                way = gate if gate is not None else await opened.enter_async_context(self.gate())
                ask = await opened.enter_async_context(self.connect(way))

            async def embed(texts: Sequence[str]) -> Vectors:
                return self._checked(texts, await ask(texts))

            yield replace(self, ask_for=embed, soon=in_batches(embed, self.at_once), known={})

    async def ask_thread(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, computed in a thread."""
        return await asyncio.to_thread(self.compute, texts)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, float32 of shape [texts, dimensions].

        Raises:
            ModelError: the model failed, or gave vectors that cannot be those of the texts.
        """
        return self._checked(texts, self.compute(texts))

    def _checked(self, texts: Sequence[str], vectors: Vectors) -> Vectors:
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            # A vector too few would shift every chunk that follows to its neighbour's place.
            seen = f"{len(texts)} texts gave vectors of shape {list(vectors.shape)}"
            raise ModelError(f"{seen}, or with numbers that are none", self.name, "look at the server")
        return vectors


def open_embedder(
    name: str, model: OpenAIEmbedding | MiniLMEmbedding | HashingEmbedding, bounds: Bounds = FREE
) -> Embedder:
    """Make an embedding of the study ready; weights are opened at the first text.

    Args:
        name: what the study calls it.
        model: what the study says of it.
        bounds: calls, rates and dollars that hold for embeddings over HTTP too.

    Raises:
        ModelError: its key's environment variable is not set here.
    """
    identity = embedding_identity(model)
    if isinstance(model, HashingEmbedding):
        from dream.models.hashing import embed_by_hashing

        return Embedder(name, identity, lambda texts: embed_by_hashing(texts, model.dimensions))
    if isinstance(model, MiniLMEmbedding):
        return Embedder(name, identity, _minilm)
    meter = Meter()
    connect = _over_http(name, model, meter)
    provider = model.base_url.rstrip("/")

    def gate() -> Gate:
        return bounds.gate(provider)

    async def alone(texts: Sequence[str]) -> Vectors:
        async with gate() as open_gate, connect(open_gate) as ask:
            return await ask(texts)

    def compute(texts: Sequence[str]) -> Vectors:
        return asyncio.run(alone(texts))

    return Embedder(name, identity, compute, model.batch_size, meter, provider, gate, connect)


def embedding_identity(model: OpenAIEmbedding | MiniLMEmbedding | HashingEmbedding) -> dict[str, Any]:
    """What an embedding's vectors depend on, its address included and its key not."""
    if isinstance(model, HashingEmbedding):
        from dream.models.hashing import HASHING_ID

        return {"provider": "hashing", "dimensions": model.dimensions, "version": HASHING_ID}
    if isinstance(model, MiniLMEmbedding):
        from dream.models.minilm import MINILM_ID

        return {"provider": "minilm", "version": MINILM_ID}
    return {"provider": "openai", "model": model.model, "base_url": model.base_url.rstrip("/")}


def embed_texts(ledger: Ledger, embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Vectors of single texts such as questions and answers; each is recorded on its own.

    Returns:
        float32 of shape [texts, dimensions].
    """
    distinct = list(dict.fromkeys(texts))
    vectors: dict[str, Vectors] = {}
    # In groups, so that what a crash interrupts is a group and not the whole list.
    for start in range(0, len(distinct), embedder.at_once):
        group = distinct[start : start + embedder.at_once]
        inputs = [{"embedding": embedder.identity, "text": text} for text in group]

        def compute(places: Sequence[int], group: Sequence[str] = group) -> list[bytes]:
            return [pack(vector) for vector in embedder.embed([group[place] for place in places])]

        found = ledger.remember_many("embed", inputs, compute)
        vectors |= {text: unpack(data) for text, data in zip(group, found, strict=True)}
    return np.stack([vectors[text] for text in texts])


async def embed_soon(ledger: Ledger, embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """``embed_texts`` within an event loop; an embedder that is ``opened`` shares its requests.

    Returns:
        float32 of shape [texts, dimensions].
    """
    soon = embedder.soon
    if soon is None:
        return await asyncio.to_thread(embed_texts, ledger, embedder, texts)

    async def one(text: str) -> None:
        async def compute() -> bytes:
            return pack(await soon(text))

        inputs = {"embedding": embedder.identity, "text": text}
        embedder.known[text] = unpack(await ledger.remember_call("embed", inputs, compute))

    await asyncio.gather(*(one(text) for text in dict.fromkeys(texts) if text not in embedder.known))
    return np.stack([embedder.known[text] for text in texts])


def embed_document(ledger: Ledger, embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Vectors of one document's chunks, recorded as they come: adding a document costs that document.

    Returns:
        float32 of shape [texts, dimensions].
    """
    return embed_documents(ledger, embedder, [texts])[0]


def embed_documents(ledger: Ledger, embedder: Embedder, documents: Sequence[Sequence[str]]) -> list[Vectors]:
    """``embed_document`` for many; requests over HTTP are under way together, as far as the limits go.

    Args:
        ledger: records each group of a document's chunks on its own.
        embedder: the embedding.
        documents: the chunks' texts of each; none may be empty.
    """
    groups = [in_groups(embedder, texts) for texts in documents]
    if embedder.connect is not None:
        found = asyncio.run(_embed_groups(ledger, embedder, groups))
    else:
        found = [[_embed_group(ledger, embedder, group) for group in document] for document in groups]
    return [np.concatenate([unpack(part) for part in parts]) for parts in found]


def in_groups(embedder: Embedder, texts: Sequence[str]) -> list[list[str]]:
    """A document's texts as they are recorded: in groups of what the embedder takes at once."""
    size = embedder.at_once
    return [list(texts[start : start + size]) for start in range(0, len(texts), size)]


def _embed_group(ledger: Ledger, embedder: Embedder, group: list[str]) -> bytes:
    inputs = {"embedding": embedder.identity, "texts": group}
    found: bytes = ledger.remember("embed", inputs, lambda: pack(embedder.embed(group)), count=len(group))
    return found


async def _embed_groups(
    ledger: Ledger, embedder: Embedder, groups: list[list[list[str]]]
) -> list[list[bytes]]:
    async with AsyncExitStack() as opened:
        connecting = asyncio.Lock()
        connected: list[Ask] = []

        async def compute(group: list[str]) -> bytes:
            async with connecting:
                if not connected:  # nothing is opened where all is recorded
                    ready = await opened.enter_async_context(embedder.opened())
                    connected.append(ready.ask_for or ready.ask_thread)
            return pack(await connected[0](group))

        async def one(group: list[str]) -> bytes:
            inputs = {"embedding": embedder.identity, "texts": group}
            try:
                found: bytes = await ledger.remember_call(
                    "embed", inputs, lambda: compute(group), count=len(group)
                )
            except StorageError:  # what cannot be recorded must not be paid for
                for task in tasks:
                    task.cancel()
                raise
            return found

        # any other that fails takes nothing from the rest, which is paid for
        tasks = [asyncio.ensure_future(one(group)) for document in groups for group in document]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    if failures:
        raise next((each for each in failures if isinstance(each, StorageError)), failures[0])
    left = iter(answers)
    return [[next(left) for _ in document] for document in groups]  # type: ignore[misc]  # none is an error


def pack(vectors: Vectors) -> bytes:
    """An array in NumPy's own format, which any tool can read."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(vectors, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


def unpack(data: bytes) -> Vectors:
    """The array that ``pack`` wrote."""
    vectors: Vectors = np.load(io.BytesIO(data), allow_pickle=False)
    return vectors


@cache
def _minilm_opened() -> Callable[[Sequence[str]], Vectors]:
    from dream.models.minilm import open_minilm

    return open_minilm()


_opening = threading.Lock()


def _minilm(texts: Sequence[str]) -> Vectors:
    with _opening:  # a cache lets several threads compute its first value, and this one takes 200 MB
        embed = _minilm_opened()
    return embed(texts)


def _over_http(name: str, model: OpenAIEmbedding, meter: Meter) -> Connect:
    price = model.prices.input if model.prices else 0.0

    async def request(client: AsyncOpenAI, gate: Gate, batch: list[str], key: str) -> list[list[float]]:
        import openai

        most = sum(len(text.encode()) for text in batch) * price / 1e6
        async with gate.call(most, sum(map(len, batch)) // LETTERS_PER_TOKEN) as leave:
            started = time.perf_counter()
            try:
                answer = await client.embeddings.create(model=model.model, input=batch)
            except openai.OpenAIError as error:
                raise told(error, name, key) from None
            leave.took_tokens = answer.usage.total_tokens if answer.usage else 0
            leave.took_dollars = leave.took_tokens * price / 1e6
            meter.took(time.perf_counter() - started)
        meter.embedding_requests += 1
        meter.embedding_tokens += leave.took_tokens
        meter.dollars += leave.took_dollars
        return [found.embedding for found in sorted(answer.data, key=lambda found: found.index)]

    @asynccontextmanager
    async def connect(gate: Gate) -> AsyncIterator[Ask]:
        key = resolve_key(name, model)
        async with open_client(model, key, gate) as client:

            async def ask(texts: Sequence[str]) -> Vectors:
                size = model.batch_size
                batches = [list(texts[start : start + size]) for start in range(0, len(texts), size)]
                answers = await asyncio.gather(*(request(client, gate, batch, key) for batch in batches))
                return np.asarray([vector for answer in answers for vector in answer], dtype=np.float32)

            yield ask

    return connect


def in_batches(embed: Ask, most: int) -> Callable[[str], Awaitable[Vectors]]:
    """What embeds one text, put together with others that are asked for within GATHER seconds.

    Args:
        embed: texts to vectors.
        most: texts of one batch.
    """
    waiting: list[tuple[str, asyncio.Future[Vectors]]] = []
    sending: set[asyncio.Task[None]] = set()

    def send() -> None:
        batch, waiting[:] = waiting[:most], waiting[most:]
        task = asyncio.create_task(arrive(batch))
        sending.add(task)  # the event loop alone would not keep it alive
        task.add_done_callback(sending.discard)
        if waiting:
            send()

    async def arrive(batch: list[tuple[str, asyncio.Future[Vectors]]]) -> None:
        try:
            vectors = await embed([text for text, _ in batch])
        except Exception as error:  # noqa: BLE001 - each who asked is told
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), vector in zip(batch, vectors, strict=True):
            if not future.done():
                future.set_result(vector)

    async def soon(text: str) -> Vectors:
        future: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        waiting.append((text, future))
        if len(waiting) == 1:
            asyncio.get_running_loop().call_later(GATHER, send)
        return await future

    return soon
