"""What difference between arms a golden dataset can show, and what a smaller one would cost to show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dream.sweep.plan import Plan
from dream.verdict.compare import FEWEST
from dream.verdict.decide import clusters_of, scores_of
from dream.verdict.result import SweepResult

# Standard deviation, over questions, of the difference between two arms, before anything is known. Judged
# scores of arms that share nothing lie at 0.3 and more, those of arms that differ in one knob below 0.2.
PRIOR = 0.25

ASKED_ABOUT = (0.1, 0.05, 0.02)


@dataclass(frozen=True)
class Needed:
    """How many questions a difference needs, and what asking them of all arms costs.

    Attributes:
        difference: between two arms' true means.
        questions: for choosing, the holdout not counted.
        dollars: for all arms together; ``None`` where prices are not known.
    """

    difference: float
    questions: int
    dollars: float | None = None


@dataclass(frozen=True)
class Power:
    """What can be seen with so many questions; shows itself in a sentence or two.

    Attributes:
        questions: used for choosing.
        arms: how many are compared.
        spread: standard deviation of the difference between two arms over questions.
        pilot: whether the spread was measured on recorded scores, or is a prior.
        detectable: the difference that is seen with probability ``power``; ``None`` with too few questions.
        power: probability of seeing a difference that is there.
        level: probability that none is seen, in any pair of arms, where there is none.
        needed: what smaller differences take.
    """

    questions: int
    arms: int
    spread: float
    pilot: bool
    detectable: float | None
    power: float
    level: float
    needed: tuple[Needed, ...]

    def __str__(self) -> str:
        """What can be seen, and what more would cost.

        >>> print(power_of(52, 12, dollars_per_question=0.02))
        52 questions show a difference of 0.15 between two of 12 arms with 80 % probability (spread 0.25, \
assumed); 0.1 takes about 110 questions ($2.20), 0.05 about 427 ($8.54), 0.02 about 2,640 ($52.80).
        """
        source = "measured" if self.pilot else "assumed"
        spread = f"(spread {self.spread:.2f}, {source})"
        if self.detectable is None:
            seen = f"{self.questions} questions are too few to tell arms apart"
        else:
            seen = (
                f"{self.questions} questions show a difference of {self.detectable:.2g} between two of "
                f"{self.arms} arms with {100 * self.power:.0f} % probability"
            )
        more = [
            f"{each.difference:g} {'takes ' if not number else ''}about {each.questions:,}"
            f"{' questions' if not number else ''}"
            + (f" (${each.dollars:,.2f})" if each.dollars is not None else "")
            for number, each in enumerate(self.needed)
        ]
        return f"{seen} {spread}" + (f"; {', '.join(more)}." if more else ".")


def power_of(
    questions: int,
    arms: int,
    *,
    spread: float | None = None,
    dollars_per_question: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
    differences: Sequence[float] = ASKED_ABOUT,
) -> Power:
    """The difference that so many questions can show, and how many smaller differences need.

    A difference δ is seen when ``δ √n / spread`` reaches the yardstick of all pairs together, the studentised
    range of Tukey (1949), and Student's t for the power on top.

    Args:
        questions: for choosing, the holdout not counted.
        arms: how many are compared.
        spread: from ``spread_of``; PRIOR if not given.
        dollars_per_question: of all arms together, judging included.
        power: probability of seeing a difference that is there.
        level: see ``Power``.
        differences: which to tell the needed questions for; those that can be seen already are left out.
    """
    used = PRIOR if spread is None else spread
    seen = detectable(questions, arms, used, power, level)
    needed = []
    for difference in differences:
        if seen is not None and difference >= seen:
            continue
        count = questions_needed(difference, arms, used, power, level)
        price = None if dollars_per_question is None else count * dollars_per_question
        needed.append(Needed(difference, count, price))
    return Power(questions, arms, used, spread is not None, seen, power, level, tuple(needed))


def power_of_plan(plan: Plan, result: SweepResult) -> Power:
    """What the planned questions can show, by the scores that are recorded already, or else by the prior.

    Args:
        plan: of the study, for the price of a question; without prices, or with nothing left to ask, none is
            told.
        result: of the arms that are done, on the questions for choosing.
    """
    asked = [kind for kind in plan.kinds if kind.kind != "golden"]
    left = [kind for kind in asked if kind.calls > kind.recorded]
    price = None
    if left and len(left) == len(asked) and plan.questions and not plan.unpriced:
        whole = sum((kind.dollars or 0.0) * kind.calls / (kind.calls - kind.recorded) for kind in left)
        price = whole / plan.questions or None
    # questions that are still to be generated are split by the same share
    known = len(result.questions) + (len(result.holdout.questions) if result.holdout else 0)
    choosing = round(plan.questions * len(result.questions) / known) if known else plan.questions
    return power_of(choosing, plan.arms, spread=spread_of(result), dollars_per_question=price)


def detectable(
    questions: int, arms: int, spread: float, power: float = 0.8, level: float = 0.95
) -> float | None:
    """The difference that so many questions show with that probability; ``None`` below FEWEST questions.

    >>> f"{detectable(10, 2, 0.2):.2f} {detectable(50, 2, 0.2):.2f} {detectable(200, 2, 0.2):.2f}"
    '0.20 0.08 0.04'
    """
    if questions < FEWEST or arms < 2:
        return None
    from scipy import stats

    free = questions - 1
    yardstick = float(stats.studentized_range.ppf(level, arms, free)) / math.sqrt(2)
    return (yardstick + float(stats.t.ppf(power, free))) * spread / math.sqrt(questions)


def questions_needed(
    difference: float, arms: int, spread: float, power: float = 0.8, level: float = 0.95
) -> int:
    """The fewest questions that show the difference with that probability.

    >>> questions_needed(0.05, 2, 0.2)
    128
    """
    from scipy import stats

    # many questions know the spread; a few more are asked for below, where it must be estimated
    yardstick = float(stats.studentized_range.ppf(level, max(2, arms), 10_000)) / math.sqrt(2)
    start = math.ceil(((yardstick + float(stats.norm.ppf(power))) * spread / difference) ** 2)
    if start > 1000:
        return start
    count = max(FEWEST, start)
    while (detectable(count, max(2, arms), spread, power, level) or 0.0) > difference:
        count += 1
    return count


def spread_of(result: SweepResult, metric: str | None = None) -> float | None:
    """The spread of differences between arms in recorded scores, in the middle of all pairs with the top arm.

    Where questions hang together by document it is larger accordingly, so that ``spread / √n`` is the
    cluster-robust standard error. ``None`` with fewer than two arms or FEWEST clusters.
    """
    scores, _ = scores_of(result.arms, result.questions, metric or result.objective)
    return spread_among(scores, clusters_of(result.questions, result.choice.cluster)[0])


def spread_among(scores: Any, labels: Sequence[str]) -> float | None:
    """The same for scores, one row an arm, and each question's cluster.

    >>> f"{spread_among([[0.0] * 8, [0.5, 0.1] * 4], range(8)):.3f}"
    '0.214'
    """
    scores = np.asarray(scores, dtype=np.float64)
    scores = scores[(~np.isnan(scores)).any(axis=1)]
    used = (~np.isnan(scores)).sum(axis=0) >= 2
    if len(scores) < 2 or len(set(np.asarray(labels)[used])) < FEWEST:
        return None
    top = int(np.nanargmax(np.nanmean(scores, axis=1)))
    spreads = [_spread(scores[arm] - scores[top], labels) for arm in range(len(scores)) if arm != top]
    known = [spread for spread in spreads if spread]
    return float(np.median(known)) if known else None


def more_takes(result: SweepResult, scores: Any, labels: Sequence[str], difference: float) -> str:
    """What it takes to tell arms apart that differ so much, in a sentence; empty where that is not known.

    Args:
        result: for the number of arms, and what a question cost each.
        scores: one row an arm, one column a question; NaN where there is none.
        labels: each question's cluster.
        difference: between two arms' true means.
    """
    asked = int((~np.isnan(scores)).any(axis=0).sum())
    spread = spread_among(scores, labels)
    if spread is None or difference <= 0:
        return ""
    dollars = sum(arm.dollars / max(1, len(arm.rows)) for arm in result.arms)
    found = power_of(
        asked, len(result.arms), spread=spread, dollars_per_question=dollars or None, differences=[difference]
    )
    if not found.needed:
        return (
            f"A difference of {difference:g} between two arms would have been seen in 8 of 10 such studies."
        )
    needed = found.needed[0]
    more = needed.questions - asked
    price = "" if not dollars else f", for about ${dollars * more:,.2f} more"
    return (
        f"To see a difference of {difference:g} between two arms in 8 of 10 such studies takes about "
        f"{needed.questions:,} questions like these, {more:,} more than there are{price}."
    )


def _spread(differences: Any, labels: Sequence[str]) -> float:
    known = ~np.isnan(differences)
    member = np.unique(np.asarray(labels)[known], return_inverse=True)[1]
    values = differences[known]
    groups = int(member.max()) + 1 if len(member) else 0
    if groups < 2:
        return 0.0
    sums = np.bincount(member, weights=values - values.mean())
    return math.sqrt(groups / (groups - 1) * float((sums**2).sum()) / len(values))
