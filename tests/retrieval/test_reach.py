"""How far evidence comes in an index."""

from __future__ import annotations

import numpy as np

from dream.records import Chunk, Reach, Span
from dream.retrieval.index import Index
from dream.retrieval.reach import reach_of


def index_of(leaves: list[Chunk], cosines: list[float], parents: tuple[Chunk, ...] = ()) -> Index:
    """An index whose leaves have these cosines to the vector (1, 0)."""
    vectors = np.array([[cosine, (1 - cosine**2) ** 0.5] for cosine in cosines], dtype=np.float32)
    return Index("i", tuple(leaves), {parent.id: parent for parent in parents}, vectors)


QUESTION = np.array([2.0, 0.0], dtype=np.float32)  # of any length


def leaf(number: int, start: int, end: int, parent: str | None = None) -> Chunk:
    return Chunk(f"a#{number}", "…", Span("a", start, end), parent=parent)


def test_the_rank_is_that_of_the_nearest_chunk_that_covers_the_evidence():
    leaves = [leaf(0, 0, 100), leaf(1, 80, 180), leaf(2, 160, 260), leaf(3, 240, 340)]
    index = index_of(leaves, [0.9, 0.2, 0.5, 0.7])
    assert reach_of(index, QUESTION, [Span("a", 165, 175)]) == (Reach(True, 3),)  # the third, not the second
    assert reach_of(index, QUESTION, [Span("a", 10, 20), Span("a", 100, 150)]) == (
        Reach(True, 1),
        Reach(True, 4),
    )
    found = [chunk.id for chunk in index.nearest(QUESTION, 4)]
    assert found.index("a#2") == 2 and found.index("a#1") == 3, "as the search itself orders"


def test_equal_scores_rank_by_place_as_the_search_orders_them():
    leaves = [leaf(number, 100 * number, 100 * number + 100) for number in range(5)]
    index = index_of(leaves, [0.5] * 5)
    for number, chunk in enumerate(index.nearest(QUESTION, 5)):
        assert reach_of(index, QUESTION, [chunk.span]) == (Reach(True, number + 1),)


def test_evidence_that_no_chunk_covers_has_no_rank():
    index = index_of([leaf(0, 0, 100), leaf(1, 100, 200)], [0.9, 0.2])
    long, elsewhere = Span("a", 50, 400), Span("b", 0, 10)
    assert reach_of(index, QUESTION, [long, elsewhere]) == (Reach(False), Reach(False))
    assert reach_of(index_of([], []), QUESTION, [long]) == (Reach(False),)
    half = Span("a", 50, 151)  # 50 of 101 characters in the first, 51 in the second
    assert reach_of(index, QUESTION, [half]) == (Reach(True, 2),)


def test_a_parent_that_covers_is_reached_by_those_of_its_leaves_that_hold_a_part():
    parent = Chunk("a#9", "…", Span("a", 0, 400))
    leaves = [leaf(number, 100 * number, 100 * number + 100, "a#9") for number in range(4)]
    index = index_of(leaves, [0.9, 0.2, 0.5, 0.3], (parent,))
    long = Span("a", 110, 390)
    assert not any(each.covers(long) for each in leaves) and parent.covers(long)
    assert reach_of(index, QUESTION, [long]) == (Reach(True, 2),)  # not by the first leaf, which holds none
