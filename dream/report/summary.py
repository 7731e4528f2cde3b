"""A result as one JSON object: what ``dream run --json`` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dream.report.board import golden_notes
from dream.report.findings import Findings
from dream.sweep.result import ArmResult
from dream.verdict.result import SweepResult


def summary_of(result: SweepResult) -> dict[str, Any]:
    """The study, its arms from best to worst with every metric, what was concluded, and what the run did.

    >>> from dream.sweep.result import Usage
    >>> found = summary_of(SweepResult("demo", "mrr", ("mrr",), (), (), usage=Usage(model_calls=3)))
    >>> found["study"], found["questions"], found["arms"], found["model_calls"]
    ('demo', 0, [], 3)
    """
    return {
        "study": result.study,
        "objective": result.objective,
        "questions": len(result.questions),
        "arms": [_arm(arm, result) for arm in result.ranked()],
        **Findings.of(result).to_json(),
        "problems": [{"id": each.id, "kind": each.kind, "reason": each.reason} for each in result.problems],
        "golden_notes": golden_notes(result),
        "golden_failures": len(result.lineage.get("golden_failures", ())),
        **asdict(result.usage),
        "seconds": round(result.usage.seconds, 2),
    }


def _arm(found: ArmResult, result: SweepResult) -> dict[str, Any]:
    metrics = {}
    for name in result.metrics:
        summary = found.summary(name)
        metrics[name] = {
            "mean": summary.mean,
            "stderr": summary.stderr,
            "low": summary.low,
            "high": summary.high,
            "scored": summary.scored,
            "missing": summary.missing if found.rows else len(result.questions),
            "not_applicable": summary.not_applicable,
        }
    return {
        "arm": found.arm.parameters,
        "name": found.arm.name,
        "metrics": metrics,
        "dollars": found.dollars,
        "seconds_p50": found.seconds(0.5),
        "seconds_p95": found.seconds(0.95),
        "offline": found.offline,
        "error": found.error or None,
    }


def has_failures(result: SweepResult) -> bool:
    """Whether an arm failed, a score is missing, or questions could not be made."""
    return bool(result.lineage.get("golden_failures")) or any(
        arm.error or any(arm.summary(metric).missing for metric in result.metrics)
        for arm in (*result.arms, *(result.holdout.arms if result.holdout else ()))
    )
