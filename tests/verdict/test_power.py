"""What a golden dataset can show, from recorded scores."""

from __future__ import annotations

import numpy as np
import pytest

from dream.sweep.plan import Kind, Plan
from dream.verdict.compare import compare
from dream.verdict.power import PRIOR, detectable, power_of_plan, questions_needed, spread_of
from tests.verdict.made import result_of


def scores(spread: float, count: int, arms: int = 4, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    dice = np.random.default_rng(seed)
    own = dice.normal(0, spread / np.sqrt(2), (arms, count))
    own[0] += shift
    return 0.5 + dice.uniform(-0.2, 0.2, count) + own


def test_the_spread_is_measured_on_recorded_scores() -> None:
    made = {f"arm {n}": list(row) for n, row in enumerate(scores(0.12, 200))}
    assert spread_of(result_of(made)) == pytest.approx(0.12, rel=0.1)
    assert spread_of(result_of({"only": made["arm 0"]})) is None


def test_questions_that_hang_together_show_less() -> None:
    dice = np.random.default_rng(0)
    shared = np.tile(dice.normal(0, 0.1, (2, 12)), 10)  # each of 12 documents moves its ten questions alike
    made = {"a": list(0.5 + shared[0]), "b": list(0.5 + shared[1])}
    together, alone = spread_of(result_of(made, documents=12)), spread_of(result_of(made))
    assert together == pytest.approx(np.sqrt(10) * alone, rel=0.1)


def test_a_difference_that_is_said_to_be_detectable_is_seen_four_times_in_five() -> None:
    difference = detectable(40, 4, 0.2)
    seen = 0
    for seed in range(300):
        found = compare(scores(0.2, 40, shift=difference, seed=seed), flips=499)
        seen += bool(found.low[1, 0] > 0)  # arm 0 beats arm 1, all pairs at once
    assert 0.72 < seen / 300 < 0.9


def test_a_plan_tells_what_smaller_differences_cost() -> None:
    kinds = (
        Kind("golden", 9, 9, 0, 0, 0.0),
        Kind("generate", 100, 50, 1, 1, 1.0),
        Kind("f1", 50, 0, 1, 1, 2.0),
    )
    plan = Plan(4, 0, 40, True, 1, 0, 150, 50, kinds=kinds)
    made = {f"arm {n}": list(row) for n, row in enumerate(scores(0.12, 40))}

    known = power_of_plan(plan, result_of(made))
    assert known.pilot and known.questions == 40
    assert known.needed[-1].dollars == pytest.approx(known.needed[-1].questions * 4.0 / 40)

    nothing = power_of_plan(plan, result_of({f"arm {n}": [None] * 40 for n in range(4)}))
    assert not nothing.pilot and nothing.spread == PRIOR and "assumed" in str(nothing)


def test_a_verdict_with_a_tie_says_what_it_takes_to_know_more_and_what_that_costs() -> None:
    made = {f"arm {n}": list(row) for n, row in enumerate(scores(0.2, 40))}
    result = result_of(made, dollars=dict.fromkeys(made, 0.01))
    (note,) = [note for note in result.verdict().notes if note.startswith("To see a difference of 0.05")]
    spread = spread_of(result)
    assert spread is not None
    needed = questions_needed(0.05, len(made), spread)
    assert f"{needed:,} questions like these, {needed - 40:,} more" in note
    assert f"${(needed - 40) * 0.01 * len(made):,.2f}" in note
    clear = {"good": [0.9, 0.8] * 20, "bad": [0.2, 0.1] * 20}
    assert not any("difference of" in note for note in result_of(clear).verdict().notes)
