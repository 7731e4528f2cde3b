"""The nearest chunks of an index: all of them compared, equals in the corpus's order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dream.records import Chunk
from dream.retrieval.index import Index

ROWS = np.random.default_rng(3).normal(size=(300, 48)).astype(np.float32)
ROWS[250:] = ROWS[:50]


@pytest.fixture(scope="module")
def index() -> Index:
    chunks = tuple(Chunk(str(place), f"text {place}") for place in range(len(ROWS)))
    return Index("i", chunks, {}, ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True))


@pytest.mark.parametrize("k", [1, 7, 299, 300, 1000])
def test_the_k_greatest_cosines_best_first(index: Index, k: int) -> None:
    for wanted in np.random.default_rng(4).normal(size=(20, 48)):
        exact = index.vectors.astype(np.float64) @ (wanted / np.linalg.norm(wanted))
        found = index.nearest(wanted, k)
        assert [chunk.score for chunk in found] == pytest.approx(sorted(exact, reverse=True)[:k], abs=1e-7)
        places = [int(chunk.id) for chunk in found]
        assert [chunk.score for chunk in found] == pytest.approx(exact[places], abs=1e-7)
        neighbours = pairwise(zip(places, found, strict=True))
        assert all(here < there for (here, one), (there, other) in neighbours if one.score == other.score)


def test_to_a_text_without_words_the_first_are_as_near_as_any(index: Index) -> None:
    found = index.nearest(np.zeros(48, np.float32), 3)
    assert [(chunk.id, chunk.score) for chunk in found] == [("0", 0.0), ("1", 0.0), ("2", 0.0)]
    assert Index("empty", (), {}, np.zeros((0, 48), np.float32)).nearest(np.ones(48), 3) == []
