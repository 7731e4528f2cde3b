"""A mean from many judged rows and a few that a person labelled: prediction-powered inference.

Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, *Prediction-powered inference*, 2023, with the tuning of
Angelopoulos, Duchi and Zrnic, *PPI++*, 2023: the judge is trusted as far as the labels say that it deserves,
at worst not at all. The rows to label are drawn with known, unequal chances, as in Zrnic and Candès, *Active
statistical inference*, 2024; the estimate weighs each label by one over its chance, scaled to sum to 1
(Hájek, 1971), so that the judge's bias is taken out whatever it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FEWEST = 4
"""Fewest labelled questions for an interval."""


@dataclass(frozen=True)
class Corrected:
    """A mean over questions, with its interval.

    Attributes:
        mean: the estimate.
        low: lower end of the interval; ``None`` below FEWEST labels.
        high: upper end.
        trust: how far the judge was trusted, PPI++'s lambda: 0 not at all, 1 as it is.
        labelled: questions whose label entered.
        known: questions whose value is known without a label.
    """

    mean: float
    low: float | None
    high: float | None
    trust: float
    labelled: int
    known: int


def correct_mean(
    judged: Numbers, labels: Numbers, chances: Numbers, known: Numbers | None = None, level: float = 0.95
) -> Corrected | None:
    """The mean of what a person would say, over a population of questions like these.

    Args:
        judged: what the judge says of each question; any scale.
        labels: what a person said; NaN where nobody was asked.
        chances: with which each question was drawn to be labelled, above 0.
        known: values that need no label, such as 0 for the difference of two equal answers; NaN elsewhere.
        level: of the interval, which is Student's t with one degree less for each number estimated.

    Returns:
        ``None`` where neither a label nor a known value says anything.

    With equal chances, no trust and no known values it is the mean of the labels with its t interval:

    >>> asked = np.array([1.0, 0, 1, 1, 1, np.nan, np.nan, np.nan])
    >>> found = correct_mean(np.zeros(8), asked, np.full(8, 5 / 8))
    >>> round(found.mean, 3), found.trust, found.labelled
    (0.8, 0.0, 5)
    """
    number = len(judged)
    certain = np.full(number, np.nan) if known is None else known
    open_ = np.isnan(certain)
    drawn = open_ & ~np.isnan(labels)
    share, size = float(open_.mean()), int(drawn.sum())
    settled = float(np.nansum(certain)) / number
    if not size and share:
        return None
    weights = (1 / chances[drawn]) / (1 / chances[drawn]).sum() if size else np.zeros(0)
    said, predicted = labels[drawn], judged[drawn]
    trust = _trust(said, predicted, weights)
    rest = said - trust * predicted
    bias = float(weights @ rest)
    inside = trust * float(judged[open_].mean()) + bias if size else 0.0
    mean = share * inside + settled
    if share and size < FEWEST:
        return Corrected(mean, None, None, trust, size, number - int(open_.sum()))
    # Between draws: what the sample of labels adds; a question that is surely asked adds nothing.
    estimated = 1 + (trust > 0)
    freedom = max(size - estimated, 1) if share else number - 1
    drawing = 0.0
    if size:
        # HC3 (MacKinnon and White, 1985): a label that pulls the fit towards itself hides its own error
        unseen = (rest - bias) / np.maximum(1 - _pull(predicted, weights, trust), 0.2)
        drawing = share**2 * float(((1 - chances[drawn]) * weights**2) @ unseen**2)
    # Between sets of questions: these are themselves a sample of what users ask.
    squares = (share * float(weights @ said**2) if size else 0.0) + float(np.nansum(certain**2)) / number
    asking = max(0.0, squares - mean**2) / max(number - 1, 1)
    half = _t(level, freedom) * math.sqrt(drawing + asking)
    return Corrected(mean, mean - half, mean + half, trust, size, number - int(open_.sum()))


def _trust(said: Numbers, predicted: Numbers, weights: Numbers) -> float:
    """PPI++'s lambda: the slope of labels on predictions, which makes the variance least; never negative."""
    if len(said) < FEWEST:
        return 0.0
    centred = predicted - weights @ predicted
    spread = float(weights @ centred**2)
    return max(0.0, float(weights @ (centred * said)) / spread) if spread > 1e-12 else 0.0


def _pull(predicted: Numbers, weights: Numbers, trust: float) -> Numbers:
    """How far each label decides the fit at its own place, 0 to 1 (its leverage)."""
    if not trust:
        return weights
    centred = predicted - weights @ predicted
    return np.asarray(weights * (1 + centred**2 / float(weights @ centred**2)))


def _t(level: float, freedom: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.5 + level / 2, freedom))
