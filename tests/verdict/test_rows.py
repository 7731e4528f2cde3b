"""The table of results: what pandas reads is what the arms hold, holdout and missing scores included."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dream.records import Answer, Question, Score
from dream.storage import open_storage
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.result import Holdout, SweepResult
from dream.verdict.rows import write_results


def test_every_score_is_a_row_and_a_missing_one_says_why(tmp_path: Path) -> None:
    arm = Arm("chunks", "small", "minilm", {"top_k": 4})
    scores = (Score("f1", 0.5), Score("faithfulness", reason="the judge was cut off"))
    rows = (
        Row("q1", Answer("yes", input_tokens=7, dollars=0.1), scores),
        Row("q2", None, scores, "no answer"),
    )
    questions = (Question("q1", "Is it?", "Yes."), Question("q2", "Why?", "So."))
    held = Holdout((Question("h", "When?", "Now."),), (ArmResult(arm, (Row("h", Answer("now"), scores),)),))
    result = SweepResult(
        "mine", "f1", ("f1", "faithfulness"), questions, (ArmResult(arm, rows),), holdout=held
    )

    key = write_results(open_storage(tmp_path), result)

    table = pd.read_parquet(tmp_path / key)
    assert key == "results/mine/results.parquet"
    assert len(table) == 6
    assert table.groupby("part").size().to_dict() == {"choosing": 4, "holdout": 2}
    assert table[table.metric == "f1"].value.tolist() == [0.5] * 3
    assert table[table.missing].reason.unique().tolist() == ["the judge was cut off"]
    one = table[(table.question == "q1") & (table.metric == "f1")].iloc[0]
    assert (one.asked, one.answer, one.input_tokens, one.dollars) == ("Is it?", "yes", 7, 0.1)
    assert table[table.question == "q2"].answer.isna().all()
