"""Questions that ask what another one asks, in other words: they count one thing twice.

What differs in case and punctuation only, or by a few letters, is removed when the dataset is built; here
are those that mean the same. Two questions are held to be one where their embeddings are close, their
answers agree, and they name the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from dream.golden.audit.finding import DUPLICATE, Finding
from dream.golden.duplicates import plain
from dream.models.embedding import Vectors
from dream.models.offline.words import terms
from dream.records import Question

CLOSE = 0.8
"""Cosine of two questions from which on they may ask the same, for MiniLM and models of its kind."""

AGREE = 0.6
"""Share of the shorter answer's words that the other one must hold."""

BLOCK = 1024

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def find_duplicates(questions: Sequence[Question], vectors: Vectors, close: float = CLOSE) -> list[Finding]:
    """For each question that repeats an earlier one, that one.

    Args:
        questions: as built.
        vectors: of the questions' texts, float32 of shape [questions, dimensions].
        close: least cosine.

    >>> pair = [Question("a", "What runs tasks?", "Ray"), Question("b", "Tasks are run by what?", "Ray.")]
    >>> [(found.question, found.other) for found in find_duplicates(pair, np.float32([[1, 0], [1, 0.1]]))]
    [('b', 'a')]
    """
    unit = unit_rows(vectors)
    found = []
    for start in range(0, len(questions), BLOCK):
        cosines = unit[start : start + BLOCK] @ unit.T
        for row, later in enumerate(range(start, min(start + BLOCK, len(questions)))):
            near = [int(place) for place in np.flatnonzero(cosines[row, :later] >= close)]
            same = [place for place in near if _same(questions[later], questions[place])]
            if same:
                earlier = max(same, key=lambda place: float(cosines[row, place]))
                found.append(_finding(questions[later], questions[earlier], float(cosines[row, earlier])))
    return found


def unit_rows(vectors: Vectors) -> Vectors:
    """The vectors at length 1; those without any length stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return unit


def _same(one: Question, other: Question) -> bool:
    numbers = [sorted(_NUMBER.findall(question.question)) for question in (one, other)]
    return numbers[0] == numbers[1] and one.answerable == other.answerable and _agree(one, other)


def _agree(one: Question, other: Question) -> bool:
    """Whether two answers say the same, as far as their words tell."""
    if plain(one.reference) == plain(other.reference):
        return True
    ours, theirs = set(terms(one.reference)), set(terms(other.reference))
    shorter, longer = sorted((ours, theirs), key=len)
    numbers = [{term for term in held if term[0].isdigit()} for held in (ours, theirs)]
    return bool(shorter) and numbers[0] == numbers[1] and len(shorter & longer) / len(shorter) >= AGREE


def _finding(later: Question, earlier: Question, cosine: float) -> Finding:
    return Finding(
        later.id,
        DUPLICATE.name,
        f'It asks what {earlier.id} asks, "{_short(earlier.question)}", and has the same answer.',
        f"Drop one of the two: {earlier.id} counts twice otherwise.",
        round(min(1.0, cosine), 3),
        earlier.id,
    )


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
