"""What was concluded from a sweep, once: page, terminal, JSON and MLflow show the very same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dream.verdict.losses import Waterfall
from dream.verdict.matters import Matters
from dream.verdict.result import SweepResult
from dream.verdict.verdict import Verdict


@dataclass(frozen=True)
class Findings:
    """A sweep's conclusions.

    Attributes:
        verdict: which arms may be the best, and which to take.
        matters: where the differences come from; ``None`` where there is nothing to compare.
        losses: for each arm that ran, where its questions were lost.
    """

    verdict: Verdict
    matters: Matters | None
    losses: tuple[Waterfall, ...]

    @classmethod
    def of(cls, result: SweepResult) -> Findings:
        """Conclude; nothing is called or read."""
        return cls(result.verdict(), result.matters(), result.losses())

    def to_json(self) -> dict[str, Any]:
        """All of them as plain JSON types.

        >>> list(Findings.of(SweepResult("s", "mrr", ("mrr",), (), ())).to_json())
        ['verdict', 'matters', 'losses']
        """
        return {
            "verdict": self.verdict.to_json(),
            "matters": self.matters.to_json() if self.matters else None,
            "losses": [each.to_json() for each in self.losses],
        }
