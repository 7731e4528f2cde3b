"""What a study would take: arms, distinct indexes and model calls, and how much of it is done already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dream.ledger import Ledger
from dream.sweep.arms import list_arms
from dream.sweep.prepare import distinct_indexes, missing_indexes
from dream.sweep.result import Arm
from dream.sweep.run import recorded, whole
from dream.sweep.setting import Setting


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        arms: how many arms the study has.
        arms_done: how many have all their results in the ledger.
        questions: in the golden dataset.
        indexes: distinct ones that the arms need.
        indexes_done: how many are in the ledger.
        model_calls: most model calls that all arms need together; equal calls of different arms are
            asked once, so a run makes fewer.
        model_calls_done: how many of them belong to arms that are done.
    """

    arms: int
    arms_done: int
    questions: int
    indexes: int
    indexes_done: int
    model_calls: int
    model_calls_done: int

    def __str__(self) -> str:
        """The plan in one line.

        >>> print(Plan(12, 2, 40, 6, 2, 5280, 880))
        12 arms (2 done) · 40 questions · 6 indexes (2 in the ledger) · at most 5,280 model calls (880 done)
        """
        return (
            f"{self.arms} arms ({self.arms_done} done) · {self.questions} questions · "
            f"{self.indexes} indexes ({self.indexes_done} in the ledger) · "
            f"at most {self.model_calls:,} model calls ({self.model_calls_done:,} done)"
        )


# Calls of each metric for one answer, K of them for the K retrieved contexts; see the ragas metrics.
JUDGE_CALLS = {"faithfulness": 2, "answer_relevancy": 3, "context_recall": 1, "answer_correctness": 3}


def calls_of(arm: Arm, metrics: Sequence[str]) -> int:
    """Most model calls that one question takes with this arm: the answer, then each metric's."""
    contexts = int(arm.knobs.get("top_k", 4))
    judged = sum(JUDGE_CALLS.get(metric, 0) for metric in metrics)
    return 1 + judged + (contexts if "context_precision" in metrics else 0)


def plan_study(setting: Setting, ledger: Ledger) -> Plan:
    """Count what the study needs and what the ledger holds; computes and calls nothing."""
    arms = list_arms(setting.study)
    done = [arm for arm in arms if (found := recorded(setting, arm, ledger)) and whole(found)]
    indexes = distinct_indexes(setting, arms)
    metrics, questions = setting.study.metrics, len(setting.questions)
    return Plan(
        arms=len(arms),
        arms_done=len(done),
        questions=questions,
        indexes=len(indexes),
        indexes_done=len(indexes) - len(missing_indexes(setting, arms, ledger)),
        model_calls=questions * sum(calls_of(arm, metrics) for arm in arms),
        model_calls_done=questions * sum(calls_of(arm, metrics) for arm in done),
    )
