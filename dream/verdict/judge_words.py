"""A judge's audit in sentences that need no statistics to be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dream.verdict.prediction_powered import FEWEST

if TYPE_CHECKING:
    from dream.verdict.judge_audit import AuditedArm, JudgeAudit


def sentences_on(audit: JudgeAudit) -> Iterator[str]:
    """What the labels say: how far there are enough, agreement, and what becomes of the order."""
    if audit.labelled < audit.rows:
        yield f"{audit.labelled} of {audit.rows} answers are labelled."
    if audit.questions < FEWEST:
        yield f"That is too little to say anything: label every answer to at least {FEWEST} questions."
        return
    found = audit.agreement
    if found is not None:
        agree = f"judge and person agree {strength_of(found.kappa)}"
        yield f"On {found.rows} labelled answers {agree}{_kappa(audit)}."
        too_kind, too_strict = found.both[1], found.both[2]
        yield f"The judge called {too_kind} right that are wrong, and {too_strict} wrong that are right."
    first, *others = audit.arms
    if first.corrected is not None:
        yield (
            f"A person calls {first.corrected.mean:.0%} of the answers of {first.name}, which the judge puts "
            f"first, right{_between(audit)}."
        )
    better = [arm for arm in others if arm.behind and arm.behind.low is not None and arm.behind.low > 0]
    worse = [arm for arm in others if arm.behind and arm.behind.high is not None and arm.behind.high < 0]
    if better:
        yield f"By the labels {_named(better)} is better: do not follow the judge here."
    elif others and len(worse) == len(others):
        yield "The labels bear its first place out against all the others."
    elif others:
        open_ = [arm for arm in others if arm not in worse]
        yield f"The labels leave open whether {_named(open_)} is better or worse; more of them may tell."
    if audit.left_out:
        yield f"{audit.left_out} more arms cannot be told from the best and were not labelled."


def strength_of(kappa: float | None) -> str:
    """Kappa in a word, by the scale of Landis and Koch, 1977.

    >>> strength_of(0.7), strength_of(0.1), strength_of(None)
    ('substantially', 'slightly', 'wholly, but always say the same')
    """
    if kappa is None:
        return "wholly, but always say the same"
    words = {0.8: "almost perfectly", 0.6: "substantially", 0.4: "moderately", 0.2: "fairly", 0.0: "slightly"}
    return next((word for least, word in words.items() if kappa > least), "no more than by chance")


def _kappa(audit: JudgeAudit) -> str:
    found = audit.agreement
    if found is None or found.kappa is None:
        return ""
    span = f", 95 % interval {found.low:.2f} to {found.high:.2f}" if found.low is not None else ""
    return f" (Cohen's kappa {found.kappa:.2f}{span})"


def _between(audit: JudgeAudit) -> str:
    found = audit.arms[0].corrected
    if found is None or found.low is None or found.high is None:
        return ""
    return f" ({max(0.0, found.low):.0%} to {min(1.0, found.high):.0%})"


def _named(arms: Sequence[AuditedArm]) -> str:
    names = [arm.name for arm in arms]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]
