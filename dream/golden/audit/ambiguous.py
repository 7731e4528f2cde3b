"""Questions that a passage outside their evidence answers too: an arm that finds it is scored as wrong.

For each question the passages nearest to it are looked at, as a retriever would. One outside the evidence
is reported where it holds what the reference says beyond the question, and fits the question about as
well as the evidence does, by words and by embedding.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dream.golden.audit.duplicates import unit_rows
from dream.golden.audit.finding import AMBIGUOUS, Finding
from dream.golden.audit.passages import Passage
from dream.models.embedding import Vectors
from dream.models.offline.words import is_number, terms
from dream.records import Question

NEAREST = 10
"""Passages looked at for each question: what a generous retriever would show."""

HOLDS = 0.8
"""Share of the reference's words, beyond the question's, that the passage must hold; all of its numbers."""

FITS = 0.9
"""Share of the evidence's own fit to the question, by words, that the passage must reach."""

BEHIND = 0.05
"""How far the passage's cosine may lie behind the evidence's."""


@dataclass(frozen=True)
class Alternative:
    """A passage that seems to answer a question as well as its evidence does.

    Attributes:
        question: the question.
        passage: the other passage.
        figure: its fit to the question by words, 0 to 1.
    """

    question: Question
    passage: Passage
    figure: float


def find_alternatives(
    questions: Sequence[Question], passages: Sequence[Passage], asked: Vectors, held: Vectors
) -> list[Alternative]:
    """The best such passage for each question that has one.

    Args:
        questions: those without located evidence, or with several pieces of it, are passed over.
        passages: of all documents, as ``cut_passages`` gives them.
        asked: vectors of the questions, of shape [questions, dimensions].
        held: vectors of the passages, of shape [passages, dimensions].
    """
    questions_at, passages_at = unit_rows(asked), unit_rows(held)
    places: dict[str, list[int]] = {}
    for place, passage in enumerate(passages):
        places.setdefault(passage.span.document, []).append(place)
    rarity = _rarity(passages)
    found = []
    for number, question in enumerate(questions):
        if not question.evidence or not question.answerable or question.kind.startswith("multi"):
            continue
        own = {
            place
            for span in question.evidence
            for place in places.get(span.document, ())
            if passages[place].span.overlap(span)
        }
        cosines = passages_at @ questions_at[number]
        nearest = [int(place) for place in np.argsort(-cosines, kind="stable")[: NEAREST + len(own)]]
        if other := _best(question, passages, cosines, [p for p in nearest if p not in own], own, rarity):
            found.append(other)
    return found


def _best(
    question: Question,
    passages: Sequence[Passage],
    cosines: Vectors,
    nearest: Sequence[int],
    own: set[int],
    rarity: Mapping[str, float],
) -> Alternative | None:
    evidence = {term for place in own for term in terms(passages[place].text)}
    wanted = _fit(question, evidence, rarity)
    closest = max((float(cosines[place]) for place in own), default=0.0)
    candidates = []
    for place in nearest:
        held = terms(passages[place].text)
        fit = _fit(question, held, rarity)
        if fit >= FITS * wanted and cosines[place] >= closest - BEHIND and holds_answer(question, held):
            candidates.append((fit, -place, Alternative(question, passages[place], round(fit, 3))))
    return max(candidates)[2] if candidates else None


def holds_answer(question: Question, held: Mapping[str, str]) -> bool:
    """Whether words hold what the reference says beyond the question: most of it, and every number.

    >>> asked = Question("q", "What size has a chunk?", "256 tokens")
    >>> [holds_answer(asked, terms(text)) for text in ("Each of them holds 256 tokens.", "Some tokens.")]
    [True, False]
    """
    given = terms(question.question)
    wanted = [term for term in terms(question.reference) if term not in given]
    if not wanted:  # yes, no, or a choice that the question names: any passage would hold it
        return False
    if any(is_number(term) and term not in held for term in wanted):
        return False
    return sum(term in held for term in wanted) / len(wanted) >= HOLDS


def finding_of(found: Alternative, confirmed: bool) -> Finding:
    """What is told of an alternative."""
    span = found.passage.span
    said = "The judge agrees that another passage answers" if confirmed else "Another passage seems to answer"
    return Finding(
        found.question.id,
        AMBIGUOUS.name,
        f'{said} it too, in {span.document}: "{_short(found.passage.text)}"',
        "Add the passage to its evidence, or make the question name what sets the two apart.",
        found.figure,
        f"{span.document}:{span.start}-{span.end}",
    )


def _fit(question: Question, held: Mapping[str, str] | set[str], rarity: Mapping[str, float]) -> float:
    """Share of the question's words that are held, rare ones counting more."""
    weights = {term: rarity.get(term, rarity[""]) for term in terms(question.question)}
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in held) / total if total else 0.0


def _rarity(passages: Sequence[Passage]) -> dict[str, float]:
    """Inverse document frequency of each word over the passages; "" holds that of a word in none."""
    seen = Counter(term for passage in passages for term in terms(passage.text))
    most = math.log(1 + len(passages))
    return {"": most} | {term: most - math.log(number) for term, number in seen.items()}


def _short(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= 160 else said[:159] + "…"
