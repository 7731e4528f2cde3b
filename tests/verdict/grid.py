"""Sweep results made of numbers, for tests of what is concluded from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dream.records import Question, Score
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.result import SweepResult


def result_of(arms: Sequence[Arm], values: Any, kinds: Sequence[str] = ()) -> SweepResult:
    """Scores of "quality", of shape [arms, questions] or [arms, questions, judgings]; holes are missing."""
    values = np.asarray(values, dtype=float)
    if values.ndim == 2:
        values = values[:, :, None]
    names = [f"q{number}" for number in range(values.shape[1])]
    kinds = kinds or ["single-hop"] * len(names)
    questions = tuple(
        Question(name, f"{name}?", "yes", kind=kind) for name, kind in zip(names, kinds, strict=True)
    )
    found = []
    for arm, table in zip(arms, values, strict=True):
        rows = [Row(name, None, (_score(cell),)) for name, cell in zip(names, table, strict=True)]
        found.append(ArmResult(arm, tuple(rows)))
    return SweepResult("made", "quality", ("quality",), questions, tuple(found))


def _score(cell: Any) -> Score:
    if np.isnan(cell).any():
        return Score("quality", reason="the judge failed")
    judgings = tuple(map(float, cell)) if len(cell) > 1 else ()
    return Score("quality", float(np.mean(cell)), judgings=judgings)


def grid(methods: Sequence[str], llms: Sequence[str], embeddings: Sequence[str]) -> list[Arm]:
    """Every combination, method first, as the search space has them."""
    return [Arm(m, llm, e, {}, (), "") for m in methods for llm in llms for e in embeddings]
