"""Where arms lose their questions."""

from __future__ import annotations

from typing import Any

import pytest

from dream.records import Answer, Chunk, Question, Reach, Score, Span
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.losses import OUTCOMES, find_losses
from dream.verdict.result import SweepResult

TWO = (Span("a", 0, 100), Span("a", 500, 600))
FIRST, SECOND = (Chunk(str(n), "…", Span("a", n, n + 120)) for n in (0, 490))


def lost(
    score: float | None = 0.0,
    *,
    contexts: tuple[Chunk, ...] = (FIRST, SECOND),
    reach: tuple[Reach, ...] = (Reach(True, 1), Reach(True, 2)),
    knobs: dict[str, Any] | None = None,
    **question: Any,
) -> Any:
    """What became of a question with two pieces of evidence."""
    given = {"evidence": TWO, "evidence_text": ("one", "two"), **question}
    asked = Question("q", "Why?", "So.", **given)
    scores = (Score("f1", score, "" if score is not None else "the judge failed"),)
    row = Row("q", Answer("x", contexts), scores, reach=reach)
    arm = ArmResult(Arm("chunks", "small", "minilm", {"top_k": 4} if knobs is None else knobs), (row,))
    (found,) = find_losses(SweepResult("s", "f1", ("f1",), (asked,), (arm,)))
    assert sum(found.counts().values()) == len(found.losses)
    return (found.losses[0].outcome, found.losses[0].rank) if found.losses else None


def test_each_stage_is_told_from_the_spans():
    assert lost(evidence=TWO[:1]) == ("parsing", None)
    assert lost(evidence=()) == ("parsing", None)
    assert lost(contexts=(FIRST,), reach=(Reach(True, 1), Reach(False))) == ("chunking", None)
    assert lost(contexts=(FIRST,), reach=(Reach(True, 1), Reach(True, 9))) == ("depth", 9)
    assert lost(contexts=(FIRST,), reach=(Reach(True, 1), Reach(True, 51))) == ("depth", None)
    assert lost(contexts=(FIRST,), reach=(Reach(True, 1), Reach(True, 4))) == ("context", None)
    assert lost() == ("generation", None)


def test_the_first_stage_that_lost_a_piece_counts():
    pieces = (Reach(True, 3), Reach(False))
    assert lost(contexts=(), reach=pieces) == ("chunking", None)
    assert lost(contexts=(), reach=(Reach(True, 3), Reach(True, 30))) == ("depth", 30)


def test_an_answer_is_right_from_half_on_with_or_without_its_evidence():
    assert lost(0.5) == ("right", None) and lost(0.499)[0] == "generation"
    assert lost(0.9, contexts=(FIRST,)) == ("right without evidence", None)
    assert lost(None) == ("not scored", None)
    assert lost(None, evidence=()) == ("parsing", None)


def test_a_question_without_known_evidence_is_not_traced():
    assert lost(evidence=(), evidence_text=()) is None
    assert lost(answerable=False) is None


def test_a_method_without_top_k_looks_as_deep_as_it_shows():
    deep = (Reach(True, 1), Reach(True, 2))
    assert lost(contexts=(FIRST,), reach=deep, knobs={}) == ("depth", 2)
    assert lost(contexts=(FIRST, FIRST), reach=deep, knobs={}) == ("context", None)


def test_an_older_result_without_ranks_still_tells_depth():
    assert lost(contexts=(FIRST,), reach=()) == ("depth", None)


def test_outcomes_add_up_to_a_hundred_and_name_their_questions():
    from tests.report.sample import sample_result

    result = sample_result()
    found = find_losses(result)
    assert len(found) == 11, "the failed arm has nothing to trace"
    assert [one.arm for one in found] == [arm.arm.id for arm in result.ranked() if arm.rows]
    for one in found:
        assert sum(one.per_hundred().values()) == pytest.approx(100)
        assert list(one.per_hundred()) == list(OUTCOMES)
        assert one.untraced == 3 and len(one.losses) == 21
        said = one.to_json()
        listed = [name for names in said["questions"].values() for name in names]
        assert sorted(listed) == sorted(loss.question for loss in one.losses)
