"""On the special cases that others cover, the numbers are theirs."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multicomp import pairwise_tukeyhsd
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from dream.records import Score
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.compare import compare
from dream.verdict.honest import estimate
from dream.verdict.power import detectable


@pytest.mark.parametrize("seed", range(5))
def test_two_arms_have_the_p_of_scipys_exact_paired_permutation_test(seed):
    dice = np.random.default_rng(seed)
    first, second = dice.random((2, 10))
    first += 0.25
    theirs = stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=10**5,
    )
    assert compare([first, second]).p.min() == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("seed", range(3))
def test_with_many_questions_the_p_of_two_arms_is_that_of_scipys_paired_t_test(seed):
    first, second = np.random.default_rng(seed).normal([[0.03], [0.0]], 0.2, (2, 200))
    found = compare([first, second], flips=19_999)
    assert found.p.min() == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=0.012)


def test_with_normal_scores_all_intervals_are_those_of_tukeys_honest_differences():
    arms, questions = 6, 200
    dice = np.random.default_rng(8)
    scores = dice.normal(0.5, 0.1, questions) + dice.normal(0, 0.1, (arms, questions))
    scores[0] += 0.03
    # what is common to all arms is taken off, as randomised blocks do it: statsmodels compares groups
    alone = scores - scores.mean(axis=0)
    theirs = pairwise_tukeyhsd(alone.ravel(), np.repeat(np.arange(arms), questions))
    found, above = compare(scores), np.triu_indices(arms, 1)
    assert found.differences[above] == pytest.approx(theirs.meandiffs)
    # blocks cost degrees of freedom, of which statsmodels knows nothing
    wider = np.sqrt((arms * questions - arms) / ((arms - 1) * (questions - 1)))
    halves = (theirs.confint[:, 1] - theirs.confint[:, 0]) / 2 * wider
    ours = (found.high - found.low)[above] / 2
    assert ours.mean() == pytest.approx(halves.mean(), rel=0.04)
    assert abs(ours / halves - 1).max() < 0.2, "each pair has its own spread, Tukey's one for all"


def test_stepping_down_finds_no_less_than_holms_correction_of_scipys_tests():
    dice = np.random.default_rng(5)
    scores = dice.random((4, 11)) * 0.3 + np.array([[0.5], [0.5], [0.3], [0.1]])
    found = compare(scores)
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    alone = [
        stats.permutation_test(
            (scores[j], scores[i]),
            lambda a, b, axis: np.mean(a - b, axis=axis),
            permutation_type="samples",
            alternative="greater",
            n_resamples=10**4,
        ).pvalue
        for i, j in pairs
    ]
    holm = multipletests(alone, method="holm")[1]
    worst = [min(p for p, (i, _) in zip(holm, pairs, strict=True) if i == arm) for arm in range(4)]
    assert all(ours <= theirs + 0.005 for ours, theirs in zip(found.p, worst, strict=True))
    assert [bool(tied) for tied in found.tied] == [True, True, False, False]


def test_on_binary_scores_it_is_the_exact_mcnemar_test():
    first = np.array([1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1.0])
    second = np.array([0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0.0])
    table = [[int(((first == a) & (second == b)).sum()) for b in (0, 1)] for a in (0, 1)]
    assert compare([first, second]).p.min() == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_the_interval_of_two_arms_is_a_t_interval_with_the_yardstick_of_the_flips():
    dice = np.random.default_rng(3)
    first, second = dice.normal([[0.1], [0.0]], 0.2, (2, 60))
    found, ahead = compare([second, first]), first - second
    n, c = len(ahead), found.critical
    # the two clusters' worth of spread that are borrowed are the pair's own here: n - 1 + 2
    half = c * np.sqrt((n + 1) / (n - c**2)) * ahead.std(ddof=1) / np.sqrt(n)
    assert found.low[0, 1] == pytest.approx(ahead.mean() - half)
    assert found.high[0, 1] == pytest.approx(ahead.mean() + half)
    theirs = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low[0, 1], found.high[0, 1]) == pytest.approx((theirs.low, theirs.high), abs=0.1 * half)


def test_the_honest_mean_has_scipys_interval_and_with_clusters_that_of_statsmodels():
    dice = np.random.default_rng(4)
    scores = dice.normal(0.5, 0.1, 24)
    alone = estimate(scores, range(24))
    theirs = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (alone.low, alone.high) == pytest.approx((theirs.low, theirs.high))
    groups = np.arange(24) // 4
    fitted = sm.OLS(scores, np.ones(24)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    together = estimate(scores, groups)
    assert (together.low, together.high) == pytest.approx(tuple(fitted.conf_int()[0]))


def test_the_honest_interval_is_near_scipys_bootstrap_of_the_mean():
    scores = np.random.default_rng(6).beta(3, 2, 60)
    ours = estimate(scores, range(60))
    theirs = stats.bootstrap((scores,), np.mean, random_state=0, n_resamples=4999).confidence_interval
    half = (ours.high - ours.low) / 2
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.1 * half)


def test_an_arms_mean_is_the_aggregate_that_mlflow_logs_which_leaves_out_what_failed():
    from mlflow.entities import Feedback
    from mlflow.genai.evaluation.entities import EvalItem, EvalResult
    from mlflow.genai.scorers.aggregation import compute_aggregated_metrics

    values = [0.25, None, 1.0, 0.5, None, 0.75]
    rows = [
        EvalResult(
            eval_item=EvalItem(request_id=str(n), inputs={}, outputs="", expectations={}),
            assessments=[Feedback(name="f1", value=value, error=None if value is not None else "failed")],
        )
        for n, value in enumerate(values)
    ]
    theirs = compute_aggregated_metrics(rows, [])
    ours = ArmResult(
        Arm("chunks", "llm", "embedding"),
        tuple(
            Row(str(n), None, (Score("f1", value, "" if value is not None else "failed"),))
            for n, value in enumerate(values)
        ),
    ).summary("f1")
    assert theirs == {"f1/mean": pytest.approx(ours.mean)}
    assert (ours.scored, ours.missing) == (4, 2)


@pytest.mark.parametrize("questions", [20, 50, 200])
def test_the_power_of_two_arms_is_statsmodels_paired_t_test(questions):
    theirs = TTestPower().solve_power(nobs=questions, alpha=0.05, power=0.8)
    assert detectable(questions, 2, 1.0) == pytest.approx(theirs, rel=0.01)


def test_the_numbers_of_the_page_on_statistics_are_true():
    page = Path(__file__).parents[2] / "docs" / "statistics.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 10 and found.failed == 0
