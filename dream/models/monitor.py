"""What Prometheus may see of a running study; served by the metrics port of each Ray node.

Only processes of a Ray cluster have such a port. Names get Ray's prefix: ``ray_dream_study_questions_done``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

# Seconds that a model's answer may take; the last bucket holds the rest.
SECONDS = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]

STUDY = {
    "questions": ("dream_study_questions_done", "Questions answered and scored, over all arms"),
    "questions_wanted": ("dream_study_questions", "Questions times arms of this run"),
    "trials": ("dream_study_trials_done", "Arms that are finished"),
    "trials_wanted": ("dream_study_trials", "Arms of this run"),
    "model_calls": ("dream_study_model_calls", "Chat answers that arrived"),
    "reused": ("dream_study_reused", "Calls and texts that the ledger answered"),
    "embedded_texts": ("dream_study_embedded_texts", "Texts embedded"),
    "dollars": ("dream_study_dollars", "Dollars spent by this run"),
    "dollars_allowed": ("dream_study_dollars_allowed", "The study's cap; none if it has no such figure"),
    "failures": ("dream_study_failures", "Questions without an answer, and scores that are missing"),
}


def show_study(study: str, counts: Mapping[str, float]) -> None:
    """Show where a study stands.

    Args:
        study: its name.
        counts: figures by the names of ``STUDY``; others are left out.
    """
    for name in STUDY.keys() & counts.keys():
        _gauge(*STUDY[name], "study").set(counts[name], {"study": study})


def show_calls(provider: str, under_way: int, waiting: int) -> None:
    """Show how many calls to a provider are under way and how many wait for leave, in the whole cluster."""
    tags = {"provider": provider}
    _gauge("dream_calls_under_way", "Calls that a provider has not answered yet", "provider").set(
        under_way, tags
    )
    _gauge("dream_calls_waiting", "Calls that wait for leave", "provider").set(waiting, tags)


def count_call(provider: str, seconds: float, outcome: str) -> None:
    """Count one call to a provider.

    Args:
        provider: its address.
        seconds: until its answer or error.
        outcome: ``answered``, ``refused`` (429) or ``failed``.
    """
    _counter().inc(1, {"provider": provider, "outcome": outcome})
    if outcome == "answered":
        _histogram().observe(seconds, {"provider": provider})


@cache
def _gauge(name: str, what: str, tag: str) -> Any:
    from ray.util.metrics import Gauge

    return Gauge(name, what, tag_keys=(tag,))


@cache
def _counter() -> Any:
    from ray.util.metrics import Counter

    return Counter("dream_model_calls", "Calls to a model's provider", tag_keys=("provider", "outcome"))


@cache
def _histogram() -> Any:
    from ray.util.metrics import Histogram

    return Histogram(
        "dream_model_call_seconds", "Seconds to a model's answer", boundaries=SECONDS, tag_keys=("provider",)
    )
