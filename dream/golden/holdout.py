"""Which questions are kept from choosing, so that the chosen arm can be measured without luck."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dream.records import Question


@dataclass(frozen=True)
class Split:
    """The golden dataset in two parts, each in the dataset's order.

    Attributes:
        choosing: all arms answer these, and the verdict rests on them.
        holdout: only arms that may be the best answer these, after the choice.
    """

    choosing: tuple[Question, ...]
    holdout: tuple[Question, ...]


def split_questions(questions: Sequence[Question], share: float, seed: int = 0) -> Split:
    """Keep a share of the questions of each kind.

    Each question draws a number from the seed and its own id, and is kept if that is below ``share``: so it
    stays where it is when others are added or removed. Only where a kind would be kept by less than two
    thirds or more than four thirds of its due, as happens with few questions, those nearest to the line
    change sides.

    >>> questions = [Question(f"q{n}", "?", "!", kind="table" if n % 4 else "numeric") for n in range(40)]
    >>> split = split_questions(questions, 0.3)
    >>> len(split.choosing), len(split.holdout), {q.kind for q in split.holdout} == {"table", "numeric"}
    (29, 11, True)

    Args:
        questions: the golden dataset.
        share: from 0 (none) to below 1.
        seed: the study's.
    """
    kinds: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for question in questions:
        kinds[question.kind].append((_draw(seed, question.id), question.id))
    kept: set[str] = set()
    for draws in kinds.values():
        draws.sort()
        due = share * len(draws)
        fewest, most = math.ceil(due * 2 / 3 - 1e-9), math.floor(due * 4 / 3 + 1e-9)
        below = sum(draw < share for draw, _ in draws)
        kept |= {name for _, name in draws[: min(max(below, min(fewest, most)), max(most, 0))]}
    return Split(
        tuple(question for question in questions if question.id not in kept),
        tuple(question for question in questions if question.id in kept),
    )


def _draw(seed: int, question: str) -> float:
    """Between 0 and 1, the same for the same question and seed on any machine."""
    digest = hashlib.sha256(f"{seed}\n{question}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
