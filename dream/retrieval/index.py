"""An index: chunks and their vectors, built once, never changed, memory-mapped by everyone on a node.

``build_index`` writes two files under a name that is the hash of all that went into them, then records
the name in the ledger, which publishes the index. ``open_index`` maps the vectors, so that any number
of trials on a node share one copy in the page cache.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dream.errors import StorageError
from dream.ledger import Ledger, key_of
from dream.models.embedding import Embedder, Vectors, embed_documents, pack
from dream.records import Chunk, Document, digest_of, from_json, to_json
from dream.storage import Folder, Storage

ROUGHLY = 1e-4  # more than what a cosine of float32 is wrong by


@dataclass(frozen=True, eq=False)
class Index:
    """Chunks that can be searched by vector.

    Attributes:
        id: hash of all that the index depends on.
        leaves: the chunks that have a vector, in the vectors' order.
        parents: chunks that hold leaves and have no vector (auto-merging), by id.
        vectors: float32 of shape [leaves, dimensions], each of length 1.
    """

    id: str
    leaves: tuple[Chunk, ...]
    parents: Mapping[str, Chunk]
    vectors: Vectors

    @cached_property
    def chunks(self) -> dict[str, Chunk]:
        """Leaves and parents, by id."""
        return {**{leaf.id: leaf for leaf in self.leaves}, **self.parents}

    def nearest(self, vector: Vectors, k: int) -> list[Chunk]:
        """The ``k`` leaves with the greatest cosine to the vector, best first, each with its score.

        The search is exact, and the same on every machine. Equal scores are ordered by their place in the
        corpus.
        """
        wanted = np.asarray(vector, dtype=np.float64)
        length = math.sqrt((wanted**2).sum())
        if not self.leaves or not length:  # to a text without words, every cosine is nought
            return [_scored(leaf, 0.0) for leaf in self.leaves[:k]]
        wanted /= length
        rough = self.vectors @ wanted.astype(np.float32)
        least = np.partition(rough, -k)[-k] if k < len(rough) else -np.inf
        near = np.flatnonzero(rough >= least - ROUGHLY)
        # a sum along rows has one order everywhere, a product of matrices that of the processor
        scores = (self.vectors[near] * wanted).sum(axis=1)
        best = np.argsort(-scores, kind="stable")[:k]
        return [_scored(self.leaves[near[one]], float(scores[one])) for one in best]


def _scored(chunk: Chunk, score: float) -> Chunk:
    return Chunk(chunk.id, chunk.text, chunk.span, chunk.page, chunk.embedded_text, chunk.parent, score)


def contents_of(documents: Sequence[Document]) -> tuple[tuple[str, str], ...]:
    """(id, digest of text and pages) of each document: what an index of them depends on."""
    return tuple((each.id, digest_of([each.text, list(each.pages)])) for each in documents)


def index_inputs(documents: Sequence[tuple[str, str]], splitter: Any, embedding: Any) -> dict[str, Any]:
    """What an index depends on: its key in the ledger.

    Args:
        documents: from ``contents_of``.
        splitter: identity of the method's splitting.
        embedding: identity of the embedding.
    """
    return {"documents": [list(each) for each in documents], "splitter": splitter, "embedding": embedding}


def build_index(
    ledger: Ledger,
    documents: Sequence[Document],
    splitter: Any,
    split: Callable[[Document], Sequence[Chunk]],
    embedder: Embedder,
) -> str:
    """Split, embed and store; gives the index's id. What is in the ledger is not done again.

    Args:
        ledger: remembers chunks and vectors of each document, and the finished index.
        documents: the corpus.
        splitter: identity of ``split``: its name, settings and code.
        split: a document into chunks; those that another names as its parent get no vector.
        embedder: the embedding.
    """
    inputs = index_inputs(contents_of(documents), splitter, embedder.identity)
    name = key_of("index", inputs).rpartition("/")[2][:24]

    found = ledger.find("index", inputs)
    if found is not None and _files_are_whole(ledger.storage, found):
        ledger.reused["index"] += 1
        return name

    def compute() -> Any:
        chunks = [split_once(ledger, document, splitter, split) for document in documents]
        texts = [found for mine in chunks if (found := leaf_texts(mine))]
        vectors = [_unit(found) for found in embed_documents(ledger, embedder, texts)]
        matrix = np.concatenate(vectors) if vectors else np.zeros((0, 1), dtype=np.float32)
        shown = [to_json(chunk) for mine in chunks for chunk in mine]
        written = json.dumps(shown, ensure_ascii=False).encode()
        return {
            "name": name,
            "chunks": ledger.storage.put(f"index/{name}/chunks.json", written),
            "vectors": ledger.storage.put(f"index/{name}/vectors.npy", pack(matrix)),
        }

    if found is None:
        ledger.remember("index", inputs, compute)
    else:  # its files were damaged or removed: made again under the same name
        ledger.record("index", inputs, compute())
    return name


def index_is_whole(ledger: Ledger, inputs: Any) -> bool:
    """Whether the index for these inputs was built and its files are as they were written."""
    found = ledger.find("index", inputs)
    return found is not None and _files_are_whole(ledger.storage, found)


def _files_are_whole(storage: Storage, found: dict[str, str]) -> bool:
    files = {"chunks": "chunks.json", "vectors": "vectors.npy"}
    return all(storage.digest(f"index/{found['name']}/{file}") == found[part] for part, file in files.items())


def split_once(
    ledger: Ledger, document: Document, splitter: Any, split: Callable[[Document], Sequence[Chunk]]
) -> list[Chunk]:
    """A document's chunks, cut once; arguments as those of ``build_index``."""
    inputs = {"document": contents_of([document])[0], "splitter": splitter}
    found = ledger.remember("chunk", inputs, lambda: [to_json(chunk) for chunk in split(document)])
    return [from_json(Chunk, chunk) for chunk in found]


