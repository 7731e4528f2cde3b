"""One question as every arm answered it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dream.errors import DreamError
from dream.verdict.result import SweepResult

if TYPE_CHECKING:
    import pandas as pd


def answers(result: SweepResult, question: str) -> pd.DataFrame:
    """What each arm answered to a question, best score first, with what it had retrieved.

    Args:
        result: from ``run_sweep`` or ``read_results``.
        question: its id.

    Raises:
        DreamError: the study has no such question.
    """
    import pandas as pd

    if question not in {one.id for one in result.questions}:
        raise DreamError("the study has no such question", question, "take an id from golden.frame()")
    rows: list[dict[str, Any]] = []
    for arm in result.arms:
        for row in arm.rows:
            if row.question == question:
                chunks = row.answer.contexts if row.answer else ()
                rows.append(
                    {
                        "arm": arm.arm.name,
                        result.objective: row.score(result.objective).value,
                        "answer": row.answer.text if row.answer else row.error,
                        "retrieved": "\n\n".join(chunk.text for chunk in chunks),
                    }
                )
    columns = ["arm", result.objective, "answer", "retrieved"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(result.objective, ascending=False, kind="stable", ignore_index=True)


def hardest(result: SweepResult) -> pd.DataFrame:
    """The questions, hardest first: the arms' mean score and their best."""
    import pandas as pd

    rows = []
    for question in result.questions:
        scores = [
            row.score(result.objective).value
            for arm in result.arms
            for row in arm.rows
            if row.question == question.id
        ]
        values = [score for score in scores if score is not None]
        mean = sum(values) / len(values) if values else None
        rows.append(
            {
                "id": question.id,
                "question": question.question,
                "mean": mean,
                "best": max(values, default=None),
            }
        )
    return pd.DataFrame(rows).sort_values("mean", kind="stable", ignore_index=True)
