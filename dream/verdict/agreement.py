"""How far the judge and a person agree, beyond chance: Cohen's kappa with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dream.verdict.prediction_powered import Numbers

RESAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """Judge against person, each yes or no.

    Attributes:
        kappa: Cohen's kappa: 1 is full agreement, 0 what chance would give; ``None`` where both always say
            the same one thing.
        low: lower end of its 95 % interval.
        high: upper end.
        share: of the rows on which both say the same.
        rows: how many rows both have judged.
        both: rows, by (judge, person): yes-yes, yes-no, no-yes, no-no.
    """

    kappa: float | None
    low: float | None
    high: float | None
    share: float
    rows: int
    both: tuple[int, int, int, int]


def cohens_kappa(judge: Sequence[bool], person: Sequence[bool]) -> tuple[float, float] | None:
    """Cohen's kappa of two raters and its standard error, every row counted alike.

    Cohen, 1960; standard error of Fleiss, Cohen and Everitt, 1969, equation 13.

    Returns:
        ``None`` where both raters always say the same one thing, so that chance explains all.

    >>> kappa, error = cohens_kappa([True] * 6 + [False] * 4, [True] * 5 + [False] * 5)
    >>> round(kappa, 3), round(error, 3)
    (0.8, 0.186)
    """
    cells = _cells(np.array(judge, float), np.array(person, float), np.ones(len(judge)))
    kappa = _kappa(cells)
    if kappa is None:
        return None
    ours, theirs = cells.sum(axis=1), cells.sum(axis=0)
    chance = float(ours @ theirs)
    first = sum(cells[i, i] * (1 - (ours[i] + theirs[i]) * (1 - kappa)) ** 2 for i in range(2))
    second = (1 - kappa) ** 2 * sum(
        cells[i, j] * (theirs[i] + ours[j]) ** 2 for i in range(2) for j in range(2) if i != j
    )
    third = (kappa - chance * (1 - kappa)) ** 2
    variance = max(0.0, first + second - third) / ((1 - chance) ** 2 * len(judge))
    return kappa, math.sqrt(variance)


def agreement(
    judge: Sequence[bool],
    person: Sequence[bool],
    weights: Sequence[float],
    groups: Sequence[str],
    seed: int = 0,
) -> Agreement:
    """Kappa over all rows that could have been drawn, with an interval from resampling questions.

    Args:
        judge: whether the judge calls each row right.
        person: whether the person does.
        weights: one over the chance with which the row was drawn: the drawn rows are the doubtful ones, and
            a plain kappa of them would be too low.
        groups: the question of each row; rows of one question are resampled together.
        seed: of the resampling.
    """
    ours, theirs, weight = (np.array(each, float) for each in (judge, person, weights))
    both = [int(((ours == a) & (theirs == b)).sum()) for a in (1, 0) for b in (1, 0)]
    cells = _cells(ours, theirs, weight)
    kappa = _kappa(cells)
    low = high = None
    names = sorted(set(groups))
    if kappa is not None and len(names) > 2:
        members = [np.flatnonzero(np.array(groups) == name) for name in names]
        dice = np.random.default_rng(seed)
        found = []
        for _ in range(RESAMPLES):
            rows = np.concatenate([members[place] for place in dice.integers(0, len(names), len(names))])
            again = _kappa(_cells(ours[rows], theirs[rows], weight[rows]))
            if again is not None:
                found.append(again)
        if len(found) > RESAMPLES // 2:
            low, high = (float(end) for end in np.quantile(found, [0.025, 0.975]))
    return Agreement(
        kappa, low, high, float(np.trace(cells)), len(ours), (both[0], both[1], both[2], both[3])
    )


def _cells(ours: Numbers, theirs: Numbers, weights: Numbers) -> Numbers:
    """The two by two table of shares: judge's yes and no by row, the person's by column."""
    cells = np.array([[weights[(ours == a) & (theirs == b)].sum() for b in (1, 0)] for a in (1, 0)])
    return np.asarray(cells / cells.sum())


def _kappa(cells: Numbers) -> float | None:
    chance = float(cells.sum(axis=1) @ cells.sum(axis=0))
    return (float(np.trace(cells)) - chance) / (1 - chance) if chance < 1 - 1e-12 else None
