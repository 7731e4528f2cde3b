"""What a study found out: every arm on the same questions, and the leaderboard made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dream.records import Problem, Question
from dream.study import Choice
from dream.sweep.result import ArmResult, Usage

if TYPE_CHECKING:
    import pandas as pd

    from dream.verdict.losses import Losses
    from dream.verdict.matters import Matters
    from dream.verdict.race import Stop
    from dream.verdict.verdict import Rule, Verdict


@dataclass(frozen=True)
class Holdout:
    """Questions kept from choosing, and the tie set's arms on them.

    Attributes:
        questions: never used for choosing.
        arms: results of the arms that could not be told from the best, on these questions.
        looks: how many different sets of arms have been scored on this holdout so far, this one included.
    """

    questions: tuple[Question, ...]
    arms: tuple[ArmResult, ...] = ()
    looks: int = 0


@dataclass(frozen=True)
class SweepResult:
    """All arms of a study on the same questions; shows itself as a leaderboard.

    Attributes:
        study: the study's name.
        objective: the metric that orders the leaderboard.
        metrics: names of all metrics, in the study's order.
        questions: of the golden dataset, those used for choosing: all but the holdout.
        arms: one for each point of the search space, in its order.
        problems: files of the corpus that could not be read, or not wholly.
        usage: what this run did and reused.
        lineage: digests, versions and seeds that the numbers rest on.
        study_text: the study file as it was read.
        choice: how the study wants its verdict.
        holdout: the questions kept from choosing; ``None`` if the study keeps none.
        raced: whether the arms ran in a race, which leaves less error for the verdict at its end.
        stopped: in a race, the arms that were stopped early, by their ids; their rows end there.
    """

    study: str
    objective: str
    metrics: tuple[str, ...]
    questions: tuple[Question, ...]
    arms: tuple[ArmResult, ...]
    problems: tuple[Problem, ...] = ()
    usage: Usage = field(default_factory=Usage)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    study_text: str = ""
    choice: Choice = field(default_factory=Choice)
    holdout: Holdout | None = None
    raced: bool = False
    stopped: Mapping[str, Stop] = field(default_factory=dict)

    def verdict(self, metric: str | None = None, rule: Rule | None = None) -> Verdict:
        """What the evidence supports: the tie set, which arm to take, and how sure that is.

        Args:
            metric: to compare by; the study's objective if not given.
            rule: takes one arm from the tie set: ``cheapest``, ``fastest`` or ``best``; the study's if not
                given.

        Raises:
            DreamError: the metric was not scored, or the rule is not known.
        """
        from dream.verdict.decide import decide

        if metric is None and rule is None:
            return self._verdict  # page, MLflow and terminal all ask
        return decide(self, metric, rule)

    @cached_property
    def _verdict(self) -> Verdict:
        from dream.verdict.decide import decide

        return decide(self)

    def matters(self) -> Matters | None:
        """What the differences come from: method, LLM, embedding, question; see ``find_matters``."""
        from dream.verdict.matters import find_matters

        return find_matters(self)

    def losses(self) -> Losses:
        """For each arm that ran, the stage at which each question was lost; see ``find_losses``."""
        from dream.verdict.losses import find_losses

        return find_losses(self)

    def without(self, questions: Iterable[str]) -> SweepResult:
        """The same result as if these questions, by their ids, had never been asked."""
        dropped = frozenset(questions)

        def kept(arm: ArmResult) -> ArmResult:
            return replace(arm, rows=tuple(row for row in arm.rows if row.question not in dropped))

        def asked(all_questions: tuple[Question, ...]) -> tuple[Question, ...]:
            return tuple(question for question in all_questions if question.id not in dropped)

        held = self.holdout
        if held is not None:
            held = replace(held, questions=asked(held.questions), arms=tuple(map(kept, held.arms)))
        return replace(self, questions=asked(self.questions), arms=tuple(map(kept, self.arms)), holdout=held)

    def ranked(self) -> list[ArmResult]:
        """The arms, best mean of the objective first; ties in search order.

        An arm that lacks scores may only have answered what is easy: it comes after all that are whole. So
        does one that a race stopped, and one without any score comes last.
        """
        found = {arm.arm.id: arm.summary(self.objective) for arm in self.arms}

        def place(arm: ArmResult) -> tuple[bool, bool, bool, float]:
            summary = found[arm.arm.id]
            early = arm.arm.id in self.stopped
            return (summary.mean is None, early, summary.missing > 0, -(summary.mean or 0.0))

        return sorted(self.arms, key=place)

    def leaderboard(self) -> pd.DataFrame:
        """One row for each arm, best first: parameters, each metric's mean and standard error, cost, time."""
        import pandas as pd

        rows = []
        for result in self.ranked():
            row: dict[str, Any] = dict(result.arm.parameters)
            for metric in self.metrics:
                summary = result.summary(metric)
                row |= {metric: summary.mean, f"{metric}_stderr": summary.stderr}
            row["coverage"] = min((result.summary(metric).coverage for metric in self.metrics), default=1.0)
            row |= {"dollars": result.dollars, "seconds_p50": result.seconds(0.5)}
            row |= {"seconds_p95": result.seconds(0.95), "offline": result.offline, "error": result.error}
            rows.append(row)
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        return self.leaderboard().to_html(index=False, float_format="{:.3f}".format)
