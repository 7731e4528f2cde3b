"""A verdict in words: one paragraph that needs no statistics, and what else a reader must know."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dream.verdict.compare import FEWEST, Comparison
from dream.verdict.result import SweepResult
from dream.verdict.verdict import Estimate, Standing, Verdict


def tell(verdict: Verdict) -> str:
    """What to take, what it will do on new questions, what else may be the best, and what was left open.

    >>> arms = (
    ...     Standing("1", "small", 0.71, tied=True, low=0.0, high=0.0, dollars=0.004),
    ...     Standing("2", "large", 0.70, tied=True, low=-0.05, high=0.03, dollars=0.009),
    ...     Standing("3", "tiny", 0.41, p=0.001, low=-0.4, high=-0.2),
    ... )
    >>> reason = "it is the cheapest of them"
    >>> said = tell(Verdict("f1", "cheapest", 0.05, 0.95, 40, 40, "question", arms, "1", reason, 0.03))
    >>> print(said)  # doctest: +NORMALIZE_WHITESPACE
    Take small: f1 0.710 on the 40 questions it was chosen by, which is optimistic. 2 of 3 arms cannot be
    told from the best (95 % certainty for all together); this one is taken because it is the cheapest of
    them. The best is at most 0.030 above it.
    """
    taken, tied = verdict.taken, verdict.tied
    compared = [arm for arm in verdict.arms if arm.mean is not None]
    if taken is None or taken.mean is None:
        return f"Nothing can be said: no arm has a score of {verdict.metric}."
    if len(compared) == 1:
        return f"Only {taken.name} has scores ({_mean(verdict, taken)}); there is nothing to compare it with."
    said = [f"Take {taken.name}: {_mean(verdict, taken)}.", *_certainty(verdict, taken, len(compared))]
    if len(tied) > 1 and verdict.clusters < FEWEST:
        said = [
            f"Nothing can be told apart: {_evidence(verdict)} are too few, at least {FEWEST} are needed. "
            f"The highest mean of {verdict.metric} has {verdict.arms[0].name}, {verdict.arms[0].mean:.3f}, "
            "which may be luck."
        ]
    if verdict.fragile:
        said.append("Missing scores could turn this over.")
    return " ".join(said)


def _mean(verdict: Verdict, taken: Standing) -> str:
    chosen = f"{taken.mean:.3f}"
    if taken.honest is None or taken.honest.mean is None:
        on = f"{chosen} on the {verdict.questions} questions it was chosen by"
        return f"{verdict.metric} {on}, which is optimistic"
    held = (
        f"{_with_interval(taken.honest)} on {taken.honest.questions} questions that had no part in choosing"
    )
    return f"{verdict.metric} {held} ({chosen} on those it was chosen by)"


def _with_interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:.3f}"
    return f"{estimate.mean:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _certainty(verdict: Verdict, taken: Standing, compared: int) -> Iterator[str]:
    sure, tied = f"{100 * verdict.level:.0f} % certainty", verdict.tied
    if len(tied) == 1:
        yield f"It is better than each of the other {compared - 1} ({sure} for all together)."
        return
    if all(arm.low == arm.high == 0 for arm in tied) and len(tied) == compared:
        yield "All arms have the same score on every question."
        return
    behind = "" if verdict.shortfall is None else f" The best is at most {verdict.shortfall:.3f} above it."
    who = "No arm" if len(tied) == compared else f"{len(tied)} of {compared} arms"
    told = "can be told from the best" if len(tied) == compared else "cannot be told from the best"
    yield f"{who} {told} ({sure} for all together); this one is taken because {verdict.reason}.{behind}"


def _evidence(verdict: Verdict) -> str:
    if verdict.clustered_by == "document" and verdict.clusters != verdict.questions:
        return f"{verdict.questions} questions in {verdict.clusters} groups"
    return f"{verdict.questions} questions"


def notes_on(verdict: Verdict, result: SweepResult, found: Comparison) -> Iterator[str]:
    """What must be known beside the numbers, one sentence each."""
    failed = [arm for arm in verdict.arms if arm.mean is None]
    if failed:
        listed = ", ".join(arm.name for arm in failed[:3]) + (" and more" if len(failed) > 3 else "")
        yield f"Not compared, for want of scores: {listed}."
    if verdict.clusters >= FEWEST and len(verdict.arms) > 1:
        if verdict.clustered_by == "document" and verdict.clusters == verdict.questions:
            yield "No two questions rest on the same document: each counts on its own."
        elif verdict.clustered_by == "document":
            yield (
                f"{_evidence(verdict)}: questions of one document count as one piece of evidence, so that "
                "the verdict speaks of other documents of this kind too."
            )
        else:
            yield "Every question counts on its own: this speaks of further questions on these documents."
    early = [arm for arm in verdict.arms if arm.stopped_after is not None]
    if early:
        due = len(verdict.arms) * verdict.questions
        saved = sum(verdict.questions - (arm.stopped_after or 0) for arm in early) / max(1, due)
        who = "1 arm was" if len(early) == 1 else f"{len(early)} arms were"
        yield (
            f"{who} stopped early by the race, which spared {saved:.0%} of the questions; their means rest "
            "on those asked until then."
        )
        told = [
            f"{arm.name} after {arm.stopped_after} questions, beaten by {arm.beaten_by}" for arm in early[:5]
        ]
        more = f"; and {len(early) - 5} more" if len(early) > 5 else ""
        yield f"Stopped: {'; '.join(told)}{more}."
    lacking = [arm for arm in verdict.arms if arm.mean is not None and arm.coverage < 1]
    if lacking:
        least = min(arm.coverage for arm in lacking)
        yield (
            f"{len(lacking)} of {len(verdict.arms)} arms lack scores (coverage down to {least:.0%}); two "
            "arms are compared on the questions that both have."
        )
        if any(arm.bounds is None for arm in lacking):
            yield "How far missing scores could move a mean is not known: the metric is not within 0 and 1."
    open_ended = ~np.isfinite(found.low) & ~np.isnan(found.means)[:, None] & ~np.isnan(found.means)
    if open_ended.any() and verdict.clusters >= FEWEST:
        yield "Some intervals are open: for those pairs of arms there are too few questions that both have."
    if verdict.looks > 1:
        yield (
            f"{verdict.looks} different sets of arms have looked at this holdout; each look makes its means "
            "a little more optimistic, so take new questions now and then."
        )
    if any(arm.offline for arm in result.arms):
        yield "Offline models answered or judged: this shows how DREAM works, not how good a pipeline is."
