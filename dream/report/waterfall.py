"""The loss waterfall as the page shows it: one bar an arm, one segment an outcome, 100 questions wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dream.verdict.losses import OUTCOMES, Waterfall

# Below this a segment is too narrow for its number.
NARROWEST = 5.0

MOST_SHOWN = 12

TITLES = {
    "parsing": "Parsing",
    "chunking": "Chunking",
    "depth": "Retrieval depth",
    "context": "Context",
    "generation": "Generation",
    "not scored": "Not scored",
    "right without evidence": "Right without evidence",
    "right": "Right",
}

MEANINGS = {
    "parsing": "the evidence is in no document as it was parsed",
    "chunking": "no chunk holds half of the evidence",
    "depth": "a chunk holds it, but deeper than the arm looks",
    "context": "it was found, but not shown to the model: merged away or filtered out",
    "generation": "the model was shown all of it and answered wrongly",
    "not scored": "there is no score to tell right from wrong",
    "right without evidence": "the answer is right though the model was not shown all of the evidence",
    "right": "the model was shown the evidence and answered rightly",
}


@dataclass(frozen=True)
class Segment:
    """Questions of one arm with one outcome.

    Attributes:
        outcome: one of OUTCOMES.
        count: how many questions.
        share: of 100 traced questions.
        label: what stands in the segment; empty where it is too narrow.
        title: what a click shows, in words.
    """

    outcome: str
    count: int
    share: float
    label: str
    title: str


@dataclass(frozen=True)
class Bar:
    """One arm of the waterfall."""

    arm: str
    name: str
    traced: int
    segments: tuple[Segment, ...]


def bars(waterfalls: Sequence[Waterfall]) -> tuple[tuple[Bar, ...], tuple[Bar, ...]]:
    """The bars of the best arms, and of those that are folded away."""
    made = [
        Bar(each.arm, each.name, len(each.losses), tuple(_segments(each)))
        for each in waterfalls
        if each.losses
    ]
    return tuple(made[:MOST_SHOWN]), tuple(made[MOST_SHOWN:])


def met(waterfalls: Sequence[Waterfall]) -> list[str]:
    """The outcomes that some question had, in order: what the legend must explain."""
    seen = {loss.outcome for each in waterfalls for loss in each.losses}
    return [outcome for outcome in OUTCOMES if outcome in seen]


def _segments(waterfall: Waterfall) -> list[Segment]:
    shares = waterfall.per_hundred()
    return [
        Segment(
            outcome,
            count,
            round(shares[outcome], 2),
            f"{shares[outcome]:.0f}" if shares[outcome] >= NARROWEST else "",
            f"{TITLES[outcome]}: {count} of {len(waterfall.losses)} questions{_depths(waterfall, outcome)}",
        )
        for outcome, count in waterfall.counts().items()
        if count
    ]


def _depths(waterfall: Waterfall, outcome: str) -> str:
    """How deep the evidence lay that the arm did not reach."""
    if outcome != "depth":
        return ""
    ranks = [loss.rank for loss in waterfall.losses if loss.outcome == "depth"]
    known = sorted(rank for rank in ranks if rank is not None)
    middle = (len(ranks) - 1) // 2
    said = f"; median place of the evidence {known[middle] if middle < len(known) else 'beyond 50'}"
    for most in (10, 20):
        if found := sum(rank <= most for rank in known):
            said += f", {found} within {most}"
    deeper = len(ranks) - len(known)
    return said + (f", {deeper} beyond 50 or not known" if deeper else "")
