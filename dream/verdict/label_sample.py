"""Which questions to show a person, each with a known chance, so that few labels say most about the arms.

A question gets a chance in proportion to how likely, by the judge's own scores, a person would call one arm
right and another wrong: that is what decides between arms (Zrnic and Candès, *Active statistical inference*,
2024). Half of the chance is spread evenly, for a judge may be sure of itself and wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

from dream.verdict.prediction_powered import Numbers

EVEN = 0.5
"""Share of the chances that is the same for all questions; no weight is above 1 / EVEN of the plain one."""

DOUBT = 0.1
"""However sure a judge is, a person says otherwise with this chance."""


def worth_labelling(judged: Numbers, equal: Sequence[Sequence[Hashable]]) -> Numbers:
    """How much a label of each question says about the order of the arms, 0 to 1.

    Args:
        judged: shape [questions, arms], the judge's scores, 0 to 1; NaN where there is none.
        equal: for each question, a mark for each arm: arms with the same mark gave the same answer.

    >>> scores = np.array([[0.9, 0.1], [0.9, 0.9], [0.9, 0.9]])
    >>> worth_labelling(scores, [[0, 1], [0, 1], [0, 0]]).round(2).tolist()
    [0.84, 0.54, 0.0]
    """
    chance = DOUBT + (1 - 2 * DOUBT) * np.clip(np.nan_to_num(judged, nan=0.5), 0.0, 1.0)
    questions, arms = chance.shape
    total = np.zeros(questions)
    if arms == 1:
        return np.asarray(np.sqrt(chance[:, 0] * (1 - chance[:, 0])))
    for one in range(arms):
        for other in range(one):
            differ = np.array([row[one] != row[other] for row in equal])
            p, q = chance[:, one], chance[:, other]
            total += differ * (p * (1 - q) + q * (1 - p))
    return np.asarray(np.sqrt(total / (arms * (arms - 1) / 2)))


def chances_for(worth: Numbers, rows: Numbers, budget: int) -> Numbers:
    """With which chance each question is drawn, so that about ``budget`` rows are to be labelled.

    Args:
        worth: of each question, from ``worth_labelling``.
        rows: how many different answers each question has.
        budget: rows that a person is willing to label.

    >>> chances_for(np.array([0.9, 0.1, 0.1, 0.1]), np.ones(4), 2).round(2).tolist()
    [1.0, 0.33, 0.33, 0.33]
    """
    number = len(worth)
    mixed = shares_of(worth, rows)
    low, high = 0.0, float(number)
    if rows @ np.ones(number) <= budget:
        return np.ones(number)
    for _ in range(60):
        middle = (low + high) / 2
        if float(capped(mixed, middle) @ rows) > budget:
            high = middle
        else:
            low = middle
    size = max(1, round(float(capped(mixed, low).sum())))  # a whole number of questions is drawn
    return capped(mixed, size)


def shares_of(worth: Numbers, rows: Numbers) -> Numbers:
    """The chances up to a factor; they sum to 1."""
    number = len(worth)
    # where a question costs more rows it must say more to be worth them (Neyman's allocation with costs)
    pull = worth / np.sqrt(np.maximum(rows, 1))
    even = np.full(number, 1 / number)
    return np.asarray(EVEN * even + (1 - EVEN) * (pull / pull.sum() if pull.sum() else even))


def capped(shares: Numbers, size: float) -> Numbers:
    """Chances in proportion to shares that sum to ``size``, none above 1."""
    chances = np.minimum(1.0, size * shares / shares.sum())
    for _ in range(len(shares)):
        free = chances < 1.0
        left = size - float((~free).sum())
        if not free.any() or left <= 0:
            break
        scaled = left * shares / shares[free].sum()
        fitted = np.where(free, np.minimum(1.0, scaled), 1.0)
        if np.allclose(fitted, chances):
            break
        chances = fitted
    return np.asarray(np.maximum(chances, 1e-9))


def draw(names: Sequence[str], chances: Numbers, seed: int) -> list[int]:
    """The places of the drawn questions, as many as the chances sum to.

    Pareto sampling (Rosén, 1997): a fixed number of questions, with these chances to a good approximation.
    The luck of a question depends on its name and the seed alone, so that a larger sample holds nearly all
    of a smaller one, and labels are not lost when somebody wants to label more.

    >>> names = [f"q{number}" for number in range(9)]
    >>> draw(names, np.full(9, 1 / 3), seed=0)
    [4, 5, 6]
    >>> set(draw(names, np.full(9, 1 / 3), seed=0)) < set(draw(names, np.full(9, 2 / 3), seed=0))
    True
    """
    return sorted(draw_order(names, chances, seed)[: round(float(chances.sum()))])


def draw_order(names: Sequence[str], chances: Numbers, seed: int) -> list[int]:
    """All places in the order in which they are drawn: a beginning of it is a smaller sample."""
    luck = np.array([_luck(name, seed) for name in names])
    inside = np.minimum(chances, 1 - 1e-12)
    rank = (luck / (1 - luck)) / (inside / (1 - inside))
    return [int(place) for place in np.argsort(rank, kind="stable")]


def _luck(name: str, seed: int) -> float:
    """A number from 0 to 1, both excluded, the same for the same name and seed."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 0.5) / 2**64