def leaf_texts(chunks: Sequence[Chunk]) -> list[str]:
    """What is embedded of a document: the texts of the chunks that have a vector."""
    return [leaf.embedded_text or leaf.text for leaf in _leaves(chunks)]


def _leaves(chunks: Sequence[Chunk]) -> list[Chunk]:
    parents = {chunk.parent for chunk in chunks}
    return [chunk for chunk in chunks if chunk.id not in parents]


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.where(lengths > 0, vectors / np.maximum(lengths, 1e-12), vectors).astype(np.float32)
    return unit


def open_index(ledger: Ledger, inputs: Any, cache: Path) -> Index:
    """Open what ``build_index`` made for these inputs.

    Args:
        ledger: where it was recorded.
        inputs: from ``index_inputs``.
        cache: a folder of this machine for the files of an index that is stored in a bucket.

    Raises:
        StorageError: the index is not there, or damaged.
    """
    found = ledger.find("index", inputs)
    if found is None:
        raise StorageError("the index was not built", "ledger", "run again")
    name = found["name"]
    chunks = [
        from_json(Chunk, chunk)
        for chunk in json.loads(ledger.storage.get(f"index/{name}/chunks.json", found["chunks"]))
    ]
    path = _on_this_machine(ledger.storage, f"index/{name}/vectors.npy", found["vectors"], cache)
    vectors: Vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    leaves = _leaves(chunks)
    held = {leaf.id for leaf in leaves}
    return Index(name, tuple(leaves), {chunk.id: chunk for chunk in chunks if chunk.id not in held}, vectors)


def _on_this_machine(storage: Storage, key: str, digest: str, cache: Path) -> Path:
    if isinstance(storage, Folder):
        storage.get(key, digest)  # verifies; the pages it read are the ones that are mapped next
        return storage.root / key
    local = Folder(cache)
    if local.digest(key) != digest:
        local.put(key, storage.get(key, digest))
    return local.root / key
