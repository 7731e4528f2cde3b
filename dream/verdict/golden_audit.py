"""What an audit of the golden dataset found, and what asking the models takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dream.golden.audit.closed_book import Attempt
from dream.golden.audit.finding import CHECKS, Finding
from dream.records import Question, to_json


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
        }

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
