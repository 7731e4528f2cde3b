"""Where the differences between scores come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dream.sweep.result import Arm
from dream.verdict.effects import effect_matrices
from dream.verdict.matters import find_matters

from .grid import grid, result_of

METHODS, LLMS, EMBEDDINGS = ["chunks", "window", "merging"], ["small", "large"], ["minilm", "hashing"]


def scores(arms: list[Arm], count: int, seed: int = 1, noise: float = 0.1) -> np.ndarray:
    """The LLM matters much, the embedding a little, the method not; questions differ."""
    dice = np.random.default_rng(seed)
    arm = np.array([0.3 * (a.llm == "large") + 0.06 * (a.embedding == "minilm") for a in arms])
    return arm[:, None] + dice.normal(0, 0.2, count)[None, :] + dice.normal(0, noise, (len(arms), count))


def shares(found, part="between_arms") -> dict[str, float]:
    return {share.source: share.share for share in getattr(found, part)}


def test_on_a_full_grid_the_components_are_those_of_statsmodels_anova():
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    arms, count = grid(METHODS, LLMS, EMBEDDINGS), 6
    values = scores(arms, count)
    found = find_matters(result_of(arms, values))
    rows = [
        (arm.method, arm.llm, arm.embedding, question, values[place, question])
        for place, arm in enumerate(arms)
        for question in range(count)
    ]
    frame = pd.DataFrame(rows, columns=["m", "l", "e", "q", "y"])
    table = anova_lm(ols("y ~ C(m)*C(l)*C(e)*C(q)", frame).fit())["sum_sq"]
    named = {
        "method": "C(m)", "LLM": "C(l)", "embedding": "C(e)", "method × LLM": "C(m):C(l)",
        "method × embedding": "C(m):C(e)", "LLM × embedding": "C(l):C(e)",
        "other combinations": "C(m):C(l):C(e)",
    }  # fmt: skip
    components = {share.source: share.variance for share in found.between_arms}
    assert components.keys() == named.keys()
    for source, term in named.items():
        # expected mean squares of a mixed model in which questions alone are random
        expected = (table[term] - table[f"{term}:C(q)"] / (count - 1)) / (count * len(arms))
        assert components[source] == pytest.approx(expected, abs=1e-12)
    between = {share.source: share.variance for share in found.between_scores}
    assert between["question"] == pytest.approx(table["C(q)"] / (count - 1) / len(arms))
    fit = sum(table[f"{term}:C(q)"] for term in named.values()) / (count - 1) / len(arms)
    assert between["arm × question"] == pytest.approx(fit)


def test_components_are_unbiased_and_their_intervals_hold_the_truth():
    arms = grid(METHODS, LLMS, EMBEDDINGS)
    truth = {"LLM": 0.15**2, "embedding": 0.03**2, "method": 0.0}
    seen, held, runs = {name: [] for name in truth}, 0, 300
    for seed in range(runs):
        found = find_matters(result_of(arms, scores(arms, 20, seed, noise=0.3)))
        for share in found.between_arms:
            if share.source in truth:
                seen[share.source].append(share.variance)
            if share.source == "LLM":
                whole = sum(truth.values())
                held += share.low <= truth["LLM"] / whole <= share.high
    for name, true in truth.items():
        stderr = np.std(seen[name]) / runs**0.5
        assert np.mean(seen[name]) == pytest.approx(true, abs=4 * stderr), name
    assert held / runs > 0.85


def test_sentences_name_what_matters_and_how_much():
    arms = grid(METHODS, LLMS, EMBEDDINGS)
    found = find_matters(result_of(arms, scores(arms, 40)))
    first, second, *_ = found.sentences()
    assert first.startswith("On your documents the LLM explains 9") and "the embedding " in first
    assert "of the differences between the arms" in first and "from how hard the question is" in second
    assert found.to_json()["sentences"] == found.sentences()


def test_arms_that_do_not_differ_explain_nothing():
    arms = grid(METHODS, LLMS, EMBEDDINGS)
    noise = np.random.default_rng(5).normal(0, 0.2, (len(arms), 30))
    found = find_matters(result_of(arms, noise))
    assert found.between_arms == ()
    assert "no more than chance" in found.sentences()[0]
    same = find_matters(result_of(arms, np.full((len(arms), 5), 0.5)))
    assert same.between_arms == () and "no more than chance" in same.sentences()[0]


def test_a_knob_of_one_method_and_an_arm_that_failed_leave_shares_that_add_up():
    arms = [
        Arm("chunks", llm, "minilm", {"chunk_size": size}, ("chunk_size",))
        for size in (128, 256, 512)
        for llm in LLMS
    ] + [Arm("window", llm, "minilm", {"window": 3}) for llm in LLMS]
    values = scores(arms, 30)
    values[[arm.knobs.get("chunk_size") == 512 for arm in arms]] += 0.2
    result = result_of(arms, values)
    full = find_matters(result)
    assert set(shares(full)) >= {"LLM", "method", "chunk_size"}
    assert sum(shares(full).values()) == pytest.approx(1) and shares(full)["chunk_size"] > 0.15
    failed = replace(result, arms=(replace(result.arms[0], rows=(), error="no index"), *result.arms[1:]))
    holed = find_matters(failed)
    assert holed.arms == 7 and holed.left_out == (f"{arms[0].name} (failed)",)
    assert sum(shares(holed).values()) == pytest.approx(1)
    # the LLM's share must not move far because one of eight arms is gone
    assert shares(holed)["LLM"] == pytest.approx(shares(full)["LLM"], abs=0.12)


def test_the_parts_of_a_grid_with_holes_are_the_whole():
    arms = grid(METHODS, LLMS, EMBEDDINGS)
    arms = [
        arm for place, arm in enumerate(arms) if place not in (0, 3, 11)
    ]  # all three main effects overlap
    matrices = effect_matrices(arms)
    whole = np.eye(len(arms)) - 1 / len(arms)
    assert sum(matrices.values()) == pytest.approx(whole, abs=1e-9)
    assert min(np.linalg.eigvalsh(matrix).min() for matrix in matrices.values()) > -1e-9


def test_missing_scores_are_filled_in_counted_and_change_little():
    arms = grid(METHODS, LLMS, EMBEDDINGS)
    values = scores(arms, 120)
    whole = find_matters(result_of(arms, values))
    holes = np.random.default_rng(3).random(values.shape) < 0.25
    holed = find_matters(result_of(arms, np.where(holes, np.nan, values)))
    assert holed.filled == holes.sum() and "missing scores were filled in" in " ".join(holed.sentences())
    for source, share in shares(whole).items():
        assert shares(holed)[source] == pytest.approx(share, abs=0.03)
    fits = [
        {s.source: s.variance for s in found.between_scores}["arm × question"] for found in (whole, holed)
    ]
    assert fits[1] == pytest.approx(fits[0], rel=0.1)


def test_after_a_race_arms_are_compared_on_the_questions_that_all_were_asked():
    from dream.verdict.race import Stop

    arms = grid(METHODS, LLMS, EMBEDDINGS)
    values = scores(arms, 40)
    result = result_of(arms, values)
    early = replace(result.arms[0], rows=result.arms[0].rows[:16])
    stopped = {arms[0].id: Stop(16, 0.001, arms[-1].id)}
    raced = replace(result, arms=(early, *result.arms[1:]), stopped=stopped)
    found = find_matters(raced)
    assert (found.questions, found.arms, found.filled) == (16, 12, 0)
    assert found.left_out == ("24 questions that the race did not ask of all arms",)
    first = find_matters(result_of(arms, values[:, :16]))
    assert shares(found) == pytest.approx(shares(first))


def test_an_arm_with_few_scores_is_left_out_rather_than_invented():
    arms = grid(METHODS, LLMS, ["minilm"])
    values = scores(arms, 20)
    values[2, :15] = np.nan
    found = find_matters(result_of(arms, values))
    assert found.arms == 5 and found.filled == 0
    assert found.left_out == (f"{arms[2].name} (too few scores)",)


def test_repeats_tell_the_judges_noise_from_how_arm_and_question_meet():
    arms = grid(METHODS, LLMS, EMBEDDINGS)
    dice = np.random.default_rng(7)
    values = scores(arms, 60, noise=0.1)
    repeats = values[:, :, None] + dice.normal(0, 0.2, (*values.shape, 3))
    found = find_matters(result_of(arms, repeats))
    components = {share.source: share.variance for share in found.between_scores}
    assert found.judgings == 3 and components["judge's noise"] == pytest.approx(0.04, rel=0.1)
    assert components["arm × question"] == pytest.approx(0.01 * 11 / 12, rel=0.35)
    assert "the judge's own noise (3 judgings" in found.sentences()[1]
    once = find_matters(result_of(arms, repeats[:, :, 0]))
    assert "judge's noise" not in {share.source for share in once.between_scores}
    assert "is part of the last" in once.sentences()[1]


def test_one_arm_or_one_question_says_nothing():
    arms = grid(METHODS, ["small"], ["minilm"])
    assert find_matters(result_of(arms[:1], [[0.1, 0.2]])) is None
    assert find_matters(result_of(arms, [[0.1], [0.2], [0.3]])) is None


def test_a_router_is_told_apart_from_luck():
    arms = grid(["chunks", "window"], LLMS, ["minilm"])
    dice = np.random.default_rng(11)
    kinds = ["table", "prose"] * 40
    luck = dice.normal(0.5, 0.2, (4, 80))
    unknown = find_matters(result_of(arms, luck, kinds)).router
    # twelve numbers of pure luck have a large maximum, which no router could ever reach
    assert unknown.ceiling > 0.15 and unknown.answer == "not shown"
    assert unknown.kind_low < 0 < unknown.kind_high
    suited = luck + 0.3 * np.outer([1, 0, -1, 0], [1 if kind == "table" else -1 for kind in kinds])
    useful = find_matters(result_of(arms, suited, kinds)).router
    assert useful.answer == "yes" and useful.kind_low > 0.1
    clear = find_matters(result_of(arms, np.linspace(0.2, 0.8, 4)[:, None] + 0 * luck, kinds)).router
    assert clear.answer == "no" and clear.ceiling == pytest.approx(0)


def test_halves_of_the_judgings_take_the_judges_luck_out_of_the_oracle():
    arms = grid(["chunks", "window"], LLMS, ["minilm"])
    dice = np.random.default_rng(13)
    noise = 0.5 + dice.normal(0, 0.2, (4, 200, 2))
    found = find_matters(result_of(arms, noise))
    assert found.router.ceiling > 0.1 and abs(found.router.halves_gain) < 0.04
    components = {share.source: share.variance for share in found.between_scores}
    # all of it is noise: none is left for the question, or for how arm and question meet
    assert abs(components["question"]) < 0.002 and abs(components["arm × question"]) < 0.005
