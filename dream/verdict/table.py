"""The scores of the objective as one table, arms by questions, without holes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dream.records import Question
from dream.sweep.result import Arm, ArmResult

if TYPE_CHECKING:
    from dream.verdict.result import SweepResult

# An arm or a question with fewer of its scores is left out: filling them in would be inventing them.
ENOUGH = 0.5


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one metric.

    Attributes:
        arms: those with enough scores, in the search's order.
        questions: those with enough scores, in the golden dataset's order.
        values: shape [arms, questions]; the mean where an answer was judged more than once.
        filled: how many values are filled in, because their scores are missing.
        left_out: arms and questions without enough scores, in words.
        judgings: how often each answer was judged; 1 where not all were judged alike.
        repeats: shape [arms, questions, judgings]; single judgings, holes as not-a-number.
    """

    arms: tuple[Arm, ...]
    questions: tuple[Question, ...]
    values: NDArray[np.float64]
    filled: int
    left_out: tuple[str, ...]
    judgings: int
    repeats: NDArray[np.float64]

    @property
    def inflation(self) -> float:
        """What makes good that a filled value never differs from its expectation (Yates, 1933)."""
        arms, questions = self.values.shape
        freedom = (arms - 1) * (questions - 1)
        return float(freedom / max(1, freedom - self.filled))

    @property
    def noise(self) -> float:
        """Variance of one judging around the mean of many; 0 where answers are judged once."""
        if self.judgings < 2:
            return 0.0
        variances: NDArray[np.float64] = self.repeats.var(axis=2, ddof=1)
        return float(np.nanmean(variances)) if np.isfinite(variances).any() else 0.0

    @property
    def noise_of_means(self) -> float:
        """The same for the values, which are means of the judgings."""
        return float(self.noise / self.judgings)


def score_table(result: SweepResult) -> ScoreTable:
    """The objective's scores of all arms that ran, over the questions that it applies to."""
    objective = result.objective
    ran = [arm for arm in result.arms if arm.rows]
    left_out = [f"{arm.arm.name} (failed)" for arm in result.arms if not arm.rows]
    place = {question.id: number for number, question in enumerate(result.questions)}
    values = np.full((len(ran), len(place)), np.nan)
    judged: dict[tuple[int, int], tuple[float, ...]] = {}
    for number, arm in enumerate(ran):
        for row in arm.rows:
            score = row.score(objective)
            if score.value is not None and row.question in place:
                values[number, place[row.question]] = score.value
                judged[number, place[row.question]] = score.judgings
    if result.stopped:
        values, unequal = _of_all(values, ran, place)
        if unequal:
            left_out.append(f"{unequal} questions that the race did not ask of all arms")
    asked = np.isfinite(values).any(axis=0)
    coverage = np.isfinite(values[:, asked]).mean(axis=1) if asked.any() else np.zeros(len(ran))
    arms = [number for number in range(len(ran)) if coverage[number] >= ENOUGH]
    left_out += [f"{ran[n].arm.name} (too few scores)" for n in range(len(ran)) if n not in arms]
    kept = np.isfinite(values[arms]).mean(axis=0) >= ENOUGH if arms else np.zeros(len(place), bool)
    if dropped := int((asked & ~kept).sum()):
        left_out.append(f"{dropped} {'question' if dropped == 1 else 'questions'} (too few scores)")
    questions = [number for number in range(len(place)) if kept[number]]
    values = values[np.ix_(arms, questions)]
    counts = {len(judged[pair]) for pair in judged if pair[0] in arms and kept[pair[1]]}
    judgings = counts.pop() if len(counts) == 1 else 1
    repeats = np.full((*values.shape, judgings), np.nan)
    if judgings > 1:
        for a, arm_number in enumerate(arms):
            for q, question_number in enumerate(questions):
                repeats[a, q] = judged.get((arm_number, question_number), np.nan)
    return ScoreTable(
        arms=tuple(ran[number].arm for number in arms),
        questions=tuple(result.questions[number] for number in questions),
        values=_filled(values),
        filled=int(np.isnan(values).sum()),
        left_out=tuple(left_out),
        judgings=max(1, judgings),
        repeats=repeats,
    )


def _of_all(
    values: NDArray[np.float64], arms: Sequence[ArmResult], place: Mapping[str, int]
) -> tuple[NDArray[np.float64], int]:
    """Without the questions that only some arms were asked, and how many those are."""
    asked = np.zeros(values.shape, dtype=bool)
    for number, arm in enumerate(arms):
        asked[number, [place[row.question] for row in arm.rows if row.question in place]] = True
    everywhere = asked.all(axis=0)
    return np.where(everywhere, values, np.nan), int((asked.any(axis=0) & ~everywhere).sum())


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holes filled with what arm and question alone make, which adds nothing to how they meet."""
    holes = np.isnan(values)
    if not holes.any():
        return values
    full = np.where(holes, np.nanmean(values, axis=0, keepdims=True), values)
    for _ in range(200):
        expected = full.mean(axis=1, keepdims=True) + full.mean(axis=0, keepdims=True) - full.mean()
        moved = float(np.abs(full - expected)[holes].max())
        full = np.where(holes, expected, values)
        if moved < 1e-9:
            break
    return full
