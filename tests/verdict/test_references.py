"""On the special cases that others cover, the numbers are theirs."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower

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
    half = c * np.sqrt((n - 1) / (n - c**2)) * ahead.std(ddof=1) / np.sqrt(n)
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


@pytest.mark.parametrize("questions", [20, 50, 200])
def test_the_power_of_two_arms_is_statsmodels_paired_t_test(questions):
    theirs = TTestPower().solve_power(nobs=questions, alpha=0.05, power=0.8)
    assert detectable(questions, 2, 1.0) == pytest.approx(theirs, rel=0.01)


def test_the_numbers_of_the_page_on_statistics_are_true():
    page = Path(__file__).parents[2] / "docs" / "statistics.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 10 and found.failed == 0
