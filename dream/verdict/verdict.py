"""What the evidence supports: the arms that cannot be told from the best, and which of them to take."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Rule = Literal["cheapest", "fastest", "best"]


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval, on questions that had no part in choosing.

    Attributes:
        mean: over the questions that have a score; ``None`` where none has.
        low: lower end of the 95 % interval; ``None`` below two clusters.
        high: upper end.
        questions: how many have a score.
    """

    mean: float | None
    low: float | None
    high: float | None
    questions: int


@dataclass(frozen=True)
class Standing:
    """Where one arm stands.

    Attributes:
        arm: the arm's id.
        name: how people call it.
        mean: on the questions used for choosing; for the arm with the highest mean this is optimistic.
        difference: this arm's mean minus that of the arm with the highest, on the questions both have.
        low: lower end of the interval of that difference; all intervals of a verdict hold together with its
            ``level``. ``None`` where nothing can be said.
        high: upper end.
        p: adjusted for all arms: how easily chance alone would put another arm that far ahead of this one.
        tied: whether it cannot be told from the best.
        beaten_by: name of the arm that beats it most clearly, where it is out.
        coverage: share of its questions that have a score.
        bounds: its mean if all missing scores were 0, and if all were 1; ``None`` where the metric is not
            known to lie between them.
        honest: its mean on the holdout; ``None`` where it was not scored there.
        dollars: for one question; 0 where no price is known.
        seconds: median for one question.
        error: why it has no scores at all.
        stopped_after: questions after which a race stopped it; ``None`` if it ran on all.
    """

    arm: str
    name: str
    mean: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float = 1.0
    tied: bool = False
    beaten_by: str = ""
    coverage: float = 1.0
    bounds: tuple[float, float] | None = None
    honest: Estimate | None = None
    dollars: float = 0.0
    seconds: float | None = None
    error: str = ""
    stopped_after: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Which arms may be the best, which of them to take, and how sure that is; shows itself.

    Attributes:
        metric: what the arms were compared by.
        rule: how one arm was taken from the tie set: cheapest, fastest or best.
        tolerance: how far the taken arm's mean may lie below the highest.
        level: probability with which the tie set holds every best arm, and all intervals hold together.
        questions: how many were used for choosing.
        clusters: how many groups of questions were treated as one piece of evidence each.
        clustered_by: ``document`` or ``question``.
        arms: all arms, highest mean first, those without any score last.
        recommended: id of the arm to take; ``None`` where nothing can be recommended.
        reason: why that one, in words.
        shortfall: how far the best arm's true mean may lie above that of the taken arm, at most, with that
            probability; ``None`` where nothing can be said.
        holdout: questions that had no part in choosing; 0 without a holdout.
        looks: how often different sets of arms were scored on that holdout, this time included.
        fragile: what missing scores could turn over, one sentence each; empty if nothing.
        notes: what else a reader must know, one sentence each.
        text: all of it in one paragraph that needs no statistics to be read.
    """

    metric: str
    rule: Rule
    tolerance: float
    level: float
    questions: int
    clusters: int
    clustered_by: str
    arms: tuple[Standing, ...]
    recommended: str | None = None
    reason: str = ""
    shortfall: float | None = None
    holdout: int = 0
    looks: int = 0
    fragile: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    text: str = ""

    @property
    def tied(self) -> tuple[Standing, ...]:
        """The arms that cannot be told from the best, highest mean first."""
        return tuple(arm for arm in self.arms if arm.tied)

    @property
    def taken(self) -> Standing | None:
        """The arm to take."""
        return next((arm for arm in self.arms if arm.arm == self.recommended), None)

    def mark(self, arm: Standing) -> str:
        """Where an arm stands, in one word: take, tied, out or failed."""
        if arm.arm == self.recommended:
            return "take"
        return "tied" if arm.tied else "failed" if arm.mean is None else "out"

    def to_json(self) -> dict[str, Any]:
        """The whole verdict as plain JSON types.

        >>> Verdict("mrr", "best", 0.05, 0.95, 0, 0, "question", ()).to_json()["recommended"] is None
        True
        """
        said = asdict(self)
        said["arms"] = [
            {**arm, "bounds": list(arm["bounds"]) if arm["bounds"] else None} for arm in said["arms"]
        ]
        for name in ("fragile", "notes"):
            said[name] = list(said[name])
        return said

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        from dream.verdict.shown import verdict_html

        return verdict_html(self)


def span_text(low: float | None, high: float | None) -> str:
    """An interval as people read it.

    >>> span_text(-0.25, 0.0625), span_text(None, None)
    ('-0.250 to +0.062', 'open')
    """
    if low is None or high is None:
        return "open"
    return f"{low:+.3f} to {high:+.3f}"
