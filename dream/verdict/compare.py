"""All arms against all, on the same questions: the test under every verdict.

For arms i and j let d be the difference of their scores on a question, and D its sum over a cluster
of questions. Where both arms have the same expected score, a cluster's D is as likely positive as negative,
so that flipping the signs of whole clusters at random shows what chance alone can do; all pairs are flipped
together, which keeps how they hang together. The statistic is ``sum(D) / sqrt(sum(D²))``: for clusters of
equal size a monotone function of the paired Student t, and one whose denominator no flip changes.

- An arm is out when some other arm beats it by more than chance allows *anywhere*: the step-down max-T of
  Westfall and Young (1993) over arms, in the form of Romano and Wolf (2005). All true bests together stay in
  the tie set with at least the asked probability.
- p-values count the data themselves as one flip (Phipson and Smyth 2010).
- Intervals of all pairs at once invert the same statistic, with the largest over all pairs as its yardstick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FLIPS = 3999

# Five signs have 32 patterns: below six clusters no pattern is rarer than 5 % on both sides.
FEWEST = 6

# Up to here all patterns of signs are tried instead of a sample.
MOST_TRIED = 12

_TINY = 1e-9


@dataclass(frozen=True)
class Comparison:
    """What the scores say of every arm and every pair of arms; arrays are in the order of the arms given.

    Attributes:
        means: each arm's mean over its own scores; NaN where it has none.
        p: for each arm, how easily chance alone makes some other arm look that much better, adjusted for all
            arms; an arm with p of at most ``1 - level`` is out. 1 for an arm that cannot be compared.
        tied: whether the arm cannot be told from the best.
        beaten_by: for each arm, which other arm beats it most clearly; -1 where nothing can be said.
        differences: row i, column j: mean of arm j minus arm i on the questions both have.
        low: lower ends of the intervals of those differences, all at once; minus infinity where open.
        high: upper ends.
        statistics: row i, column j: how clearly arm j beats arm i.
        critical: what the largest statistic of all pairs reaches by chance with probability ``1 - level``.
        threshold: the same for the arms of the tie set only; an arm is out when some other arm's statistic
            against it is larger.
        clusters: how many clusters of questions there are.
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
    ([True, True, False], ['1.000', '0.501', '0.000'])

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
    largest = np.zeros((len(signs), arms))
    whole = not np.isnan(scores).any()
    flipped = signs @ _sums(scores, starts) if whole else None
    for arm in range(arms):
        sums = flipped - flipped[:, [arm]] if flipped is not None else signs @ pairs.cluster_sums(arm)
        sums *= pairs.scale[arm]
        # nobody is beaten by less than nothing: a pair without any difference, or an unusable one, is at 0
        largest[:, arm] = sums.max(axis=1, initial=0.0)
    observed = pairs.statistics.max(axis=1, initial=0.0)
    p, critical, threshold = _step_down(observed, largest, level)
    low, high = _intervals(pairs, critical, level)
    beaten = np.where(observed > 0, pairs.statistics.argmax(axis=1) if arms else 0, -1)
    return Comparison(
        means=own_means,
        p=p,
        tied=(p > 1 - level) & ~np.isnan(own_means),
        beaten_by=beaten.astype(np.int64),
        differences=pairs.differences,
        low=low,
        high=high,
        statistics=pairs.statistics,
        critical=critical,
        threshold=threshold,
        clusters=groups,
        level=level,
    )


def statistics_against(scores: Any, clusters: Any, arm: int) -> Numbers:
    """How clearly each arm beats one arm: a row of ``Comparison.statistics``, without the flips."""
    scores = np.asarray(scores, dtype=np.float64)
    ordered, starts = _in_clusters(scores, np.asarray(clusters))
    sums, _ = _of_arm(ordered, starts, arm)
    squares = (sums**2).sum(axis=0)
    found: Numbers = sums.sum(axis=0) / np.where(squares > 0, np.sqrt(squares), np.inf)
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


def _sums(scores: Numbers, starts: NDArray[np.int64]) -> Numbers:
    """Clusters by arms: sums of scores; the questions' own level is taken off first, to keep digits."""
    if not scores.size:
        return np.zeros((len(starts), len(scores)))
    sums: Numbers = np.add.reduceat(scores - scores.mean(axis=0), starts, axis=1).T
    return sums


@dataclass(frozen=True)
class _Pairs:
    """For every pair (i, j): sums over the clusters of D, D², size·D and size², with D of j minus i."""

    scores: Numbers
    starts: NDArray[np.int64]
    count: Numbers
    total: Numbers
    squares: Numbers
    weighted: Numbers
    sizes: Numbers
    differing: Numbers
    shared: Numbers
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
        return cls(scores, starts, count, total, squares, weighted, sizes, differing, shared, usable)

    def cluster_sums(self, arm: int) -> Numbers:
        return _of_arm(self.scores, self.starts, arm)[0]

    @property
    def scale(self) -> Numbers:
        """What turns a sum of D into the statistic; 0 where a pair says nothing."""
        roots = np.where(self.usable & (self.squares > 0), np.sqrt(self.squares), np.inf)
        scales: Numbers = 1 / roots
        return scales

    @property
    def statistics(self) -> Numbers:
        found: Numbers = self.total * self.scale
        return found

    @property
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


def _step_down(observed: Numbers, largest: Numbers, level: float) -> tuple[Numbers, float, float]:
    """Adjusted p-values of the arms; the yardsticks of all pairs together, and of the tie set."""
    if not len(observed):
        return np.ones(0), math.inf, math.inf
    order = np.argsort(-observed, kind="stable")
    # what chance reaches among the arm itself and all that stand out less than it
    rest = np.maximum.accumulate(largest[:, order][:, ::-1], axis=1)[:, ::-1]
    reached = np.maximum.accumulate((rest >= observed[order] - _TINY).mean(axis=0))
    p = np.ones(len(observed))
    p[order] = reached
    last = min(len(order) - 1, int((reached <= 1 - level).sum()))
    place = min(len(rest) - 1, math.ceil(level * len(rest)) - 1)
    return p, float(np.sort(rest[:, 0])[place]), float(np.sort(rest[:, last])[place])


def _intervals(pairs: _Pairs, critical: float, level: float) -> tuple[Numbers, Numbers]:
    """All δ that the statistic of D - size·δ does not refuse: a quadratic inequality in δ."""
    c2 = critical**2
    n, total, squares = pairs.count, pairs.total, pairs.squares
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
