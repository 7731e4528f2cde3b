"""What an audit of the golden dataset found, and what asking the models takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dream.golden.audit.closed_book import Attempt
from dream.golden.audit.finding import CHECKS, Finding
from dream.records import Question, to_json
from dream.verdict.result import SweepResult
from dream.verdict.verdict import Verdict


@dataclass(frozen=True)
class Estimate:
    """What asking the models would take, at most: what is in the ledger already is not asked again.

    Attributes:
        calls: model calls.
        dollars: their price by the study's prices, with usual lengths of answers.
        priced: whether every model that is not free to ask has a price in the study.
    """

    calls: int
    dollars: float
    priced: bool = True

    def __str__(self) -> str:
        """The estimate in words.

        >>> print(Estimate(474, 0.1234)), print(Estimate(474, 0.0, priced=False))
        at most 474 model calls, about $0.12
        at most 474 model calls, at a price that the study does not give
        (None, None)
        """
        price = "free of charge"
        if not self.priced:
            price = "at a price that the study does not give"
        elif self.dollars:
            price = f"about ${self.dollars:,.2f}" if self.dollars >= 0.005 else "less than one cent"
        return f"at most {self.calls:,} model calls, {price}"


@dataclass(frozen=True)
class GoldenAudit:
    """What an audit of the golden dataset found.

    Attributes:
        study: the study's name.
        questions: the golden dataset.
        findings: in the order of the checks.
        estimate: what asking the models takes at most.
        attempts: questions as models answered them without context; empty where none was asked.
        asked: whether language models were asked.
        calls: model calls made.
        dollars: what they cost.
        csv: where the CSV with a decision for each question is stored.
        with_flagged: the verdict over all questions; ``None`` where the study has not been run.
        without_flagged: the verdict without the flagged questions; ``None`` where all or none are flagged.
        refused: passages that seemed to answer a question too, and that the judge did not confirm.
    """

    study: str
    questions: tuple[Question, ...]
    findings: tuple[Finding, ...]
    estimate: Estimate
    attempts: tuple[Attempt, ...] = ()
    asked: bool = False
    calls: int = 0
    dollars: float = 0.0
    csv: str = ""
    refused: int = 0
    with_flagged: Verdict | None = None
    without_flagged: Verdict | None = None

    @property
    def flagged(self) -> tuple[str, ...]:
        """Ids of the questions with a finding, each once, in the dataset's order."""
        named = {finding.question for finding in self.findings}
        return tuple(question.id for question in self.questions if question.id in named)

    def to_json(self) -> dict[str, Any]:
        """The audit as plain JSON types."""
        return {
            "study": self.study,
            "questions": len(self.questions),
            "flagged": list(self.flagged),
            "checks": [
                {
                    "name": check.name,
                    "title": check.title,
                    "sure": check.sure,
                    "ran": self.asked or not check.asks,
                    "questions": len(
                        {found.question for found in self.findings if found.check == check.name}
                    ),
                }
                for check in CHECKS
            ],
            "findings": [to_json(finding) for finding in self.findings],
            "estimate": to_json(self.estimate),
            "asked": self.asked,
            "model_calls": self.calls,
            "dollars": self.dollars,
            "not_confirmed": self.refused,
            "without_documents": self.without_documents(),
            "csv": self.csv,
            "verdict": {
                "with_flagged": self.with_flagged.to_json() if self.with_flagged else None,
                "without_flagged": self.without_flagged.to_json() if self.without_flagged else None,
            },
        }

    def __str__(self) -> str:
        """The audit in a few lines: how many questions each check flags, and where to decide.

        >>> print(GoldenAudit("s", (), (), Estimate(0, 0.0), csv="audit.csv"))
        0 of 0 questions flagged; decide in audit.csv
        """
        lines = [f"{len(self.flagged)} of {len(self.questions)} questions flagged; decide in {self.csv}"]
        for check in CHECKS:
            named = {found.question for found in self.findings if found.check == check.name}
            if named:
                lines.append(f"{check.name}: {', '.join(sorted(named))} ({check.title})")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from dream.verdict.shown import audit_html

        return audit_html(self)

    def without_documents(self) -> dict[str, Any]:
        """For each model that was asked: its mean score without context, and how often it was right."""
        said: dict[str, Any] = {}
        for name in dict.fromkeys(attempt.llm for attempt in self.attempts):
            mine = [attempt for attempt in self.attempts if attempt.llm == name]
            values = [attempt.score.value for attempt in mine if attempt.score.value is not None]
            said[name] = {
                "metric": mine[0].score.metric,
                "mean": sum(values) / len(values) if values else None,
                "right": sum(attempt.right for attempt in mine),
                "asked": len(mine),
                "failed": len(mine) - len(values),
            }
        return said


def with_verdicts(audit: GoldenAudit, result: SweepResult) -> GoldenAudit:
    """The audit with the verdict over all questions, and over those without a finding."""
    if not any(arm.rows for arm in result.arms):
        return audit
    sound = len(audit.questions) - len(audit.flagged)
    without = result.without(audit.flagged).verdict() if audit.flagged and sound else None
    return replace(audit, with_flagged=result.verdict(), without_flagged=without)
