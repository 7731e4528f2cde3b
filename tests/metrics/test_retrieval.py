"""Retrieval metrics against cases counted by hand and against scikit-learn."""

from __future__ import annotations

import random
from math import log2

import numpy as np
import pytest

from dream.metrics.retrieval import mrr, ndcg, precision_at_k, recall_at_k
from dream.records import Chunk, Span


def chunk(document: str, start: int, end: int) -> Chunk:
    return Chunk(f"{document}{start}", "…", Span(document, start, end))


FIRST, SECOND = Span("a", 100, 200), Span("b", 0, 10)
WHOLE, HALF, UNDER_HALF = chunk("a", 0, 500), chunk("a", 150, 400), chunk("a", 151, 400)
OTHER, BESIDE = chunk("b", 0, 50), chunk("c", 100, 200)
NOWHERE = Chunk("x", "not verbatim in any document")

# retrieved, evidence, k, then recall, precision, reciprocal rank and nDCG
CASES = [
    ([WHOLE], [FIRST], 5, 1, 1, 1, 1),
    ([HALF], [FIRST], 5, 1, 1, 1, 1),
    ([UNDER_HALF], [FIRST], 5, 0, 0, 0, 0),
    ([], [FIRST], 5, 0, 0, 0, 0),
    ([NOWHERE], [FIRST], 5, 0, 0, 0, 0),
    ([BESIDE, WHOLE], [FIRST], 5, 1, 1 / 2, 1 / 2, 1 / log2(3)),
    ([BESIDE, WHOLE], [FIRST], 1, 0, 0, 0, 0),
    ([WHOLE, BESIDE, BESIDE, BESIDE], [FIRST], 2, 1, 1 / 2, 1, 1),
    ([WHOLE], [FIRST, SECOND], 5, 1 / 2, 1, 1, 1 / (1 + 1 / log2(3))),
    ([WHOLE, OTHER], [FIRST, SECOND], 5, 1, 1, 1, 1),
    ([OTHER, BESIDE, WHOLE], [FIRST, SECOND], 5, 1, 2 / 3, 1, (1 + 1 / 2) / (1 + 1 / log2(3))),
    ([WHOLE, HALF, OTHER], [FIRST, SECOND], 5, 1, 1, 1, (1 + 1 / 2) / (1 + 1 / log2(3))),
    # the ideal at k = 1 can hold one of the two spans
    ([WHOLE], [FIRST, SECOND], 1, 1 / 2, 1, 1, 1),
    # one chunk that covers both spans is better than the ideal foresees
    ([chunk("a", 0, 500)], [FIRST, Span("a", 300, 310)], 5, 1, 1, 1, 1),
    ([BESIDE], [Span("c", 5, 5)], 5, 0, 0, 0, 0),
]


@pytest.mark.parametrize(("retrieved", "evidence", "k", "recall", "precision", "rank", "gain"), CASES)
def test_cases_counted_by_hand(retrieved, evidence, k, recall, precision, rank, gain):
    asked = {"retrieved": retrieved, "evidence": evidence, "k": k}
    found = [recall_at_k(**asked), precision_at_k(**asked), mrr(**asked), ndcg(**asked)]
    assert found == pytest.approx([recall, precision, rank, gain])


def rankings() -> list[tuple[list[Chunk], list[Span], list[int], int]]:
    """Each chunk covers its own span or none: there all definitions of the metrics agree."""
    chance = random.Random(5)
    made = []
    for _ in range(200):
        size = chance.randrange(2, 12)
        chunks = [chunk("d", 100 * place, 100 * place + 80) for place in range(size)]
        chance.shuffle(chunks)
        relevant = [chance.random() < 0.4 for _ in chunks]
        if any(relevant):
            evidence = [one.span for one, counts in zip(chunks, relevant, strict=True) if counts]
            made.append((chunks, evidence, [int(counts) for counts in relevant], chance.randrange(1, 14)))
    return made


def test_ndcg_is_that_of_scikit_learn():
    from sklearn.metrics import ndcg_score

    for chunks, evidence, relevant, k in rankings():
        order = -np.arange(len(chunks), dtype=float)
        assert ndcg(chunks, evidence, k) == pytest.approx(ndcg_score([relevant], [order], k=k))


def test_the_reciprocal_rank_is_that_of_scikit_learn():
    from sklearn.metrics import label_ranking_average_precision_score

    for chunks, evidence, relevant, _ in rankings():
        first = [int(place == relevant.index(1)) for place in range(len(relevant))]  # one label: 1 / rank
        order = -np.arange(len(chunks), dtype=float)
        expected = label_ranking_average_precision_score([first], [order])
        assert mrr(chunks, evidence, len(chunks)) == pytest.approx(expected)


def test_recall_and_precision_are_those_of_scikit_learn():
    from sklearn.metrics import precision_score, recall_score

    for chunks, evidence, relevant, k in rankings():
        taken = [int(place < k) for place in range(len(chunks))]
        assert recall_at_k(chunks, evidence, k) == pytest.approx(recall_score(relevant, taken))
        assert precision_at_k(chunks, evidence, k) == pytest.approx(precision_score(relevant, taken))


def test_every_score_lies_between_0_and_1_and_recall_grows_with_k():
    chance = random.Random(6)
    for _ in range(300):
        chunks = [chunk(chance.choice("ab"), start := chance.randrange(300), start + 90) for _ in range(8)]
        evidence = [Span(chance.choice("ab"), start := chance.randrange(300), start + 40) for _ in range(3)]
        recalls = []
        for k in range(1, 9):
            scores = [metric(chunks, evidence, k) for metric in (recall_at_k, precision_at_k, mrr, ndcg)]
            assert all(0 <= score <= 1 for score in scores)
            recalls.append(scores[0])
        assert recalls == sorted(recalls)
