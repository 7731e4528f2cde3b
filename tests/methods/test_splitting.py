"""How each method cuts a real document: exact spans, sizes, overlap, windows, levels."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pydantic import ValidationError

from dream.methods import find_method
from dream.records import Chunk, Document


def split(document: Document, method: str, **knobs: object) -> list[Chunk]:
    return list(find_method(method)(**knobs).split(document))


def token_count(text: str) -> int:
    from llama_index.core.utils import get_tokenizer

    return len(get_tokenizer()(text))


ALL = [
    ("chunks", {}),
    ("chunks", {"chunk_size": 48, "chunk_overlap": 24}),
    ("chunks", {"chunk_size": 100, "chunk_overlap": 0}),
    ("sentence_window", {}),
    ("sentence_window", {"window": 0}),
    ("sentence_window", {"window": 50}),
    ("auto_merging", {}),
    ("auto_merging", {"chunk_sizes": [300, 40], "chunk_overlap": 0}),
    ("auto_merging", {"chunk_sizes": [800, 400, 200, 100, 50]}),
]


@pytest.mark.parametrize(("method", "knobs"), ALL, ids=str)
def test_every_chunk_stands_at_its_span(handbook, method, knobs):
    chunks = split(handbook, method, **knobs)
    assert len({chunk.id for chunk in chunks}) == len(chunks) > 5
    for chunk in chunks:
        assert chunk.span is not None and chunk.span.document == handbook.id
        assert handbook.text[chunk.span.start : chunk.span.end] == chunk.text


@pytest.mark.parametrize(("method", "knobs"), ALL, ids=str)
def test_no_word_of_the_document_is_lost(handbook, method, knobs):
    covered = bytearray(len(handbook.text))
    for chunk in split(handbook, method, **knobs):
        covered[chunk.span.start : chunk.span.end] = b"x" * (chunk.span.end - chunk.span.start)
    left = "".join(letter for letter, seen in zip(handbook.text, covered, strict=True) if not seen)
    assert not any(letter.isalnum() for letter in left)


@pytest.mark.parametrize("method", ["chunks", "sentence_window", "auto_merging"])
def test_a_chunk_knows_its_page(handbook, method):
    chunks = split(handbook, method)
    pages = [chunk.page for chunk in chunks if chunk.parent is None]
    assert pages == sorted(pages) and pages[0] == 1 and pages[-1] == len(handbook.pages)
    for chunk in chunks:
        where = chunk.text.find(chunk.embedded_text or chunk.text) + chunk.span.start
        assert chunk.page == handbook.page_at(where)


@pytest.mark.parametrize("method", ["chunks", "sentence_window", "auto_merging"])
def test_equal_passages_are_told_apart_by_their_order(method):
    pages = [f"Alder Valley Hospitals. Call the pharmacy first.\n\nPage {number}." for number in range(60)]
    document = Document("twice", "\n\n".join(pages))
    knobs = {
        "chunks": {"chunk_size": 16, "chunk_overlap": 4},
        "sentence_window": {"window": 1},
        "auto_merging": {"chunk_sizes": [64, 16], "chunk_overlap": 4},
    }
    chunks = split(document, method, **knobs[method])
    tops = [chunk.span.start for chunk in chunks if chunk.parent is None]
    assert tops == sorted(tops) and tops[-1] > len(document.text) * 0.9
    for chunk in chunks:
        assert document.text[chunk.span.start : chunk.span.end] == chunk.text


@pytest.mark.parametrize("method", ["chunks", "sentence_window", "auto_merging"])
@pytest.mark.parametrize("text", ["", "   \n\n ", "one", "文書。" * 50, "a" * 5000, "\x00.\u2028?!…"])
def test_strange_texts_are_cut_without_a_fall(method, text):
    for chunk in split(Document("strange", text), method):
        if chunk.span is not None:
            assert text[chunk.span.start : chunk.span.end] == chunk.text


@pytest.mark.parametrize(("size", "overlap"), [(64, 0), (64, 16), (256, 32)])
def test_chunks_are_no_longer_and_share_no_more_than_told(handbook, size, overlap):
    chunks = split(handbook, "chunks", chunk_size=size, chunk_overlap=overlap)
    assert max(token_count(chunk.text) for chunk in chunks) <= size
    shared = [handbook.text[after.span.start : before.span.end] for before, after in pairwise(chunks)]
    assert max(map(token_count, shared)) <= overlap
    # LlamaIndex shares whole sentences only, so some neighbours share nothing
    assert sum(bool(text.strip()) for text in shared) >= (len(shared) // 3 if overlap else 0)
    assert overlap or not any(shared)


def test_more_overlap_makes_more_chunks(handbook):
    counts = [len(split(handbook, "chunks", chunk_size=64, chunk_overlap=n)) for n in (0, 16, 48)]
    assert counts == sorted(set(counts))


SENTENCES = ["Alpha comes first.", "Beta is second.", "Gamma is third.", "Delta is fourth.", "Epsilon ends."]


@pytest.mark.parametrize("window", [0, 1, 2, 10])
def test_a_window_holds_as_many_sentences_on_each_side_as_told(window):
    chunks = split(Document("greek", " ".join(SENTENCES)), "sentence_window", window=window)
    assert [chunk.embedded_text for chunk in chunks] == SENTENCES
    expected = [" ".join(SENTENCES[max(0, place - window) : place + window + 1]) for place in range(5)]
    assert [chunk.text for chunk in chunks] == expected


def test_a_sentence_of_bullets_only_is_not_indexed_but_shown():
    chunks = split(Document("list", "First is here. * * *. Last is there."), "sentence_window", window=1)
    assert all(any(letter.isalnum() for letter in chunk.embedded_text) for chunk in chunks)
    assert "* * *" in chunks[0].text


def test_levels_nest(handbook):
    sizes = [512, 256, 128]
    chunks = split(handbook, "auto_merging", chunk_sizes=sizes, chunk_overlap=16)
    by_id = {chunk.id: chunk for chunk in chunks}

    def level(chunk: Chunk) -> int:
        return level(by_id[chunk.parent]) + 1 if chunk.parent else 0

    assert {level(chunk) for chunk in chunks} == {0, 1, 2}
    for chunk in chunks:
        assert token_count(chunk.text) <= sizes[level(chunk)]
        if chunk.parent:
            parent = by_id[chunk.parent].span
            assert parent.start <= chunk.span.start and chunk.span.end <= parent.end


def test_only_leaves_are_indexed(handbook, searched):
    method = find_method("auto_merging")()
    chunks = list(method.split(handbook))
    parents = {chunk.parent for chunk in chunks if chunk.parent}
    index = searched(method, handbook).index
    assert {leaf.id for leaf in index.leaves} == {chunk.id for chunk in chunks} - parents
    assert set(index.parents) == parents and len(index.vectors) == len(index.leaves)


@pytest.mark.parametrize(
    ("method", "knobs", "reason"),
    [
        ("auto_merging", {"chunk_sizes": [128, 256, 512]}, r"must descend.*such as \[512, 256, 128\]"),
        ("auto_merging", {"chunk_sizes": [256, 256]}, "must descend"),
        ("auto_merging", {"chunk_sizes": [256, 128, 8]}, "down to 16 at least"),
        ("auto_merging", {"chunk_sizes": [256]}, "at least 2 items"),
        ("auto_merging", {"chunk_sizes": [64, 32], "chunk_overlap": 32}, "chunk_overlap must be below 32"),
        ("chunks", {"chunk_size": 64, "chunk_overlap": 64}, "chunk_overlap must be below chunk_size, 64"),
        ("sentence_window", {"window": -1}, "greater than or equal to 0"),
        ("chunks", {"windows": 1}, "not permitted"),
    ],
)
def test_knobs_that_cannot_work_are_refused_with_the_reason(method, knobs, reason):
    with pytest.raises(ValidationError, match=reason):
        find_method(method)(**knobs)
