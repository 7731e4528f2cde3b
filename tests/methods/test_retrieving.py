"""How each method retrieves, compared with LlamaIndex's own retrievers on the same nodes and vectors."""

from __future__ import annotations

import asyncio
from functools import cache

import numpy as np
import pytest

from dream.methods import find_method
from dream.methods.method import Method
from dream.records import Chunk, Document
from dream.sweep.trial import IndexSearch

QUESTIONS = [
    "What happens when a merge is refused?",
    "Which threshold do we use for merging, and why was it raised?",
    "What does alarm E-417 mean on the Corvus pump?",
    "How many tokens does the context have on average?",
    "What changed after the incident with the heparin table?",
    "How are the rankings of both indexes joined?",
    "When did Wicket go live at Fernhollow General?",
    "Who wrote the song?",
]


def retrieve(method: Method, search: IndexSearch, question: str) -> list[Chunk]:
    return list(asyncio.run(method.retrieve(question, search)))


@pytest.mark.parametrize("method", ["chunks", "sentence_window"])
def test_the_nearest_are_those_of_a_plain_search(handbook, searched, words, method):
    chosen = find_method(method)(top_k=5)
    search = searched(chosen, handbook)
    leaves = search.index.leaves
    vectors = words.embed([leaf.embedded_text or leaf.text for leaf in leaves])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for question in QUESTIONS:
        (asked,) = words.embed([question])
        cosines = vectors @ asked / np.linalg.norm(asked)
        found = retrieve(chosen, search, question)
        assert [chunk.score for chunk in found] == pytest.approx(sorted(cosines)[:-6:-1], abs=1e-6)
        by_id = {leaf.id: cosine for leaf, cosine in zip(leaves, cosines, strict=True)}
        assert [chunk.score for chunk in found] == pytest.approx([by_id[c.id] for c in found], abs=1e-6)


def test_a_small_index_gives_what_it_has(searched):
    chosen = find_method("chunks")(top_k=10)
    search = searched(chosen, Document("short", "Only one chunk is here."))
    assert [chunk.text for chunk in retrieve(chosen, search, "one?")] == ["Only one chunk is here."]
    assert retrieve(chosen, searched(chosen), "one?") == []


def llama_index_own(documents, sizes, overlap, embed, top_k, share):
    """Auto-merging as LlamaIndex's documentation puts it together, all parts its own."""
    from llama_index.core import Document as LlamaDocument
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.node_parser import HierarchicalNodeParser, get_leaf_nodes
    from llama_index.core.retrievers import AutoMergingRetriever
    from llama_index.core.storage.docstore import SimpleDocumentStore

    class Words(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return embed([text])[0].tolist()

        _get_query_embedding = _get_text_embedding

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    parser = HierarchicalNodeParser.from_defaults(chunk_sizes=sizes, chunk_overlap=overlap)
    nodes = parser.get_nodes_from_documents([LlamaDocument(text=each.text) for each in documents])
    store = SimpleDocumentStore()
    store.add_documents(nodes)
    context = StorageContext.from_defaults(docstore=store)
    index = VectorStoreIndex(get_leaf_nodes(nodes), storage_context=context, embed_model=Words())
    retriever = AutoMergingRetriever(
        index.as_retriever(similarity_top_k=top_k), context, simple_ratio_thresh=share
    )

    @cache
    def ask(question: str) -> list[tuple[str, float]]:
        return [(found.text, found.score) for found in retriever.retrieve(question)]

    return ask


@pytest.mark.parametrize(
    ("sizes", "overlap", "top_k", "share"),
    [([256, 64], 0, 12, 0.5), ([512, 256, 128], 16, 8, 0.5), ([300, 100, 32], 8, 30, 0.3)],
)
def test_auto_merging_is_that_of_llama_index(handbook, searched, words, sizes, overlap, top_k, share):
    halves = [Document("a", handbook.text[:8000]), Document("b", handbook.text[8000:])]
    theirs = llama_index_own(halves, sizes, overlap, words.embed, top_k, share)
    chosen = find_method("auto_merging")(
        chunk_sizes=sizes, chunk_overlap=overlap, top_k=top_k, merge_share=share
    )
    search = searched(chosen, *halves)
    merged = 0
    for question in QUESTIONS:
        ours = retrieve(chosen, search, question)
        expected = theirs(question)
        assert sorted(chunk.text for chunk in ours) == sorted(text for text, _ in expected)
        assert [chunk.score for chunk in ours] == pytest.approx([score for _, score in expected], abs=1e-6)
        merged += sum(chunk.id in search.index.parents for chunk in ours)
    assert merged > 0


def test_documents_have_no_neighbours(searched):
    texts = ["Cherries are sweet and red.", "Every engine needs its oil.", "Sweet red apples grow in May."]
    documents = [Document(str(place), text) for place, text in enumerate(texts)]
    chosen = find_method("auto_merging")(top_k=2)
    found = retrieve(chosen, searched(chosen, *documents), "What is sweet and red?")
    assert sorted(chunk.text for chunk in found) == [texts[0], texts[2]]


def test_siblings_merge_into_their_parent_only_when_enough_were_found(handbook, searched):
    def contexts(share: float) -> list[Chunk]:
        chosen = find_method("auto_merging")(chunk_sizes=[256, 64], top_k=20, merge_share=share)
        return retrieve(chosen, searched(chosen, handbook), QUESTIONS[0])

    greedy, usual, never = contexts(0.0), contexts(0.5), contexts(1.0)
    assert all(chunk.parent is None for chunk in greedy)
    assert {chunk.parent is None for chunk in usual} == {True, False}
    assert all(chunk.parent is not None for chunk in never) and len(never) >= 20 > len(usual) > len(greedy)


@pytest.mark.parametrize(
    ("method", "one", "other", "shared"),
    [
        ("chunks", {"top_k": 2}, {"top_k": 8}, True),
        ("chunks", {"chunk_size": 128}, {"chunk_size": 256}, False),
        ("chunks", {"chunk_overlap": 0}, {"chunk_overlap": 8}, False),
        ("sentence_window", {"top_k": 2}, {"top_k": 8}, True),
        ("sentence_window", {"window": 2}, {"window": 3}, False),
        ("auto_merging", {"top_k": 2, "merge_share": 0.2}, {"top_k": 8, "merge_share": 0.9}, True),
        ("auto_merging", {"chunk_sizes": [512, 128]}, {"chunk_sizes": [512, 64]}, False),
    ],
)
def test_knobs_of_the_query_share_an_index_and_knobs_of_the_split_do_not(method, one, other, shared):
    first, second = find_method(method)(**one), find_method(method)(**other)
    assert (first.splitter() == second.splitter()) is shared
    assert first.identity() != second.identity()


def test_an_index_that_is_there_is_not_embedded_again(handbook, searched, ledger):
    searched(find_method("chunks")(top_k=2), handbook)
    made = dict(ledger.made)
    searched(find_method("chunks")(top_k=9), handbook)
    assert dict(ledger.made) == made and made["index"] == 1 and made["embed"] > 10


def test_a_new_document_costs_only_itself(handbook, searched, ledger):
    method = find_method("chunks")()
    searched(method, handbook)
    before = ledger.made["embed"]
    searched(method, handbook, Document("new", "One more sentence."))
    assert ledger.made["embed"] == before + 1 and ledger.made["index"] == 2
