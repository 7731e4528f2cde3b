"""A race: arms that cannot win any more are stopped early, at any moment, without spoiling the verdict.

For arms i and j a gambler starts with 1 and bets, question after question, that j scores higher; the stakes
are fixed shares of his wealth, and his wealth is the mean over several shares. If arm i is as good as j, then
his expected wealth never grows, whenever one looks (Waudby-Smith and Ramdas 2024, betting on means of bounded
variables). The mean over all j bets against "arm i is among the best", and is as large as ``arms / error``
for any of the true bests with probability ``error`` at most (Ville 1939, and the union over arms).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dream.records import Question

# Of the 5 % that a verdict may be wrong, so much is spent on stopping; the rest is left for the end.
ERROR = 0.01

STAKES = np.array([0.1, 0.25, 0.5, 0.75, 0.95])

ROUNDS = 5
SMALLEST = 8


@dataclass(frozen=True)
class Stop:
    """Why and when an arm was stopped.

    Attributes:
        questions: how many it had answered.
        p: bound on how easily chance alone would have stopped one of the best arms by then.
        beaten_by: id of the arm that beat it most clearly.
    """

    questions: int
    p: float
    beaten_by: str


def rounds_of(questions: Sequence[Question], seed: int) -> list[tuple[Question, ...]]:
    """The questions of each round, all earlier ones included, each in the order they were given.

    Which come first is drawn by the seed and their ids, so that a race does not start with one document.

    >>> questions = [Question(f"q{n}", "?", "!") for n in range(60)]
    >>> [len(asked) for asked in rounds_of(questions, 0)]
    [12, 24, 36, 48, 60]
    """
    drawn = sorted(questions, key=lambda one: hashlib.sha256(f"race\n{seed}\n{one.id}".encode()).digest())
    sizes = [max(SMALLEST, round(len(drawn) * part / ROUNDS)) for part in range(1, ROUNDS + 1)]
    made = []
    for size in sorted({min(size, len(drawn)) for size in sizes}):
        asked = {question.id for question in drawn[:size]}
        made.append(tuple(question for question in questions if question.id in asked))
    return made


def wealth(scores: Any) -> NDArray[np.float64]:
    """For each arm, what betting against its being among the best has made of 1.

    >>> scores = [[0.9] * 20, [0.5] * 20, [0.9] * 20]
    >>> [f"{made:.3g}" for made in wealth(scores)]
    ['0.558', '173', '0.558']

    Args:
        scores: one row an arm, one column a question, between 0 and 1; NaN where there is none, on which
            nobody bets.
    """
    bets = np.exp(pair_wealth(scores))
    others = max(1, len(bets) - 1)
    made: NDArray[np.float64] = (bets.sum(axis=1) - bets.diagonal()) / others
    return made


def pair_wealth(scores: Any) -> NDArray[np.float64]:
    """Logarithm of the wealth of betting that arm j (column) scores higher than arm i (row)."""
    scores = np.asarray(scores, dtype=np.float64)
    arms = len(scores)
    made = np.zeros((arms, arms))
    for arm in range(arms):
        ahead = np.nan_to_num(scores - scores[arm])
        logs = np.array([np.log1p(stake * ahead).sum(axis=1) for stake in STAKES])
        top = logs.max(axis=0)
        made[arm] = top + np.log(np.exp(logs - top).mean(axis=0))
    return made


def stopped(scores: Any, arms: int, error: float = ERROR) -> NDArray[np.bool_]:
    """Which arms cannot win any more; none where the scores do not lie between 0 and 1.

    Args:
        scores: as for ``wealth``, of the arms still in the race.
        arms: how many started.
        error: probability with which a true best may be stopped, over the whole race.
    """
    scores = np.asarray(scores, dtype=np.float64)
    seen = scores[~np.isnan(scores)]
    if ((seen < 0) | (seen > 1)).any():
        return np.zeros(len(scores), dtype=bool)
    out: NDArray[np.bool_] = wealth(scores) * max(1, len(scores) - 1) / max(1, arms - 1) >= arms / error
    return out
