from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dream.verdict.race import rounds_of, stopped
from dream.verdict.racing import stops_after
from tests.verdict.made import METRIC, arm_of, questions_of, result_of


def test_rounds_only_grow_and_do_not_depend_on_the_order_of_the_file():
    asked = questions_of(60)
    rounds = [{question.id for question in one} for one in rounds_of(asked, 0)]
    assert all(earlier < later for earlier, later in pairwise(rounds))
    turned = [{question.id for question in one} for one in rounds_of(asked[::-1], 0)]
    assert turned == rounds
    assert [{question.id for question in one} for one in rounds_of(asked, 1)] != rounds


def test_an_arm_far_behind_is_stopped_and_its_beater_named():
    asked = questions_of(30)
    arms = [
        arm_of("good", [0.9] * 30, asked),
        arm_of("fair", [0.85] * 30, asked),
        arm_of("bad", [0.1] * 30, asked),
    ]
    stops = stops_after(arms, asked, METRIC, 3)
    assert list(stops) == [arms[2].arm.id]
    assert stops[arms[2].arm.id].beaten_by == arms[0].arm.id and stops[arms[2].arm.id].p <= 0.01


def test_nobody_is_stopped_by_a_metric_that_is_no_share():
    assert not stopped([[120.0] * 30, [3.0] * 30], 2).any()


@pytest.mark.parametrize("binary", [False, True])
def test_of_equal_arms_hardly_any_race_stops_one_though_it_is_looked_at_after_every_round(binary):
    wrong = 0
    for study in range(300):
        dice = np.random.default_rng(study)
        scores = dice.beta(2, 2, (6, 100))
        scores = np.round(scores) if binary else scores
        wrong += any(stopped(scores[:, :size], 6).any() for size in (20, 40, 60, 80, 100))
    assert wrong <= 300 * 0.01 + 5


def test_a_stopped_arm_is_out_with_its_questions_told_and_the_rest_is_compared():
    scores = {"good": [0.8, 0.6] * 30, "fair": [0.6, 0.8] * 30, "bad": [0.1] * 60}
    whole = result_of(scores)
    bad = whole.arms[2]
    cut = replace(bad, rows=bad.rows[:20])
    stops = stops_after(
        [replace(arm, rows=arm.rows[:20]) for arm in whole.arms], whole.questions[:20], METRIC, 3
    )
    verdict = replace(whole, arms=(*whole.arms[:2], cut), stopped=stops, raced=True).verdict()
    assert len(stops) == 1 and len(verdict.tied) == 2
    last = verdict.arms[-1]
    assert (last.stopped_after, last.tied, last.mean) == (20, False, pytest.approx(0.1))
    assert any("stopped early" in note for note in verdict.notes)
