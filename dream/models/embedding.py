"""Turns texts into vectors, each text once."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dream.ledger import Ledger
from dream.models.chat import resolve_key, told
from dream.study import HashingEmbedding, MiniLMEmbedding, OpenAIEmbedding

Vectors = NDArray[np.float32]

TEXTS_IN_A_GROUP = 64


@dataclass(frozen=True)
class Embedder:
    """An embedding model that is ready to use.

    Attributes:
        name: what the study calls it.
        identity: everything that its vectors depend on, for the ledger.
        embed: texts to float32 vectors of shape [texts, dimensions], not necessarily of length 1.
    """

    name: str
    identity: dict[str, Any]
    embed: Callable[[Sequence[str]], Vectors]


def open_embedder(name: str, model: OpenAIEmbedding | MiniLMEmbedding | HashingEmbedding) -> Embedder:
    """Make an embedding of the study ready; weights are opened at the first text.

    Raises:
        ModelError: its key's environment variable is not set here.
    """
    identity = embedding_identity(model)
    if isinstance(model, HashingEmbedding):
        from dream.models.hashing import embed_by_hashing

        return Embedder(name, identity, lambda texts: embed_by_hashing(texts, model.dimensions))
    if isinstance(model, MiniLMEmbedding):
        return Embedder(name, identity, _minilm)
    return Embedder(name, identity, _over_http(name, model))


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
    for start in range(0, len(distinct), TEXTS_IN_A_GROUP):
        group = distinct[start : start + TEXTS_IN_A_GROUP]
        inputs = [{"embedding": embedder.identity, "text": text} for text in group]

        def compute(places: Sequence[int], group: Sequence[str] = group) -> list[bytes]:
            return [pack(vector) for vector in embedder.embed([group[place] for place in places])]

        found = ledger.remember_many("embed", inputs, compute)
        vectors |= {text: unpack(data) for text, data in zip(group, found, strict=True)}
    return np.stack([vectors[text] for text in texts])


def embed_document(ledger: Ledger, embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Vectors of one document's chunks, recorded together: adding a document costs that document.

    Returns:
        float32 of shape [texts, dimensions].
    """
    inputs = {"embedding": embedder.identity, "texts": list(texts)}
    data: bytes = ledger.remember("embed", inputs, lambda: pack(embedder.embed(texts)), count=len(texts))
    return unpack(data)


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


def _minilm(texts: Sequence[str]) -> Vectors:
    return _minilm_opened()(texts)


def _over_http(name: str, model: OpenAIEmbedding) -> Callable[[Sequence[str]], Vectors]:
    def embed(texts: Sequence[str]) -> Vectors:
        import openai

        key = resolve_key(name, model)
        rows: list[list[float]] = []
        with openai.OpenAI(
            base_url=model.base_url, api_key=key or "none", max_retries=model.retries, timeout=model.timeout
        ) as client:
            for start in range(0, len(texts), model.batch_size):
                batch = list(texts[start : start + model.batch_size])
                try:
                    answer = client.embeddings.create(model=model.model, input=batch)
                except openai.OpenAIError as error:
                    raise told(error, name, key) from None
                rows += [found.embedding for found in sorted(answer.data, key=lambda found: found.index)]
        return np.asarray(rows, dtype=np.float32)

    return embed
