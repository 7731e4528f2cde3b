"""A verdict drawn: one line an arm, with its interval as places on a common axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dream.verdict.verdict import Estimate, Standing, Verdict, span_text

# The arms of the tie set and a few beyond it are shown at once; the rest when asked for.
MOST_SHOWN = 12

MARKS = {
    "take": "the arm to take",
    "tied": "cannot be told from the best",
    "out": "worse than another arm",
    "failed": "has no score",
}


@dataclass(frozen=True)
class ForestLine:
    """One arm of the verdict: words, and places in percent of the axis.

    Attributes:
        standing: what the verdict says of the arm.
        mark: one of MARKS.
        behind: its difference from the highest mean with the interval, in words.
        honest: its mean on the holdout with the interval, in words; empty without one.
        dot: place of the difference; ``None`` where there is none.
        low: place of the interval's lower end; ``None`` where it is open.
        high: place of its upper end.
    """

    standing: Standing
    mark: str
    behind: str
    honest: str
    dot: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Forest:
    """All arms on one axis of differences from the highest mean.

    Attributes:
        shown: the tie set and the next arms.
        folded: the arms after those.
        left: the axis' lower end.
        right: its upper end.
        zero: place of no difference, in percent.
    """

    shown: tuple[ForestLine, ...]
    folded: tuple[ForestLine, ...]
    left: float
    right: float
    zero: float


def forest(verdict: Verdict) -> Forest:
    """The verdict's arms with their places on the axis.

    >>> arms = (Standing("1", "a", 0.7, 0.0, 0.0, 0.0, tied=True), Standing("2", "b", 0.6, -0.1, -0.3, 0.1))
    >>> drawn = forest(Verdict("f1", "best", 0.05, 0.95, 9, 9, "question", arms, recommended="1"))
    >>> (drawn.left, drawn.right, drawn.zero), [line.mark for line in drawn.shown], drawn.shown[1].dot
    ((-0.3, 0.1, 75.0), ['take', 'out'], 50.0)
    """
    ends = [end for arm in verdict.arms for end in (arm.difference, arm.low, arm.high) if end is not None] + [
        0.0
    ]
    left, right = min(ends), max(ends)
    if left == right:
        left, right = left - 1.0, right + 1.0

    def place(value: float | None) -> float | None:
        return None if value is None else round(100 * (value - left) / (right - left), 1)

    lines = [
        ForestLine(
            standing=arm,
            mark=verdict.mark(arm),
            behind=_behind(arm),
            honest=estimate_text(arm.honest),
            dot=place(arm.difference),
            low=place(arm.low),
            high=place(arm.high),
        )
        for arm in verdict.arms
    ]
    cut = max(MOST_SHOWN, max((n for n, line in enumerate(lines, 1) if line.standing.tied), default=0))
    return Forest(tuple(lines[:cut]), tuple(lines[cut:]), left, right, place(0.0) or 0.0)


def estimate_text(estimate: Estimate | None) -> str:
    """A mean with its interval.

    >>> estimate_text(Estimate(0.5, 0.4, 0.6, 20)), estimate_text(None)
    ('0.500 (0.400 to 0.600)', '')
    """
    if estimate is None or estimate.mean is None:
        return ""
    within = ""
    if estimate.low is not None and estimate.high is not None:
        within = f" ({estimate.low:.3f} to {estimate.high:.3f})"
    return f"{estimate.mean:.3f}{within}"


def p_text(p: float) -> str:
    """A probability, never as 0.

    >>> p_text(0.0123), p_text(0.0001)
    ('0.012', '<0.001')
    """
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def rule_text(verdict: Verdict) -> str:
    """How one arm was taken from the tie set.

    >>> rule_text(Verdict("f1", "cheapest", 0.05, 0.95, 0, 0, "question", ()))
    'the cheapest of those that may be the best, at most 0.05 below the highest mean'
    """
    if verdict.rule == "best":
        return "the highest mean"
    near = f"at most {verdict.tolerance:g} below the highest mean"
    return f"the {verdict.rule} of those that may be the best, {near}"


def _behind(arm: Standing) -> str:
    if arm.stopped_after is not None:
        return f"stopped after {arm.stopped_after} questions"
    if arm.mean is None:
        return ""
    if arm.difference == arm.low == arm.high == 0:
        return "highest mean"
    return f"{arm.difference:+.3f} ({span_text(arm.low, arm.high)})" if arm.difference is not None else "open"


def tied_count(arms: Sequence[Standing]) -> str:
    """How many arms may be the best, of those that have scores.

    >>> tied_count([Standing("1", "a", 0.7, tied=True), Standing("2", "b", 0.1), Standing("3", "c", None)])
    '1 of 2 arms'
    """
    scored = sum(arm.mean is not None for arm in arms)
    return f"{sum(arm.tied for arm in arms)} of {scored} {'arm' if scored == 1 else 'arms'}"
