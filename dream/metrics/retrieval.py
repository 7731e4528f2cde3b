"""Was the evidence retrieved? Exact, free, and comparable between chunkings.

A question's evidence is a list of character spans. A chunk is *relevant* when it covers at least half
of the characters of one of them; a span is *found* when a relevant chunk covers it. Formulas as in
Manning, Raghavan and Schütze, *Introduction to Information Retrieval*, chapter 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dream.metrics.metric import metric
from dream.records import Chunk, Span


def _relevant(retrieved: Sequence[Chunk], evidence: Sequence[Span], k: int) -> list[bool]:
    return [any(chunk.covers(span) for span in evidence) for chunk in retrieved[:k]]


@metric
def recall_at_k(retrieved: Sequence[Chunk], evidence: Sequence[Span], k: int) -> float:
    """Share of the evidence spans that the first ``k`` chunks cover.

    >>> chunks = [Chunk("1", "…", Span("a", 0, 100)), Chunk("2", "…", Span("c", 0, 100))]
    >>> recall_at_k(chunks, [Span("a", 40, 60), Span("b", 0, 9)], k=2)
    0.5
    """
    found = sum(any(chunk.covers(span) for chunk in retrieved[:k]) for span in evidence)
    return found / len(evidence)


@metric
def precision_at_k(retrieved: Sequence[Chunk], evidence: Sequence[Span], k: int) -> float:
    """Share of the first ``k`` chunks that are relevant; of those retrieved, where they are fewer.

    >>> chunks = [Chunk("1", "…", Span("a", 0, 100)), Chunk("2", "…", Span("c", 0, 100))]
    >>> precision_at_k(chunks, [Span("a", 40, 60)], k=2)
    0.5
    """
    relevant = _relevant(retrieved, evidence, k)
    return sum(relevant) / len(relevant) if relevant else 0.0


@metric
def mrr(retrieved: Sequence[Chunk], evidence: Sequence[Span], k: int) -> float:
    """Reciprocal rank: 1 / place of the first relevant chunk among the first ``k``, 0 without one.

    Its mean over questions is the mean reciprocal rank.

    >>> chunks = [Chunk("1", "…", Span("c", 0, 100)), Chunk("2", "…", Span("a", 0, 100))]
    >>> mrr(chunks, [Span("a", 40, 60)], k=5)
    0.5
    """
    for place, relevant in enumerate(_relevant(retrieved, evidence, k), start=1):
        if relevant:
            return 1 / place
    return 0.0


@metric
def ndcg(retrieved: Sequence[Chunk], evidence: Sequence[Span], k: int) -> float:
    """Normalised discounted cumulative gain over evidence spans, at ``k``.

    A chunk gains 1 for each span that no chunk before it covered, discounted by log2(place + 1); the
    ideal ranking covers one span more at each place. Järvelin and Kekäläinen, 2002.

    >>> chunks = [Chunk("1", "…", Span("a", 0, 100)), Chunk("2", "…", Span("c", 0, 100))]
    >>> ndcg(chunks, [Span("a", 40, 60)], k=5)
    1.0
    """
    left = list(evidence)
    gained = 0.0
    for place, chunk in enumerate(retrieved[:k], start=1):
        new = [span for span in left if chunk.covers(span)]
        left = [span for span in left if span not in new]
        gained += len(new) / math.log2(place + 1)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(evidence)) + 1))
    # One chunk may cover several spans at once, which the ideal does not foresee.
    return min(1.0, gained / ideal)
