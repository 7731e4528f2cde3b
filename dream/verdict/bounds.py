"""What missing scores could hide.

A score that is missing could have been anything the metric allows. Filling all of them with the worst, then
with the best value bounds every mean without assuming why they are missing (Horowitz and Manski 2000).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dream.verdict.compare import Comparison, statistics_against

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


def is_share(scores: Any) -> bool:
    """Whether all scores lie between 0 and 1, so that missing ones are taken to.

    >>> is_share([[0.5, float("nan")]]), is_share([[120.0]])
    (True, False)
    """
    values = np.asarray(scores, dtype=np.float64)
    seen = values[~np.isnan(values)]
    return bool(((seen >= 0) & (seen <= 1)).all())


def mean_bounds(scores: Any, missing: Any) -> tuple[Numbers, Numbers]:
    """Each arm's mean if all its missing scores were 0, and if all were 1.

    >>> low, high = mean_bounds([[1.0, 0.5, float("nan"), float("nan")]], [[False, False, True, True]])
    >>> float(low[0]), float(high[0])
    (0.375, 0.875)

    Args:
        scores: one row an arm, one column a question; NaN where there is none.
        missing: where there should be one and is none; elsewhere NaN means that the metric does not apply.
    """
    scores, missing = np.asarray(scores, dtype=np.float64), np.asarray(missing, dtype=bool)
    wanted = ((~np.isnan(scores)) | missing).sum(axis=1)
    known = np.nansum(scores, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return known / wanted, (known + missing.sum(axis=1)) / wanted


def could_be_out(found: Comparison, scores: Any, missing: Any, clusters: Any, arm: int) -> bool:
    """Whether an arm of the tie set would be out, had its missing scores been 0 and all others' 1."""
    filled = _filled(scores, missing, arm, own=0.0, others=1.0)
    return bool(statistics_against(filled, clusters, arm).max() > found.threshold)


def could_be_in(found: Comparison, scores: Any, missing: Any, clusters: Any, arm: int) -> bool:
    """Whether an arm that is out would be in the tie set, had its missing scores been 1 and all others' 0."""
    filled = _filled(scores, missing, arm, own=1.0, others=0.0)
    return bool(statistics_against(filled, clusters, arm).max() <= found.threshold)


def _filled(scores: Any, missing: Any, arm: int, own: float, others: float) -> Numbers:
    filled = np.where(missing, others, np.asarray(scores, dtype=np.float64))
    filled[arm] = np.where(np.asarray(missing)[arm], own, np.asarray(scores)[arm])
    return filled
