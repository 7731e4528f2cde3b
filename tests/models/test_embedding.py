"""Embedding documents over HTTP: all requests under way together, each record a group of one document."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from dream.errors import ModelError
from dream.ledger import Ledger
from dream.models.capacity import Rules
from dream.models.embedding import Embedder, embed_documents, open_embedder
from dream.models.hashing import embed_by_hashing
from dream.models.limits import Bounds
from dream.models.offline import Faults, ServerOptions, start
from dream.storage import open_storage
from dream.study import OpenAIEmbedding

pytestmark = pytest.mark.servers

DOCUMENTS = [[f"sentence {number} of document {name}" for number in range(5)] for name in "abc"]


def embedder_at(url: str, calls_at_once: int = 16) -> Embedder:
    model = OpenAIEmbedding(
        provider="openai", model="hashing-64", base_url=url, api_key=None, batch_size=2, retries=0
    )
    return open_embedder("served", model, Bounds(Rules(calls_at_once)))


def test_documents_are_embedded_together_recorded_by_group_and_reused_without_a_client(tmp_path: Path):
    ledger = Ledger(open_storage(tmp_path))
    with start(ServerOptions(faults=Faults(latency=1.0))) as server:
        embed_documents(ledger, embedder_at(server.url), [["what is loaded with the first request"]])
        started = time.monotonic()
        found = embed_documents(ledger, embedder_at(server.url), DOCUMENTS)
        assert time.monotonic() - started < 6  # nine requests, one after the other nine seconds
        assert server.calls()["embeddings"] == 10
        assert ledger.made["embed"] == 16
        # a document that is added costs its own requests
        embed_documents(ledger, embedder_at(server.url), [*DOCUMENTS, ["something new"]])
        assert server.calls()["embeddings"] == 11

    for vectors, texts in zip(found, DOCUMENTS, strict=True):
        np.testing.assert_allclose(vectors, embed_by_hashing(texts, 64), atol=1e-6)
    again = Ledger(open_storage(tmp_path))
    same = embed_documents(again, embedder_at(server.url), DOCUMENTS)  # the server is gone
    assert all(np.array_equal(one, other) for one, other in zip(found, same, strict=True))
    assert not again.made
    assert again.reused["embed"] == 15


def test_requests_keep_to_the_limit_and_one_that_fails_takes_nothing_from_the_others(tmp_path: Path):
    ledger = Ledger(open_storage(tmp_path))
    with start(ServerOptions(faults=Faults(failing=0.4))) as server:
        with pytest.raises(ModelError, match="served: the call failed"):
            embed_documents(ledger, embedder_at(server.url, calls_at_once=1), DOCUMENTS)
        counts = server.calls()
        assert counts["embeddings"] + counts["errors"]["500"] == 9
        for _ in range(9):
            try:
                embed_documents(ledger, embedder_at(server.url), DOCUMENTS)
                break
            except ModelError:
                continue
        assert server.calls()["embeddings"] == 9
        assert server.calls()["repeats"] == 0
