"""How far evidence comes in an index: is there a chunk that holds it, and how near is that to the question?

The rank is that of a plain search for the question itself. A method that searches for something else, or
orders what it found anew, may reach the evidence sooner or later than this tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dream.models.embedding import Vectors
from dream.records import Chunk, Reach, Span
from dream.retrieval.index import Index


def reach_of(index: Index, vector: Vectors, evidence: Sequence[Span]) -> tuple[Reach, ...]:
    """For each piece of evidence, whether a chunk covers it, and the rank of the first that leads there.

    A leaf leads to the evidence if it covers it. Where only a parent does (auto-merging), the leaves below
    that parent lead to it that hold a part of the evidence.

    Args:
        index: of the arm.
        vector: of the question.
        evidence: the spans that hold what the answer needs.
    """
    leading = [_leading(index, span) for span in evidence]
    if not any(places for places in leading if places):
        return tuple(Reach(places is not None) for places in leading)
    length = float(np.linalg.norm(vector))
    scores = index.vectors @ (vector / length if length else vector)
    return tuple(Reach(places is not None, _rank(scores, places)) for places in leading)


def _leading(index: Index, span: Span) -> list[int] | None:
    """Places of the leaves that lead to the span; ``None`` where no chunk covers it."""
    held = _by_document(index).get(span.document)
    if held is None:
        return None
    touches = (held.starts < span.end) & (held.ends > span.start)
    touching = [int(place) for place in held.leaves[touches]]
    covering = [place for place in touching if index.leaves[place].covers(span)]
    if covering:
        return covering
    above = {parent.id for parent in held.parents if parent.covers(span)}
    if not above:
        return None
    return [place for place in touching if above & set(_ancestors(index, index.leaves[place]))]


def _rank(scores: NDArray[Any], places: Sequence[int] | None) -> int | None:
    """As ``Index.nearest`` orders: greatest score first, equal ones by place."""
    if not places:
        return None
    best = max(places, key=lambda place: (scores[place], -place))
    return 1 + int((scores > scores[best]).sum()) + int((scores[:best] == scores[best]).sum())


def _ancestors(index: Index, chunk: Chunk) -> list[str]:
    found = []
    while chunk.parent is not None and chunk.parent in index.parents:
        found.append(chunk.parent)
        chunk = index.parents[chunk.parent]
    return found


@dataclass(frozen=True)
class _Held:
    """What an index holds of one document: the places and spans of its leaves, and its parents."""

    leaves: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    parents: tuple[Chunk, ...]


@lru_cache(maxsize=8)
def _by_document(index: Index) -> dict[str, _Held]:
    leaves: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    parents: dict[str, list[Chunk]] = defaultdict(list)
    for place, leaf in enumerate(index.leaves):
        if leaf.span is not None:
            leaves[leaf.span.document].append((place, leaf.span.start, leaf.span.end))
    for parent in index.parents.values():
        if parent.span is not None:
            parents[parent.span.document].append(parent)
    found = {}
    for document, places in leaves.items():
        columns = np.array(places, dtype=np.int64).T
        found[document] = _Held(columns[0], columns[1], columns[2], tuple(parents[document]))
    return found
