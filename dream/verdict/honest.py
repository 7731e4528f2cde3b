"""Means on questions that had no part in choosing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dream.verdict.verdict import Estimate


def estimate(scores: Any, clusters: Any, level: float = 0.95) -> Estimate:
    """A mean with an interval that knows which questions hang together.

    Student's t on the clusters' sums, with the small-sample factor G / (G - 1) of Liang and Zeger's (1986)
    cluster-robust variance; with every question on its own it is the ordinary t interval.

    >>> found = estimate([0.2, 0.4, 0.6, 0.8], ["a", "b", "c", "d"])
    >>> f"{found.mean:.3f} {found.low:.3f} {found.high:.3f}"
    '0.500 0.089 0.911'

    Args:
        scores: one a question; NaN where there is none.
        clusters: each question's label.
        level: probability with which the interval holds the mean.
    """
    from scipy import stats

    values = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(values)
    values, labels = values[known], np.asarray(clusters)[known]
    if not len(values):
        return Estimate(None, None, None, 0)
    mean = float(values.mean())
    member = np.unique(labels, return_inverse=True)[1]
    groups = int(member.max()) + 1
    if groups < 2:
        return Estimate(mean, None, None, len(values))
    sums = np.bincount(member, weights=values - mean, minlength=groups)
    stderr = math.sqrt(groups / (groups - 1) * float((sums**2).sum())) / len(values)
    half = float(stats.t.ppf((1 + level) / 2, groups - 1)) * stderr
    low, high = mean - half, mean + half
    if bool(((values >= 0) & (values <= 1)).all()):
        low, high = max(0.0, low), min(1.0, high)
    return Estimate(mean, low, high, len(values))
