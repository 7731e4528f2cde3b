"""A verdict in one paragraph that a manager can read."""

from __future__ import annotations

from dream.verdict.verdict import Verdict


def tell(verdict: Verdict) -> str:
    """The verdict in plain words: what to take, what else it could be, how sure, and what was left open."""
    compared = [arm for arm in verdict.arms if arm.mean is not None]
    taken = verdict.taken
    if taken is None:
        return f"Nothing can be said: no arm has a score of {verdict.metric}."
    if len(compared) == 1:
        return f"Only one arm has scores, so there is nothing to compare: {taken.name}, {taken.mean:.3f}."
    sure = f"{verdict.level:.0%}"
    tied = verdict.tied
    said = [f"Take {taken.name}: {verdict.metric} {taken.mean:.3f}"]
    if len(tied) == 1:
        said.append(f"; every other arm is worse, with {sure} certainty for all of them together.")
    else:
        said.append(
            f". {len(tied)} of {len(compared)} arms cannot be told from the best with {sure} certainty; "
            f"of those, {verdict.reason}."
        )
    return "".join(said)
