"""Turns texts into vectors, each text once."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dream.errors import ModelError
from dream.ledger import Ledger
from dream.models.capacity import Rules
from dream.models.chat import LETTERS_PER_TOKEN, open_client, resolve_key, told
from dream.models.limits import Bounds, Gate
from dream.models.meter import Meter
from dream.study import HashingEmbedding, MiniLMEmbedding, OpenAIEmbedding

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Vectors = NDArray[np.float32]

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
    """

    name: str
    identity: dict[str, Any]
    compute: Callable[[Sequence[str]], Vectors]
    at_once: int = 64
    meter: Meter = field(default_factory=Meter)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, float32 of shape [texts, dimensions].

        Raises:
            ModelError: the model failed, or gave vectors that cannot be those of the texts.
        """
        vectors = self.compute(texts)
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
    return Embedder(name, identity, _over_http(name, model, bounds, meter), model.batch_size, meter)


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


def embed_document(ledger: Ledger, embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Vectors of one document's chunks, recorded as they come: adding a document costs that document.

    Returns:
        float32 of shape [texts, dimensions].
    """
    parts = []
    for start in range(0, len(texts), embedder.at_once):
        group = list(texts[start : start + embedder.at_once])
        inputs = {"embedding": embedder.identity, "texts": group}

        def compute(group: Sequence[str] = group) -> bytes:
            return pack(embedder.embed(group))

        parts.append(unpack(ledger.remember("embed", inputs, compute, count=len(group))))
    return np.concatenate(parts)


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


def _over_http(
    name: str, model: OpenAIEmbedding, bounds: Bounds, meter: Meter
) -> Callable[[Sequence[str]], Vectors]:
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

    async def all_requests(texts: Sequence[str]) -> list[list[list[float]]]:
        key = resolve_key(name, model)
        batches = [
            list(texts[start : start + model.batch_size]) for start in range(0, len(texts), model.batch_size)
        ]
        async with bounds.gate(model.base_url.rstrip("/")) as gate, open_client(model, key, gate) as client:
            return await asyncio.gather(*(request(client, gate, batch, key) for batch in batches))

    def embed(texts: Sequence[str]) -> Vectors:
        rows = [row for batch in asyncio.run(all_requests(texts)) for row in batch]
        return np.asarray(rows, dtype=np.float32)

    return embed
