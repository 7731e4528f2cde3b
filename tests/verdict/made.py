"""Sweep results with scores that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dream.records import Answer, Question, Score, Span
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.result import SweepResult

METRIC = "answer_correctness"


def questions_of(
    count: int, documents: int = 0, kinds: Sequence[str] = ("single-hop",)
) -> tuple[Question, ...]:
    """Questions spread over that many documents; without evidence if there are none."""
    return tuple(
        Question(
            f"q{number:04}",
            f"Question {number}?",
            "Yes.",
            evidence=(Span(f"{number % documents}.pdf", number, number + 10),) if documents else (),
            kind=kinds[number % len(kinds)],
        )
        for number in range(count)
    )


def arm_of(
    name: str, values: Sequence[float | None], questions: Sequence[Question], dollars: float = 0.0
) -> ArmResult:
    """An arm with these scores; ``None`` is a missing one."""
    rows = tuple(
        Row(
            question.id,
            Answer("Yes.", dollars=dollars, seconds=1.0),
            (Score(METRIC, value, "" if value is not None else "the judge failed"),),
        )
        for question, value in zip(questions, values, strict=True)
    )
    return ArmResult(Arm("chunks", name, "minilm"), rows)


def result_of(
    scores: Mapping[str, Sequence[float | None]],
    *,
    documents: int = 0,
    dollars: Mapping[str, float] | None = None,
    **more: Any,
) -> SweepResult:
    """A sweep of arms named by their LLMs."""
    asked = questions_of(len(next(iter(scores.values()))), documents)
    prices = dollars or {}
    arms = tuple(arm_of(name, values, asked, prices.get(name, 0.0)) for name, values in scores.items())
    return SweepResult("made", METRIC, (METRIC,), asked, arms, **more)
