from __future__ import annotations

import json

import numpy as np
import pytest

from dream.errors import DreamError
from tests.verdict.made import METRIC, result_of


def noisy(shift: float, seed: int, count: int = 60) -> list[float]:
    level = np.random.default_rng(99).random(count) * 0.5 + 0.2
    return [
        float(x) for x in np.clip(level + shift + np.random.default_rng(seed).normal(0, 0.1, count), 0, 1)
    ]


ARMS = {"good": noisy(0.1, 1), "as-good": noisy(0.1, 2), "poor": noisy(-0.1, 3)}


def test_an_arm_that_is_clearly_worse_is_out_and_an_equal_one_is_not():
    verdict = result_of(ARMS).verdict()
    assert {arm.name.split(" · ")[1] for arm in verdict.tied} == {"good", "as-good"}
    poor = verdict.arms[-1]
    assert not poor.tied and poor.p < 0.01 and poor.high < 0 and poor.beaten_by
    assert "Take" in verdict.text and METRIC in verdict.text


def test_the_rule_takes_one_arm_from_the_tie_set_only():
    result = result_of(ARMS, dollars={"good": 0.02, "as-good": 0.01, "poor": 0.001})
    assert "as-good" in result.verdict(rule="cheapest").taken.name
    best = max(result.verdict().arms, key=lambda arm: arm.mean)
    assert result.verdict(rule="best").taken == best


def test_a_cheap_arm_far_below_is_not_taken_only_because_questions_are_few():
    few = {"good": [0.9, 0.2, 1.0, 0.8, 0.1, 1.0], "cheap": [0.1, 0.8, 0.5, 0.2, 0.4, 0.3]}
    verdict = result_of(few, dollars={"good": 0.02, "cheap": 0.01}).verdict(rule="cheapest")
    assert len(verdict.tied) == 2
    assert "good" in verdict.taken.name


def test_the_same_verdict_without_some_questions():
    result = result_of(ARMS)
    dropped = [question.id for question in result.questions[:20]]
    assert result.without(dropped).verdict().questions == 40
    assert result.verdict().questions == 60


def test_it_is_plain_json_and_shows_itself():
    verdict = result_of(ARMS).verdict()
    assert json.loads(json.dumps(verdict.to_json()))["recommended"] == verdict.recommended
    assert "<table>" in verdict._repr_html_() and str(verdict) == verdict.text


def test_an_unknown_metric_or_rule_is_a_mistake_told_in_one_sentence():
    with pytest.raises(DreamError, match="not scored"):
        result_of(ARMS).verdict(metric="mrr")
    with pytest.raises(DreamError, match="not a rule"):
        result_of(ARMS).verdict(rule="dearest")


def say(scores, **more) -> str:
    return result_of(scores, **more).verdict().text


def test_degenerate_studies_say_plainly_what_cannot_be_said():
    nothing = {"a": [None] * 8, "b": [None] * 8}
    assert "Nothing can be said" in say(nothing)
    assert result_of(nothing).verdict().recommended is None
    assert "nothing to compare" in say({"a": [0.5] * 8})
    assert "same score on every question" in say({"a": [0.5] * 8, "b": [0.5] * 8})
    few = result_of({"a": [1.0] * 5, "b": [0.0] * 5}).verdict()
    assert "at least 6 are needed" in few.text and len(few.tied) == 2


def test_six_questions_on_which_one_arm_always_wins_are_enough():
    verdict = result_of({"a": [0.9] * 6, "b": [0.1] * 6}).verdict()
    assert [arm.name.split(" · ")[1] for arm in verdict.tied] == ["a"]


def test_questions_of_one_document_are_one_piece_of_evidence():
    # 60 questions say the same thing, but only through 6 documents of which one disagrees
    better = [0.6 if number % 6 else 0.1 for number in range(60)]
    alone, clustered = (result_of({"a": better, "b": [0.3] * 60}, documents=n).verdict() for n in (0, 6))
    assert len(alone.tied) == 1 and len(clustered.tied) == 2
    assert (clustered.clusters, clustered.clustered_by) == (6, "document")


def test_with_too_few_documents_every_question_counts_and_that_is_said():
    verdict = result_of(ARMS, documents=3).verdict()
    assert verdict.clustered_by == "question" and verdict.clusters == 60
    assert any("further questions on these documents" in note for note in verdict.notes)


def test_missing_scores_that_could_turn_the_verdict_are_told():
    good, poor = [0.8, 0.7, 0.9, 0.6] * 10, [0.5, 0.4, 0.6, 0.3] * 10
    sure = result_of({"good": good, "poor": [None, *poor[1:]]}).verdict()
    assert len(sure.tied) == 1 and sure.fragile == ()
    low, high = sure.arms[1].bounds
    assert low == pytest.approx(sum(poor[1:]) / 40) and high == pytest.approx((sum(poor[1:]) + 1) / 40)
    unsure = result_of({"good": good, "poor": [None] * 20 + poor[20:]}).verdict()
    assert len(unsure.tied) == 1 and "poor" in unsure.fragile[0]
    assert "could turn this over" in unsure.text


def test_a_failed_arm_is_named_and_neither_tied_nor_out():
    verdict = result_of({**ARMS, "failed": [None] * 60}).verdict()
    assert verdict.arms[-1].error and not verdict.arms[-1].tied
    assert any("failed" in note for note in verdict.notes)


def test_arms_that_never_differ_are_tied_and_the_interval_says_how_far_that_reaches():
    verdict = result_of({"a": ARMS["good"], "b": ARMS["good"]}).verdict()
    other = verdict.arms[1]
    assert other.tied and other.low < 0 < other.high < 0.1
