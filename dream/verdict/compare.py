"""All arms against all, on the same questions: the test under every verdict.

For arms i and j let d be the difference of their scores on a question, and D its sum over a cluster
of questions. Where both arms have the same expected score, a cluster's D is as likely positive as negative,
so that flipping the signs of whole clusters at random shows what chance alone can do; all pairs are flipped
together, which keeps how they hang together. The statistic is ``sum(D) / sqrt(sum(D²) + 2 V)``, where V is
the variance of D that is usual among all pairs: ten questions tell little of one pair's spread, and on some
pair they make it look far too small by luck. Two clusters' worth of what all pairs together say steadies it
(the moderated t of Smyth 2004, whose prior is fitted; with resampling, Tusher, Tibshirani and Chu 2001). With
two arms, or many clusters of equal size, it is a monotone function of the paired Student t.

- An arm is out when some other arm beats it by more than chance allows *anywhere*: the step-down max-T of
  Westfall and Young (1993) over arms, in the form of Romano and Wolf (2005). All true bests together stay in
  the tie set with at least the asked probability.
- Differences that are lopsided make signs not quite exchangeable. The error of that is of the order of the
  skewness over the root of the clusters' number (Hall 1992), so with few clusters a part of the 5 % is kept
  back for it, ``0.6 / sqrt(clusters)``: 4.3 % are spent with 20 clusters, 4.7 % with 100.
- p-values count the data themselves as one flip (Phipson and Smyth 2010).
- Intervals of all pairs at once invert the same statistic, with the largest over all pairs as its yardstick:
  the larger of what flips make of the differences, and of the differences less their means, since arms that
  are far apart hang together otherwise than their noise does (Romano and Wolf 2005 on centring).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FLIPS = 3999

# Five signs have 32 patterns: below six clusters no pattern is rarer than 5 % on both sides.
FEWEST = 6

# So many clusters' worth of the usual spread of all pairs steadies each pair's own.
BORROWED = 2

# The part of the error that is kept back for lopsided differences, with one cluster; measured by
# benchmarks/verdict_simulation.py to be enough where half of the arms score all or nothing.
KEPT_BACK = 0.6

# Up to here all patterns of signs are tried instead of a sample.
MOST_TRIED = 12

_TINY = 1e-9


@dataclass(frozen=True)
class Comparison:
    """What the scores say of every arm and every pair of arms; arrays are in the order of the arms given.

    Attributes:
        means: each arm's mean over its own scores; NaN where it has none.
        p: for each arm, how easily chance alone makes some other arm look that much better, adjusted for all
            arms; an arm with p of at most ``error`` is out. 1 for an arm that cannot be compared.
        tied: whether the arm cannot be told from the best.
        beaten_by: for each arm, which other arm beats it most clearly; -1 where nothing can be said.
        differences: row i, column j: mean of arm j minus arm i on the questions both have.
        low: lower ends of the intervals of those differences, all at once; minus infinity where open.
        high: upper ends.
        statistics: row i, column j: how clearly arm j beats arm i.
        critical: what the largest statistic of all pairs reaches by chance with probability ``error``,
            whether or not the arms' means are taken off first.
        threshold: the same for the arms of the tie set only; an arm is out when some other arm's statistic
            against it is larger.
        clusters: how many clusters of questions there are.
        error: how much of ``1 - level`` is spent, after what is kept back for lopsided differences.
        level: probability with which all intervals hold at once, and the tie set holds all true bests.
    """

    means: Numbers
    p: Numbers
    tied: NDArray[np.bool_]
    beaten_by: NDArray[np.int64]
    differences: Numbers
    low: Numbers
    high: Numbers
    statistics: Numbers
    critical: float
    threshold: float
    clusters: int
    error: float
    level: float


def compare(
    scores: Any, clusters: Any = None, *, level: float = 0.95, seed: int = 0, flips: int = FLIPS
) -> Comparison:
    """Compare all arms on the same questions.

    >>> dice = np.random.default_rng(0)
    >>> question = dice.random(40)                      # some questions are harder for every arm
    >>> noise = dice.normal(0, 0.1, (3, 40))
    >>> found = compare(question + noise + [[0.0], [0.01], [-0.2]])
    >>> [bool(tied) for tied in found.tied], [f"{p:.3f}" for p in found.p]
    ([True, True, False], ['1.000', '0.487', '0.000'])

    Args:
        scores: one row an arm, one column a question; NaN where there is no score.
        clusters: for each question, a label that it shares with those it may hang together with, such as
            its document; every question on its own if not given.
        level: see ``Comparison``.
        seed: of the random flips.
        flips: how many, besides the data themselves.
    """
    scores = np.asarray(scores, dtype=np.float64)
    arms, questions = scores.shape
    labels = np.arange(questions) if clusters is None else np.asarray(clusters)
    # A question that no two arms share says nothing of any pair.
    used = (~np.isnan(scores)).sum(axis=0) >= min(2, arms)
    own_means = _means(scores)
    scores, starts = _in_clusters(scores[:, used], labels[used])
    groups = len(starts)
    signs = _signs(groups, seed, flips)
    pairs = _Pairs.of(scores, starts)
    largest, centred = _by_chance(pairs, signs)
    observed = pairs.statistics.max(axis=1, initial=0.0)
    error = (1 - level) * (1 - KEPT_BACK / math.sqrt(max(1, groups)))
    p, critical, threshold = _step_down(observed, largest, error)
    critical = max(critical, _quantile(centred, error))
    low, high = _intervals(pairs, critical, level)
    beaten = np.where(observed > 0, pairs.statistics.argmax(axis=1) if arms else 0, -1)
    return Comparison(
        means=own_means,
        p=p,
        tied=(p > error) & ~np.isnan(own_means),
        beaten_by=beaten.astype(np.int64),
        differences=pairs.differences,
        low=low,
        high=high,
        statistics=pairs.statistics,
        critical=critical,
        threshold=threshold,
        clusters=groups,
        error=error,
        level=level,
    )


def statistics_against(scores: Any, clusters: Any, arm: int) -> Numbers:
    """How clearly each arm beats one arm: a row of ``Comparison.statistics``, without the flips."""
    scores = np.asarray(scores, dtype=np.float64)
    ordered, starts = _in_clusters(scores, np.asarray(clusters))
    sums, _ = _of_arm(ordered, starts, arm)
    levels = _levels(ordered, starts)
    squares = (sums**2).sum(axis=0) + BORROWED * _usual(levels, levels.sum(axis=0), _compared(ordered))
    found: Numbers = sums.sum(axis=0) / np.where(squares > _TINY**2, np.sqrt(squares), np.inf)
    return found


def _in_clusters(scores: Numbers, labels: Any) -> tuple[Numbers, NDArray[np.int64]]:
    """The questions with each cluster's side by side, and where each cluster starts."""
    member = np.unique(labels, return_inverse=True)[1]
    order = np.argsort(member, kind="stable")
    return scores[:, order], np.flatnonzero(np.diff(member[order], prepend=-1))


