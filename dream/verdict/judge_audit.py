"""How far the judge can be trusted, and what the ranking is once a person's labels correct it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dream.verdict.agreement import Agreement, agreement
from dream.verdict.judge_words import sentences_on
from dream.verdict.label_plan import LabelPlan, human_values, labelled_places
from dream.verdict.label_sample import capped
from dream.verdict.prediction_powered import Corrected, Numbers, correct_mean
from dream.verdict.result import SweepResult
from dream.verdict.verdict import Verdict

RIGHT = 0.5
"""From this score on, the judge is taken to call an answer right."""


@dataclass(frozen=True)
class AuditedArm:
    """An arm as the judge and as a person sees it.

    Attributes:
        arm: the arm's id.
        name: how people call it.
        judged: the judge's mean.
        corrected: the share of its answers that a person calls right.
        behind: that share minus the share of the arm that the judge puts first; all these intervals hold
            together with 95 % (Bonferroni). ``None`` for that arm itself.
    """

    arm: str
    name: str
    judged: float
    corrected: Corrected | None
    behind: Corrected | None


@dataclass(frozen=True)
class JudgeAudit:
    """What a person's labels say about the judge and about the ranking; shows itself.

    Attributes:
        study: the study's name.
        metric: the judged metric.
        rows: answers that were drawn.
        labelled: how many of them are labelled.
        questions: drawn questions of which every answer is labelled.
        agreement: judge and person on the labelled rows; ``None`` before the first label.
        arms: highest mean of the judge first.
        left_out: how many more arms cannot be told from the best and were not labelled.
        verdict: the verdict as the judge alone gives it.
        text: all of it in a few sentences.
    """

    study: str
    metric: str
    rows: int
    labelled: int
    questions: int
    agreement: Agreement | None
    arms: tuple[AuditedArm, ...]
    left_out: int
    verdict: Verdict
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        """The audit as plain JSON types."""
        return {**asdict(self), "verdict": self.verdict.to_json()}

    def __str__(self) -> str:
        return self.text


def audit_judge(
    result: SweepResult, plan: LabelPlan, labels: Mapping[str, bool], seed: int = 0
) -> JudgeAudit:
    """Agreement of judge and person, and the means and differences that the labels correct.

    Args:
        result: the study that the plan was made for.
        plan: the drawn rows.
        labels: what the person said, by the rows' ids; more than the plan's are ignored.
        seed: of the resampling behind kappa's interval.
    """
    places = labelled_places(plan, labels)
    human = human_values(plan, labels, places)
    chances = np.maximum(capped(plan.shares, float(max(1, len(places)))), 1e-9)
    predicted = np.where(np.isnan(plan.judged), np.nanmean(plan.judged, axis=0), plan.judged)
    count = len(plan.arms)
    # an arm's missing answer is wrong whoever looks at it
    silent = np.array([[0.0 if not id else np.nan for id in ids] for ids in plan.ids])
    level = 1 - 0.05 / max(1, count - 1)
    arms = []
    for place, arm in enumerate(plan.arms):
        behind = None
        if place:
            known = np.array([0.0 if ids[place] == ids[0] else np.nan for ids in plan.ids])
            gap = predicted[:, place] - predicted[:, 0]
            behind = correct_mean(gap, human[:, place] - human[:, 0], chances, known, level)
        arms.append(
            AuditedArm(
                arm.arm.id,
                arm.arm.name,
                float(np.nanmean(plan.judged[:, place])),
                correct_mean(predicted[:, place], human[:, place], chances, silent[:, place]),
                behind,
            )
        )
    drawn = {row.id for row in plan.rows}
    made = JudgeAudit(
        study=result.study,
        metric=result.objective,
        rows=len(plan.rows),
        labelled=len(drawn & set(labels)),
        questions=len(places),
        agreement=_agreement(plan, labels, places, chances, seed),
        arms=tuple(arms),
        left_out=plan.left_out,
        verdict=result.verdict(),
    )
    return replace(made, text=" ".join(sentences_on(made)))


def _agreement(
    plan: LabelPlan, labels: Mapping[str, bool], places: list[int], chances: Numbers, seed: int
) -> Agreement | None:
    judge, person, weights, groups = [], [], [], []
    for place in places:
        seen: set[str] = set()
        for arm, id in enumerate(plan.ids[place]):
            score = plan.judged[place, arm]
            if id and id not in seen and not np.isnan(score):
                seen.add(id)
                judge.append(bool(score >= RIGHT))
                person.append(labels[id])
                weights.append(1 / float(chances[place]))
                groups.append(plan.questions[place])
    return agreement(judge, person, weights, groups, seed) if judge else None
