"""From a sweep's rows to its verdict: who is compared on what, who is out, and which arm to take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dream.errors import DreamError
from dream.records import Question
from dream.sweep.result import ArmResult
from dream.verdict.bounds import could_be_in, could_be_out, is_share, mean_bounds
from dream.verdict.compare import FEWEST, Comparison, compare
from dream.verdict.honest import estimate
from dream.verdict.race import ERROR
from dream.verdict.result import SweepResult
from dream.verdict.verdict import Estimate, Rule, Standing, Verdict
from dream.verdict.words import notes_on, tell

RULES = ("cheapest", "fastest", "best")


def decide(
    result: SweepResult,
    metric: str | None = None,
    rule: Rule | None = None,
    *,
    tolerance: float | None = None,
    level: float = 0.95,
) -> Verdict:
    """The verdict on a sweep; see ``SweepResult.verdict``.

    Raises:
        DreamError: the metric was not scored, or the rule is not known.
    """
    from dream.verdict.power import more_takes  # which reads scores as this file does

    metric = metric or result.objective
    if metric not in result.metrics:
        raise DreamError(f"'{metric}' was not scored", "metric", f"take one of {', '.join(result.metrics)}")
    rule = rule or result.choice.rule
    if rule not in RULES:
        raise DreamError(f"'{rule}' is not a rule", "rule", f"take one of {', '.join(RULES)}")
    scores, missing = scores_of(result.arms, result.questions, metric)
    labels, by = clusters_of(result.questions, result.choice.cluster)
    early = [number for number, arm in enumerate(result.arms) if arm.arm.id in result.stopped]
    scores[early] = np.nan  # what a race stopped is out already, and has only the questions of its rounds
    missing[early] = False
    # a race leaves less of the error for the end
    found = compare(scores, labels, level=level + ERROR if result.raced else level)
    verdict = Verdict(
        metric=metric,
        rule=rule,
        tolerance=result.choice.tolerance if tolerance is None else tolerance,
        level=level,
        questions=int((~np.isnan(scores)).any(axis=0).sum()) if len(scores) else 0,
        clusters=found.clusters,
        clustered_by=by,
        arms=_standings(result, metric, found, mean_bounds(scores, missing) if is_share(scores) else None),
        holdout=len(result.holdout.questions) if result.holdout else 0,
        looks=result.holdout.looks if result.holdout else 0,
    )
    taken, reason = recommend(verdict)
    if taken:
        number = next(number for number, arm in enumerate(result.arms) if arm.arm.id == taken.arm)
        reach = max((float(high) for high in found.high[number]), default=0.0)
        verdict = replace(
            verdict,
            recommended=taken.arm,
            shortfall=max(0.0, reach) if math.isfinite(reach) else None,
            fragile=_fragile(result, found, scores, missing, labels, number),
        )
    notes = [*notes_on(verdict, result, found)]
    if len(verdict.tied) > 1 and (more := more_takes(result, scores, labels, verdict.tolerance)):
        notes.insert(0, more)
    verdict = replace(verdict, reason=reason, notes=tuple(notes))
    return replace(verdict, text=tell(verdict))


def scores_of(arms: Sequence[ArmResult], questions: Sequence[Question], metric: str) -> tuple[Any, Any]:
    """Arms by questions: the scores, NaN where there is none; and which of those should be there."""
    place = {question.id: number for number, question in enumerate(questions)}
    scores = np.full((len(arms), len(questions)), np.nan)
    missing = np.zeros(scores.shape, dtype=bool)
    for number, arm in enumerate(arms):
        for row in arm.rows:
            if row.question in place:
                score = row.score(metric)
                missing[number, place[row.question]] = score.missing
                if score.value is not None:
                    scores[number, place[row.question]] = score.value
    return scores, missing


def clusters_of(questions: Sequence[Question], by: str) -> tuple[list[str], str]:
    """For each question the label of its cluster, and what questions are clustered by.

    A question belongs to the document that holds most of its evidence; one without evidence stands alone.
    With fewer than FEWEST clusters nothing could be said of other documents, so each question stands alone.
    """
    alone = [f"question {question.id}" for question in questions]
    if by == "question":
        return alone, "question"
    labels = []
    for question, own in zip(questions, alone, strict=True):
        characters: Counter[str] = Counter()
        for span in question.evidence:
            characters[span.document] += span.end - span.start
        labels.append(f"document {characters.most_common(1)[0][0]}" if characters else own)
    return (labels, "document") if len(set(labels)) >= FEWEST else (alone, "question")


def _standings(
    result: SweepResult, metric: str, found: Comparison, bounds: tuple[Any, Any] | None
) -> tuple[Standing, ...]:
    honest = _honest(result, metric)
    scored = [arm for arm in range(len(result.arms)) if not math.isnan(found.means[arm])]
    order = sorted(scored, key=lambda arm: -found.means[arm])
    made = []
    for arm in order:
        top, each = order[0], result.arms[arm]
        low, high = found.low[top, arm], found.high[top, arm]
        said = arm != top and math.isfinite(low) and math.isfinite(high)
        summary = each.summary(metric)
        made.append(
            Standing(
                arm=each.arm.id,
                name=each.arm.name,
                mean=float(found.means[arm]),
                difference=0.0 if arm == top else _number(found.differences[top, arm]),
                low=float(low) if said else 0.0 if arm == top else None,
                high=float(high) if said else 0.0 if arm == top else None,
                p=float(found.p[arm]),
                tied=bool(found.tied[arm]),
                beaten_by="" if found.tied[arm] else result.arms[int(found.beaten_by[arm])].arm.name,
                coverage=summary.coverage,
                bounds=(float(bounds[0][arm]), float(bounds[1][arm])) if bounds else None,
                honest=honest.get(each.arm.id),
                dollars=each.dollars / max(1, sum(row.answer is not None for row in each.rows)),
                seconds=each.seconds(0.5),
            )
        )
    made += [_stopped(result, arm, metric) for arm in result.arms if arm.arm.id in result.stopped]
    listed = {standing.arm for standing in made}
    rest = [arm for arm in result.arms if arm.arm.id not in listed]
    made += [
        Standing(each.arm.id, each.arm.name, None, coverage=0.0, error=each.error or "it has no score")
        for each in rest
    ]
    return tuple(made)


def _stopped(result: SweepResult, arm: ArmResult, metric: str) -> Standing:
    stop, summary = result.stopped[arm.arm.id], arm.summary(metric)
    return Standing(
        arm=arm.arm.id,
        name=arm.arm.name,
        mean=summary.mean,
        p=stop.p,
        beaten_by=next((each.arm.name for each in result.arms if each.arm.id == stop.beaten_by), ""),
        coverage=summary.coverage,
        dollars=arm.dollars / max(1, len(arm.rows)),
        seconds=arm.seconds(0.5),
        stopped_after=stop.questions,
    )


def _honest(result: SweepResult, metric: str) -> dict[str, Estimate]:
    """For each arm that was scored on the holdout: its mean there."""
    held = result.holdout
    if held is None:
        return {}
    scores, _ = scores_of(held.arms, held.questions, metric)
    labels, _ = clusters_of(held.questions, result.choice.cluster)
    return {arm.arm.id: estimate(row, labels) for arm, row in zip(held.arms, scores, strict=True)}


def _fragile(
    result: SweepResult, found: Comparison, scores: Any, missing: Any, labels: list[str], taken: int
) -> tuple[str, ...]:
    """What the missing scores could turn over, were they all as bad or as good as they can be."""
    if not missing.any() or not is_share(scores):
        return ()
    said = []
    if could_be_out(found, scores, missing, labels, taken):
        name = result.arms[taken].arm.name
        said.append(f"Missing scores could turn the verdict: in the worst case {name} would be out.")
    out = [arm for arm in range(len(scores)) if not found.tied[arm] and not math.isnan(found.means[arm])]
    back = [result.arms[arm].arm.name for arm in out if could_be_in(found, scores, missing, labels, arm)]
    if back:
        listed = ", ".join(back[:3]) + (f" and {len(back) - 3} more" if len(back) > 3 else "")
        said.append(f"Missing scores could turn the verdict: in the best case these would be in: {listed}.")
    return tuple(said)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def recommend(verdict: Verdict) -> tuple[Standing | None, str]:
    """The arm to take from the tie set, and why, in words.

    Among arms that cannot be told apart, one whose mean lies far below is not taken for its price: few
    questions make many ties.
    """
    tied = verdict.tied
    if not tied:
        return None, "no arm has a score"
    top = max(arm.mean or 0.0 for arm in tied)
    near = [arm for arm in tied if (arm.mean or 0.0) >= top - verdict.tolerance - 1e-12]
    best = max(near, key=lambda arm: arm.mean or 0.0)
    whom = (
        "of them" if len(near) == len(tied) else f"of the {len(near)} within {verdict.tolerance:g} of the top"
    )
    if verdict.rule == "best" or len(near) == 1:
        return best, "it has the highest mean"
    if verdict.rule == "fastest":
        timed = [arm for arm in near if arm.seconds is not None]
        if not timed:
            return best, "it has the highest mean (no times are known)"
        return min(timed, key=lambda arm: (arm.seconds, -(arm.mean or 0.0))), f"it is the fastest {whom}"
    if not any(arm.dollars for arm in near):
        return best, "it has the highest mean (no prices are known)"
    return min(near, key=lambda arm: (arm.dollars, -(arm.mean or 0.0))), f"it is the cheapest {whom}"
