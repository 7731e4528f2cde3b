"""Is a router worth building: another arm for each question, rather than one for all?

The best arm of each question, chosen after its scores are seen, is an upper bound: the largest of many
noisy numbers is partly luck (the winner's curse). Two honest figures stand beside it. Where answers are
judged more than once, the arm is chosen by one half of the judgings and scored by the other, which takes
the judge's luck away. And a router that knows only a question's kind is tried on each question after
being fitted to all others (leave-one-out), against the best single arm chosen in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dream.verdict.table import ScoreTable

# A kind with fewer questions than these keeps the arm that is best for all.
FEWEST_OF_A_KIND = 5

# Less than this, in the metric's units on a scale of 0 to 1, is not worth a second arm.
WORTH_WHILE = 0.02


@dataclass(frozen=True)
class Router:
    """What choosing an arm for each question could gain over one arm for all.

    Attributes:
        best: name of the arm with the highest mean.
        best_mean: its mean.
        oracle_mean: mean of each question's best score: what no router can exceed.
        halves_gain: gain of choosing by one half of the judgings and scoring by the other; ``None``
            where answers are judged once.
        kinds: how many kinds of question have enough questions to choose an arm for.
        kind_gain: leave-one-out gain of choosing by a question's kind; ``None`` below two kinds.
        kind_low: lower end of its 95 % interval (Student's t over questions).
        kind_high: upper end of it.
        answer: ``yes``, ``no`` or ``not shown``.
    """

    best: str
    best_mean: float
    oracle_mean: float
    halves_gain: float | None
    kinds: int
    kind_gain: float | None
    kind_low: float | None
    kind_high: float | None
    answer: str

    @property
    def ceiling(self) -> float:
        """Most that any router could gain, luck included."""
        return self.oracle_mean - self.best_mean


def find_router(table: ScoreTable) -> Router | None:
    """Compare an arm for each question with one arm for all; ``None`` below two arms."""
    values = table.values
    if len(values) < 2 or values.shape[1] < 2:
        return None
    means = values.mean(axis=1)
    best = int(np.argmax(means))
    kinds = [question.kind for question in table.questions]
    enough = {kind for kind in kinds if kinds.count(kind) >= FEWEST_OF_A_KIND}
    gain = low = high = None
    if len(enough) > 1:
        gain, low, high = _interval(_gains_by_kind(values, kinds, enough))
    halves = _halves_gain(table, best)
    oracle = float(values.max(axis=0).mean())
    scale = max(1.0, float(np.abs(values).max()))
    most = halves if halves is not None else oracle - float(means[best])
    without = "no" if most < WORTH_WHILE * scale else "not shown"
    return Router(
        best=table.arms[best].name,
        best_mean=float(means[best]),
        oracle_mean=oracle,
        halves_gain=halves,
        kinds=len(enough),
        kind_gain=gain,
        kind_low=low,
        kind_high=high,
        answer="yes" if low is not None and low > 0 else without,
    )


def _gains_by_kind(values: NDArray[np.float64], kinds: list[str], enough: set[str]) -> NDArray[np.float64]:
    """Each question's score by its kind's best arm less that by the best arm, both chosen without it."""
    totals = values.sum(axis=1)
    of_kind = {kind: values[:, [each == kind for each in kinds]].sum(axis=1) for kind in enough}
    gains = np.zeros(values.shape[1])
    for place, kind in enumerate(kinds):
        if kind in enough:
            scores = values[:, place]
            routed = int(np.argmax(of_kind[kind] - scores))
            single = int(np.argmax(totals - scores))
            gains[place] = scores[routed] - scores[single]
    return gains


def _interval(gains: NDArray[np.float64]) -> tuple[float, float, float]:
    from scipy import stats

    mean = float(gains.mean())
    stderr = float(gains.std(ddof=1)) / len(gains) ** 0.5
    half = float(stats.t.ppf(0.975, len(gains) - 1)) * stderr
    return mean, mean - half, mean + half


def _halves_gain(table: ScoreTable, best: int) -> float | None:
    if table.judgings < 2 or not np.isfinite(table.repeats).any():
        return None
    first, second = table.repeats[:, :, ::2].mean(axis=2), table.repeats[:, :, 1::2].mean(axis=2)
    # a hole has no judgings of its own; arm and question alone never make it the best by luck
    first, second = (np.where(np.isnan(half), table.values, half) for half in (first, second))
    columns = np.arange(first.shape[1])
    found = [
        seen[np.argmax(chosen_by, axis=0), columns].mean() - seen[best].mean()
        for chosen_by, seen in ((first, second), (second, first))
    ]
    return float(np.mean(found))