def _means(scores: Numbers) -> Numbers:
    counts = (~np.isnan(scores)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        means: Numbers = np.nansum(scores, axis=1) / np.where(counts, counts, np.nan)
    return means


def _signs(groups: int, seed: int, flips: int) -> Numbers:
    """Rows of +1 and -1, the first row the data themselves; all patterns where they are few."""
    if groups <= MOST_TRIED:
        patterns = np.arange(2**groups)[:, None] >> np.arange(groups) & 1
        return 1 - 2 * patterns.astype(np.float64)
    drawn = np.random.default_rng(seed).integers(0, 2, (flips, groups)).astype(np.float64) * 2 - 1
    signs: Numbers = np.vstack([np.ones(groups), drawn])
    return signs


def _levels(scores: Numbers, starts: NDArray[np.int64]) -> Numbers:
    """Clusters by arms: sums of how far an arm's scores lie above the mean of all arms that have one."""
    if not scores.size:
        return np.zeros((len(starts), len(scores)))
    known = ~np.isnan(scores)
    means = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(1, known.sum(axis=0))
    sums: Numbers = np.add.reduceat(np.where(known, scores - means, 0.0), starts, axis=1).T
    return sums


def _compared(scores: Numbers) -> int:
    return int((~np.isnan(scores)).any(axis=1).sum())


def _usual(levels: Numbers, totals: Numbers, arms: int) -> Numbers:
    """The variance of a cluster's D between clusters, as a mean over all pairs of arms.

    Args:
        levels: from ``_levels``.
        totals: their sums over the clusters, or rows of such sums, one for each flip.
        arms: how many have scores at all.
    """
    groups = max(2, len(levels))
    between = (levels**2).sum() - (totals**2).sum(axis=-1) / groups
    usual: Numbers = 2 / max(1, arms - 1) * np.maximum(between, 0.0) / (groups - 1)
    return usual


def _by_chance(pairs: _Pairs, signs: Numbers) -> tuple[Numbers, Numbers]:
    """What flips make of the statistics.

    Returns:
        For each flip and arm, the largest statistic of any other arm against it; and for each flip the
        largest of all pairs, once each pair's differences are taken less their mean.
    """
    arms, levels = len(pairs.scores), pairs.levels
    compared = _compared(pairs.scores)
    # Without holes one product gives the flipped sums of all pairs.
    whole = not np.isnan(pairs.scores).any()
    flipped = signs @ levels
    usual = BORROWED * _usual(levels, flipped, compared)[:, None]
    here = np.add.reduceat(np.ones(pairs.scores.shape[1]), pairs.starts) if len(pairs.starts) else np.zeros(0)
    sizes = (signs @ here)[:, None]
    means = levels.sum(axis=0) / max(1.0, here.sum())
    residual = levels - here[:, None] * means
    spread = BORROWED * _usual(residual, flipped - sizes * means, compared)[:, None]
    largest, centred = np.zeros((len(signs), arms)), np.zeros(len(signs))
    for arm in range(arms):
        if whole:
            sums, size = flipped - flipped[:, [arm]], sizes
        else:
            own, counts = _of_arm(pairs.scores, pairs.starts, arm)
            sums, size = signs @ own, signs @ counts
        rest = sums - size * np.where(pairs.usable[arm], pairs.differences[arm], 0.0)
        # nobody is beaten by less than nothing: a pair without any difference, or an unusable one, is at 0
        largest[:, arm] = _largest(sums, pairs.room[arm], usual)
        np.maximum(centred, _largest(rest, pairs.room_centred[arm], spread), out=centred)
    return largest, centred


def _largest(sums: Numbers, room: Numbers, usual: Numbers) -> Numbers:
    """The largest statistic in each row; roots are drawn of the largest squares only, to save time."""
    np.maximum(sums, 0.0, out=sums)
    sums *= sums
    sums /= room + usual
    roots: Numbers = np.sqrt(sums.max(axis=1, initial=0.0))
    return roots


@dataclass(frozen=True)
class _Pairs:
    """For every pair (i, j): sums over the clusters of D, D², size·D and size², with D of j minus i."""

    scores: Numbers
    starts: NDArray[np.int64]
    levels: Numbers
    count: Numbers
    total: Numbers
    squares: Numbers
    weighted: Numbers
    sizes: Numbers
    differing: Numbers
    usable: NDArray[np.bool_]

    @classmethod
    def of(cls, scores: Numbers, starts: NDArray[np.int64]) -> _Pairs:
        arms = len(scores)
        count, total, squares, weighted, sizes, differing, shared = (np.zeros((arms, arms)) for _ in range(7))
        for arm in range(arms):
            sums, size = _of_arm(scores, starts, arm)
            count[arm], total[arm] = size.sum(axis=0), sums.sum(axis=0)
            squares[arm], sizes[arm] = (sums**2).sum(axis=0), (size**2).sum(axis=0)
            weighted[arm] = (size * sums).sum(axis=0)
            shared[arm] = (size > 0).sum(axis=0)
            differing[arm] = (np.abs(scores - scores[arm]) > _TINY).sum(axis=1)
        usable = (shared >= FEWEST) & ~np.eye(arms, dtype=bool)
        squares[squares < _TINY**2] = 0.0
        levels = _levels(scores, starts)
        return cls(scores, starts, levels, count, total, squares, weighted, sizes, differing, usable)

    @property
    def usual(self) -> float:
        """The usual variance, as many times as it is borrowed."""
        return BORROWED * float(_usual(self.levels, self.levels.sum(axis=0), _compared(self.scores)))

    @functools.cached_property
    def room(self) -> Numbers:
        """Sums of D², with something for pairs that never differ, and endless for those that say nothing."""
        return np.where(self.usable, np.maximum(self.squares, _TINY**2), np.inf)

    @functools.cached_property
    def room_centred(self) -> Numbers:
        """The same of D less size times the mean difference."""
        means = np.where(self.usable, self.differences, 0.0)
        squares = self.squares - 2 * means * self.weighted + means**2 * self.sizes
        return np.where(self.usable, np.maximum(squares, _TINY**2), np.inf)

    @property
    def statistics(self) -> Numbers:
        found: Numbers = self.total / np.sqrt(self.room + self.usual)
        return found

    @functools.cached_property
    def differences(self) -> Numbers:
        with np.errstate(invalid="ignore", divide="ignore"):
            means: Numbers = self.total / self.count
        return means


def _of_arm(scores: Numbers, starts: NDArray[np.int64], arm: int) -> tuple[Numbers, Numbers]:
    """Clusters by arms: sums of the other arms' scores minus this one's, and on how many questions."""
    ahead = scores - scores[arm]
    if not ahead.size:
        return np.zeros((len(starts), len(scores))), np.zeros((len(starts), len(scores)))
    both = ~np.isnan(ahead)
    sums: Numbers = np.add.reduceat(np.where(both, ahead, 0.0), starts, axis=1).T
    counts: Numbers = np.add.reduceat(both.astype(np.float64), starts, axis=1).T
    return sums, counts


def _step_down(observed: Numbers, largest: Numbers, error: float) -> tuple[Numbers, float, float]:
    """Adjusted p-values of the arms; the yardsticks of all pairs together, and of the tie set."""
    if not len(observed):
        return np.ones(0), math.inf, math.inf
    order = np.argsort(-observed, kind="stable")
    # what chance reaches among the arm itself and all that stand out less than it
    rest = np.maximum.accumulate(largest[:, order][:, ::-1], axis=1)[:, ::-1]
    reached = np.maximum.accumulate((rest >= observed[order] - _TINY).mean(axis=0))
    p = np.ones(len(observed))
    p[order] = reached
    last = min(len(order) - 1, int((reached <= error).sum()))
    return p, _quantile(rest[:, 0], error), _quantile(rest[:, last], error)


def _quantile(values: Numbers, error: float) -> float:
    return float(np.sort(values)[min(len(values) - 1, math.ceil((1 - error) * len(values)) - 1)])


def _intervals(pairs: _Pairs, critical: float, level: float) -> tuple[Numbers, Numbers]:
    """All δ that the statistic of D - size·δ does not refuse: a quadratic inequality in δ."""
    c2 = critical**2
    n, total, squares = pairs.count, pairs.total, pairs.squares + pairs.usual
    a = n**2 - c2 * pairs.sizes
    b = n * total - c2 * pairs.weighted
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = np.sqrt(np.maximum(b**2 - a * (total**2 - c2 * squares), 0.0))
        low, high = (b - reach) / a, (b + reach) / a
    unseen = _unseen(pairs, level)
    low, high = np.fmin(low, pairs.differences - unseen), np.fmax(high, pairs.differences + unseen)
    # Where the yardstick is larger than all clusters together can show, every difference is possible.
    open_ended = (a <= 0) | ~pairs.usable
    low, high = np.where(open_ended, -np.inf, low), np.where(open_ended, np.inf, high)
    diagonal = np.eye(len(n), dtype=bool)
    return np.where(diagonal, 0.0, low), np.where(diagonal, 0.0, high)


def _unseen(pairs: _Pairs, level: float) -> Numbers:
    """What two arms may differ by, though they differed on hardly a question that was asked.

    Their spread tells nothing then. The share of questions on which they differ has an exact upper bound
    (Clopper and Pearson 1934; with none seen among n it is close to the rule of three), taken for all pairs
    at once (Bonferroni); each is worth at most the range of all scores.
    """
    from scipy import stats

    arms = len(pairs.count)
    alone = (1 - level) / max(1, arms * (arms - 1) // 2)
    seen = pairs.differing
    few = pairs.usable & (seen < FEWEST)
    largest = float(np.nanmax(pairs.scores) - np.nanmin(pairs.scores)) if few.any() else 0.0
    share = stats.beta.ppf(1 - alone, seen + 1, np.maximum(pairs.count - seen, 1e-9))
    bound: Numbers = np.where(few, largest * share, 0.0)
    return bound
