"""Where each arm loses its questions: in parsing, chunking, retrieval, the context, or generation.

A question that an arm answered wrongly is lost at the first stage that lost a piece of its evidence:

* parsing: a piece was found in no document as it was parsed;
* chunking: no chunk of the arm's index covers it (half of its characters, ``dream.records.COVERED``);
* depth: a chunk covers it, but stands deeper than the arm looks;
* context: it was among what the arm looks at, but no chunk shown to the model covers it: merged away,
  filtered out, or not merged in;
* generation: the model was shown all of it and answered wrongly all the same.

An answer is right when its score of the objective is at least RIGHT_FROM. Questions whose evidence is not
known are not traced, since nothing says where they were lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dream.records import Question
from dream.sweep.result import ArmResult, Row

if TYPE_CHECKING:
    import pandas as pd

    from dream.verdict.result import SweepResult

STAGES = ("parsing", "chunking", "depth", "context", "generation")
RIGHT, RIGHT_WITHOUT, NOT_SCORED = "right", "right without evidence", "not scored"
OUTCOMES = (*STAGES, NOT_SCORED, RIGHT_WITHOUT, RIGHT)

RIGHT_FROM = 0.5

# Deeper than this is not looked for: no model is shown as many chunks.
DEEPEST = 50


@dataclass(frozen=True)
class Loss:
    """What became of one question with one arm.

    Attributes:
        question: its id.
        outcome: one of OUTCOMES.
        rank: at the stage depth, the place of the evidence's chunk among all; ``None`` where that is not
            known, or beyond DEEPEST.
    """

    question: str
    outcome: str
    rank: int | None = None


@dataclass(frozen=True)
class Waterfall:
    """All traced questions of an arm by their outcome; each has exactly one.

    Attributes:
        arm: the arm's id.
        name: how people call it.
        losses: one for each traced question, in the golden dataset's order.
        untraced: questions whose evidence is not known, or that have none.
    """

    arm: str
    name: str
    losses: tuple[Loss, ...]
    untraced: int

    def counts(self) -> dict[str, int]:
        """How many questions have each outcome, in the order of OUTCOMES."""
        found = Counter(loss.outcome for loss in self.losses)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    def per_hundred(self) -> dict[str, float]:
        """Of 100 traced questions, how many have each outcome; adds up to 100."""
        whole = max(1, len(self.losses))
        return {outcome: 100 * count / whole for outcome, count in self.counts().items()}

    def to_json(self) -> dict[str, Any]:
        """Counts and, for each outcome, the questions, as plain JSON types."""
        questions: dict[str, list[Any]] = {outcome: [] for outcome in OUTCOMES}
        for loss in self.losses:
            questions[loss.outcome].append(loss.question)
        return {
            "arm": self.arm,
            "name": self.name,
            "traced": len(self.losses),
            "untraced": self.untraced,
            "per_hundred": {outcome: round(share, 2) for outcome, share in self.per_hundred().items()},
            "questions": questions,
            "ranks": {loss.question: loss.rank for loss in self.losses if loss.outcome == "depth"},
        }


class Losses(tuple[Waterfall, ...]):
    """The waterfalls of all arms that ran, best arm first; shows itself as bars, and as a table."""

    __slots__ = ()

    def frame(self) -> pd.DataFrame:
        """One row an arm, one column an outcome, of 100 questions."""
        import pandas as pd

        return pd.DataFrame([{"arm": each.name, **each.per_hundred()} for each in self])

    def _repr_html_(self) -> str:
        from dream.verdict.shown import losses_html

        return losses_html(self)


def find_losses(result: SweepResult, right_from: float = RIGHT_FROM) -> Losses:
    """For each arm that ran, in the leaderboard's order, what became of its questions.

    Args:
        result: of the sweep.
        right_from: an answer whose objective scores at least this counts as right.
    """
    return Losses(
        _waterfall(arm, result.questions, result.objective, right_from) for arm in result.ranked() if arm.rows
    )


def _waterfall(arm: ArmResult, questions: Sequence[Question], objective: str, right_from: float) -> Waterfall:
    rows = {row.question: row for row in arm.rows}
    traced = [
        question
        for question in questions
        if question.id in rows and question.answerable and (question.evidence or question.evidence_text)
    ]
    depth = arm.arm.knobs.get("top_k")
    losses = tuple(
        _loss(question, rows[question.id], objective, right_from, depth if isinstance(depth, int) else None)
        for question in traced
    )
    return Waterfall(arm.arm.id, arm.arm.name, losses, len(rows) - len(losses))


def _loss(question: Question, row: Row, objective: str, right_from: float, depth: int | None) -> Loss:
    value = row.score(objective).value
    stage, rank = _stage(question, row, depth)
    if value is None:
        # an objective by spans has no meaning without a span, and yet the question is lost
        return Loss(question.id, stage if stage == "parsing" else NOT_SCORED)
    if value >= right_from:
        return Loss(question.id, RIGHT if stage == "generation" else RIGHT_WITHOUT)
    return Loss(question.id, stage, rank)


def _stage(question: Question, row: Row, depth: int | None) -> tuple[str, int | None]:
    """The first stage that lost a piece of the evidence; generation if the model was shown all of it."""
    # a piece that a page breaks gives two spans, so fewer spans than pieces means that one is missing
    if len(question.evidence) < max(1, len(question.evidence_text)):
        return "parsing", None
    contexts = row.answer.contexts if row.answer else ()
    missing = [
        place
        for place, span in enumerate(question.evidence)
        if not any(chunk.covers(span) for chunk in contexts)
    ]
    if not missing:
        return "generation", None
    reach = [row.reach[place] for place in missing if place < len(row.reach)]
    if any(not each.chunked for each in reach):
        return "chunking", None
    looked_at = depth if depth is not None else len(contexts)
    ranks = [each.rank for each in reach]
    known = [rank for rank in ranks if rank is not None]
    if len(known) == len(missing) and max(known) <= looked_at:
        return "context", None
    # the piece that lies deepest decides how deep the arm would have to look
    deepest = max(known) if len(known) == len(missing) else None
    return "depth", deepest if deepest is not None and deepest <= DEEPEST else None
