"""Who is stopped after a round of a race, from what the arms have answered so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dream.records import Question
from dream.sweep.result import ArmResult
from dream.verdict.decide import scores_of
from dream.verdict.race import Stop, pair_wealth, stopped, wealth


def stops_after(
    found: Sequence[ArmResult], questions: Sequence[Question], metric: str, arms: int
) -> dict[str, Stop]:
    """The arms that cannot win any more, by id.

    Args:
        found: results of the arms still in the race.
        questions: asked so far.
        metric: that the race is about.
        arms: how many started.
    """
    scores, _ = scores_of(found, questions, metric)
    out = stopped(scores, arms)
    if not out.any():
        return {}
    made, pairs = wealth(scores), pair_wealth(scores)
    np.fill_diagonal(pairs, -np.inf)
    share = max(1, len(found) - 1) / max(1, arms - 1)
    return {
        arm.arm.id: Stop(
            questions=len(questions),
            p=min(1.0, float(arms / (made[number] * share))),
            beaten_by=found[int(pairs[number].argmax())].arm.id,
        )
        for number, arm in enumerate(found)
        if out[number]
    }
