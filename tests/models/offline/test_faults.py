"""Which requests are hit is decided by their bodies, not by their order."""

import json

import pytest

from dream.errors import DreamError
from dream.models.offline.faults import FaultPlan, waver
from dream.models.offline.options import Faults

BODIES = [f'{{"seed": {number}}}'.encode() for number in range(1000)]


def test_the_share_of_requests_that_are_hit_is_as_told():
    plan = FaultPlan(Faults(rate_limited=0.2))
    hit = sum(plan.next_fault(body) == "rate_limited" for body in BODIES)
    assert 150 < hit < 250


def test_the_same_requests_are_hit_in_any_order():
    faults = Faults(rate_limited=0.2, failing=0.2, truncated=0.2)
    one, other = FaultPlan(faults), FaultPlan(faults)
    forwards = {body: one.next_fault(body) for body in BODIES}
    backwards = {body: other.next_fault(body) for body in reversed(BODIES)}
    assert forwards == backwards
    assert set(forwards.values()) == {"rate_limited", "failing", "truncated", None}


def test_a_request_succeeds_after_its_attempts():
    plan = FaultPlan(Faults(failing=1.0, attempts=2))
    assert [plan.next_fault(b"x") for _ in range(3)] == ["failing", "failing", None]


def test_jitter_is_a_property_of_the_request():
    plan = FaultPlan(Faults(latency=0.5, jitter=0.1))
    delays = {plan.delay(body) for body in BODIES}
    assert len(delays) > 900 and all(0.5 <= delay < 0.6 for delay in delays)
    assert plan.delay(BODIES[0]) == plan.delay(BODIES[0])


@pytest.mark.parametrize("wrong", [{"rate_limited": 1.5}, {"latency": -1}, {"attempts": -1}])
def test_impossible_faults_are_refused(wrong):
    with pytest.raises(DreamError):
        Faults(**wrong)


def test_a_judge_that_wavers_turns_its_share_of_verdicts_round_and_others_for_another_seed():
    said = json.dumps({"statements": [{"verdict": 1}] * 20})
    turned = [
        [one["verdict"] for one in json.loads(waver(said, f"body, seed {seed}".encode(), 0.3))["statements"]]
        for seed in range(50)
    ]
    assert 0.25 < 1 - sum(map(sum, turned)) / 1000 < 0.35
    assert turned[0] != turned[1] and waver(said, b"body", 0.0) == said
    sorted_ = json.dumps({"TP": [{"statement": "a"}], "FP": [{"statement": "b"}], "FN": []})
    assert json.loads(waver(sorted_, b"body", 1.0)) == {
        "TP": [{"statement": "b"}],
        "FP": [{"statement": "a"}],
        "FN": [],
    }
