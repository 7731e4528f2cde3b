"""Which answers a person is asked about, so that about 30 labels say most about the arms that may be best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dream.errors import DreamError
from dream.sweep.result import ArmResult, Row
from dream.verdict.label_sample import chances_for, draw_order, shares_of, worth_labelling
from dream.verdict.labels import LabelRow, row_id
from dream.verdict.prediction_powered import Numbers
from dream.verdict.result import SweepResult

MOST_ARMS = 3
"""Arms compared: each more makes every question cost more labels."""


@dataclass(frozen=True)
class LabelPlan:
    """What to label.

    Attributes:
        arms: those that are compared, highest mean first: the tie set, or at least the two at the top.
        left_out: how many more arms cannot be told from the best.
        questions: ids, in the result's order.
        judged: the judge's scores, of shape [questions, arms]; NaN where there is none.
        ids: for each question, the row of each arm's answer; empty where the arm gave none.
        drawn: places of the drawn questions, in the order in which they were drawn.
        shares: for each question, the chance to be drawn, up to a factor.
        rows: the answers to label, in the order in which they are to be asked: any beginning of it is a
            sample of its own.
    """

    arms: tuple[ArmResult, ...]
    left_out: int
    questions: tuple[str, ...]
    judged: Numbers
    ids: tuple[tuple[str, ...], ...]
    drawn: tuple[int, ...]
    shares: Numbers
    rows: tuple[LabelRow, ...]


def plan_labels(result: SweepResult, rows: int, seed: int = 0) -> LabelPlan:
    """Choose the arms, and draw questions of which all their different answers are labelled.

    Equal answers to a question share one label; a question on which all arms answer alike says nothing
    about their order and is drawn seldom.

    Args:
        result: a finished study.
        rows: about how many labels a person is willing to give.
        seed: of the draw.

    Raises:
        DreamError: no arm has an answer and a score.
    """
    arms, left_out = _arms(result)
    by_arm = [{row.question: row for row in arm.rows} for arm in arms]
    asked = {question.id: question for question in result.questions}
    names = tuple(id for id in asked if all(id in rows for rows in by_arm))
    found = [[rows[name] for rows in by_arm] for name in names]
    judged = np.array([[_value(row, result.objective) for row in each] for each in found])
    ids = tuple(
        tuple(row_id(asked[name], row.answer.text) if row.answer else "" for row in each)
        for name, each in zip(names, found, strict=True)
    )
    costs = np.array([float(len({id for id in each if id})) for each in ids])
    worth = worth_labelling(judged, ids)
    chances = chances_for(worth, costs, rows)
    shares = shares_of(worth, costs)
    order = draw_order(names, chances, seed)[: round(float(chances.sum()))]
    wanted: dict[str, LabelRow] = {}
    for place in order:
        # in the order of their digests: whoever labels must not guess the arm from the place
        for id, row in sorted(zip(ids[place], found[place], strict=True), key=lambda pair: pair[0]):
            if id and row.answer:
                contexts = tuple(chunk.text for chunk in row.answer.contexts)
                wanted.setdefault(id, LabelRow(id, asked[names[place]], row.answer.text, contexts))
    return LabelPlan(arms, left_out, names, judged, ids, tuple(order), shares, tuple(wanted.values()))


def _arms(result: SweepResult) -> tuple[tuple[ArmResult, ...], int]:
    scored = [arm for arm in result.ranked() if arm.summary(result.objective).mean is not None]
    if not scored or not result.questions:
        raise DreamError(
            "no arm has answers and scores", result.study, "run the study first: dream run STUDY"
        )
    tied = {standing.arm for standing in result.verdict().tied}
    close = [arm for arm in scored if arm.arm.id in tied]
    # with one clear winner, whether the judge is right about it is asked of the next one
    chosen = [*close, *(arm for arm in scored if arm.arm.id not in tied)][
        : max(2, min(MOST_ARMS, len(close)))
    ]
    return tuple(chosen), max(0, len(close) - len(chosen))


def _value(row: Row, metric: str) -> float:
    value = row.score(metric).value
    return np.nan if value is None else value


def labelled_places(plan: LabelPlan, labels: Mapping[str, bool]) -> list[int]:
    """Drawn questions of which every answer is labelled: only these say how arms compare.

    A question that was not drawn does not count, even if its label is known: it came in by another chance.
    """
    return [place for place in plan.drawn if all(id in labels for id in plan.ids[place] if id)]


def human_values(plan: LabelPlan, labels: Mapping[str, bool], places: Sequence[int]) -> Numbers:
    """What a person said, of shape [questions, arms]: 1 right, 0 wrong, NaN where nobody was asked."""
    values = np.full(plan.judged.shape, np.nan)
    for place in places:
        for arm, id in enumerate(plan.ids[place]):
            values[place, arm] = float(labels[id]) if id else 0.0  # no answer is no right answer
    return values
