"""The rank that a row keeps for its evidence is the place at which the methods themselves find it."""

from __future__ import annotations

import asyncio
import json

import pytest

from dream.golden.locate import locate
from dream.golden.raw import Piece
from dream.methods import find_method
from dream.records import Question

from .conftest import PDF

ROWS = [
    json.loads(line)
    for line in (PDF.parents[1] / "questions.jsonl").read_text("utf-8").splitlines()
    if PDF.name in line
]


def asked(handbook) -> list[Question]:
    """The quickstart's questions on the handbook, with the spans of their evidence."""
    made = []
    for row in ROWS:
        pieces = [Piece(each["text"]) for each in row["evidence"] if each["document"] == PDF.name]
        spans, misses = locate(pieces, [handbook])
        assert spans and not misses
        made.append(Question(row["id"], row["question"], row["reference"], spans))
    assert len(made) >= 8
    return made


@pytest.mark.parametrize("method", ["chunks", "sentence_window"])
@pytest.mark.parametrize("top_k", [1, 3, 10])
def test_evidence_is_retrieved_exactly_if_its_rank_is_within_top_k(handbook, searched, method, top_k):
    chosen = find_method(method)(top_k=top_k)
    search = searched(chosen, handbook)
    within = 0
    for question in asked(handbook):
        found = asyncio.run(chosen.retrieve(question.question, search))
        reached = asyncio.run(search.reach(question))
        for span, reach in zip(question.evidence, reached, strict=True):
            assert reach.chunked and reach.rank is not None
            assert any(chunk.covers(span) for chunk in found) == (reach.rank <= top_k)
            within += reach.rank <= top_k
    assert within > 0


def test_a_merged_parent_may_show_more_than_the_leaves_but_never_less(handbook, searched):
    chosen = find_method("auto_merging")(top_k=6)
    search = searched(chosen, handbook)
    for question in asked(handbook):
        found = asyncio.run(chosen.retrieve(question.question, search))
        leaves = asyncio.run(search.nearest(question.question, 6))
        for span, reach in zip(question.evidence, asyncio.run(search.reach(question)), strict=True):
            if any(leaf.covers(span) for leaf in leaves):
                assert reach.rank is not None and reach.rank <= 6
                assert any(chunk.covers(span) for chunk in found)
