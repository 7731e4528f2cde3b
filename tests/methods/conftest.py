"""A real document, read from its PDF, and an index of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dream.corpus import read_document
from dream.ledger import Ledger
from dream.methods import Method
from dream.models.embedding import Embedder, open_embedder
from dream.records import Document
from dream.retrieval.index import build_index, contents_of, index_inputs, open_index
from dream.storage import open_storage
from dream.study import HashingEmbedding
from dream.sweep.trial import IndexSearch

PDF = Path(__file__).parents[2] / "examples" / "quickstart" / "corpus" / "01-rag-methods.pdf"


@pytest.fixture(scope="session")
def handbook() -> Document:
    document, problems = read_document(PDF.name, PDF.read_bytes(), str(PDF))
    assert document is not None and not problems and len(document.pages) > 4
    return document


@pytest.fixture(scope="session")
def words() -> Embedder:
    return open_embedder("words", HashingEmbedding(provider="hashing", dimensions=256))


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(open_storage(tmp_path / "ledger"))


@pytest.fixture
def searched(ledger, words, tmp_path) -> Callable[..., IndexSearch]:
    """The way into an index that is built with a method."""

    def build(method: Method, *documents: Document) -> IndexSearch:
        build_index(ledger, documents, method.splitter(), method.split, words)
        inputs = index_inputs(contents_of(documents), method.splitter(), words.identity)
        return IndexSearch(open_index(ledger, inputs, tmp_path / "cache"), words, ledger)

    return build
