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
