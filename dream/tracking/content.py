"""What MLflow is told of a study and of each of its arms: parameters, metrics, tags and tables."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dream.records import digest_of, to_json
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.result import SweepResult
from dream.verdict.verdict import Standing, Verdict

LONGEST_TAG = 8000  # characters; MLflow refuses longer ones
OFFLINE = "Answered or judged by an offline model: the scores tell nothing about a real one."


@dataclass(frozen=True)
class Content:
    """Everything that one MLflow run shows.

    Attributes:
        name: the run's name.
        status: ``FINISHED`` or ``FAILED``.
        parameters: never change in a run's life.
        metrics: only those that have a value.
        tags: with all keys that may ever change, so that no old value stays behind.
        texts: artifacts by path, as text.
        files: artifacts by path, as files on this machine.
    """

    name: str
    status: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of all of it: a run that carries this digest needs no writing."""
        files = {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in self.files.items()}
        parts = [self.parameters, self.metrics, self.tags, self.texts, files]
        return digest_of([self.name, self.status, *map(dict, parts)])


def content_of_study(result: SweepResult, files: Mapping[str, Path]) -> Content:
    """The parent run: lineage, the study file, the report, and the best mean of the objective."""
    best = result.ranked()[0].summary(result.objective).mean if result.arms else None
    failed = [arm for arm in result.arms if arm.error]
    offline = any(arm.offline for arm in result.arms)
    verdict, matters = result.verdict(), result.matters()
    lineage = {f"dream.{key}": value for key, value in result.lineage.items()}
    said = f"{len(result.arms)} arms, {len(result.questions)} questions, {len(failed)} arms failed."
    tags = {
        **_as_text(lineage, LONGEST_TAG),
        "dream.objective": result.objective,
        "dream.offline": _yes(offline),
        "dream.superseded": _yes(False),
        **tags_of_verdict(verdict),
        "mlflow.note.content": "\n\n".join([verdict.text, f"{said} {OFFLINE}" if offline else said]),
    }
    metrics = {
        "arms": float(len(result.arms)),
        "arms_failed": float(len(failed)),
        "questions": float(len(result.questions)),
        "dollars": sum(arm.dollars for arm in result.arms),
    }
    if best is not None:
        metrics[metric_name(f"best_{result.objective}")] = best
    texts = {
        "lineage.json": _pretty(result.lineage),
        "problems.json": _pretty(to_json_all(result.problems)),
        "verdict.json": _pretty(verdict.to_json()),
        "matters.json": _pretty(matters.to_json() if matters else None),
        "losses.json": _pretty([each.to_json() for each in result.losses()]),
    }
    if result.study_text:
        texts["study.yaml"] = result.study_text
    everything_failed = bool(result.arms) and len(failed) == len(result.arms)
    status = "FAILED" if everything_failed else "FINISHED"
    return Content(result.study, status, tags, metrics=metrics, texts=texts, files=files)


def tags_of_verdict(verdict: Verdict) -> dict[str, str]:
    """The verdict in tags, so that runs can be searched by it.

    >>> tags_of_verdict(Verdict("mrr", "best", 0.05, 0.95, 0, 0, "question", (), text="Nothing."))
    {'dream.verdict': 'Nothing.', 'dream.take': '', 'dream.tied': '[]', 'dream.rule': 'best'}
    """
    tied = json.dumps([arm.name for arm in verdict.tied], ensure_ascii=False)
    return {
        "dream.verdict": verdict.text[:LONGEST_TAG],
        "dream.take": verdict.taken.name if verdict.taken else "",
        "dream.tied": tied[:LONGEST_TAG],
        "dream.rule": verdict.rule,
    }


def content_of_arm(result: SweepResult, arm: ArmResult, verdict: Verdict) -> Content:
    """A child run: the arm's parameters, its means with standard errors and coverage, its questions."""
    standing = next((each for each in verdict.arms if each.arm == arm.arm.id), None)
    notes = [f"Failed: {arm.error}"] if arm.error else []
    notes += [_standing_note(verdict, standing)] if standing and not arm.error else []
    notes += [OFFLINE] if arm.offline else []
    tags = {
        "dream.arm": arm.arm.id,
        "dream.offline": _yes(arm.offline),
        "dream.error": arm.error[:LONGEST_TAG],
        "dream.standing": verdict.mark(standing) if standing else "",
        "dream.superseded": _yes(False),
        "mlflow.note.content": "\n\n".join(notes)[:LONGEST_TAG],
    }
    texts = {}
    if arm.rows:
        texts["questions.json"] = json.dumps(question_table(result, arm), ensure_ascii=False)
        # this tag is what makes the MLflow page show the file as a table
        tags["mlflow.loggedArtifacts"] = json.dumps([{"path": "questions.json", "type": "table"}])
    status = "FAILED" if arm.error else "FINISHED"
    return Content(arm.arm.name, status, tags, parameters(arm.arm), metrics_of_arm(result, arm), texts)


def _standing_note(verdict: Verdict, standing: Standing) -> str:
    return {
        "take": f"The arm to take. {verdict.text}",
        "tied": "Cannot be told from the best.",
        "out": f"Worse than {standing.beaten_by}.",
    }.get(verdict.mark(standing), "")


def parameters(arm: Arm) -> dict[str, str]:
    """Method, LLM, embedding and knobs as MLflow's parameters, which are text.

    MLflow's plot begins with the three parameters that come first in the alphabet and differ. Knobs are
    named after the method that they belong to, so that these are embedding, LLM and method.

    >>> sorted(parameters(Arm("auto_merging", "small", "minilm", {"chunk_sizes": [512, 128]})))
    ['embedding', 'llm', 'method', 'method.chunk_sizes']
    """
    named = {"method": arm.method, "llm": arm.llm, "embedding": arm.embedding}
    knobs = {f"method.{knob}": value for knob, value in arm.knobs.items()}
    return {metric_name(key): text for key, text in _as_text({**named, **knobs}, 6000).items()}


def metrics_of_arm(result: SweepResult, arm: ArmResult) -> dict[str, float]:
    """Each metric's mean, standard error and coverage; dollars; quantiles of the seconds per question.

    The objective comes first: MLflow's page draws the metric that was written first until told otherwise.
    """
    if not arm.rows:
        return {}
    found: dict[str, float | None] = {}
    for metric in sorted(result.metrics, key=lambda name: name != result.objective):
        summary = arm.summary(metric)
        found |= {metric: summary.mean, f"{metric}_stderr": summary.stderr}
        found[f"{metric}_coverage"] = summary.coverage
    found["dollars"] = arm.dollars
    found |= {"seconds_p50": arm.seconds(0.5), "seconds_p95": arm.seconds(0.95)}
    return {metric_name(name): float(value) for name, value in found.items() if value is not None}


def question_table(result: SweepResult, arm: ArmResult) -> dict[str, list[Any]]:
    """One row for each question, as MLflow reads tables: ``columns`` and ``data``.

    ``problems`` tells why there is no answer, or why a score is missing.
    """
    questions = {question.id: question for question in result.questions}
    columns = ["id", "question", "reference", "answer", "sources", *result.metrics]
    columns += ["dollars", "seconds", "problems"]
    data: list[list[Any]] = []
    for row in arm.rows:
        asked, answer = questions.get(row.question), row.answer
        data.append(
            [
                row.question,
                asked.question if asked else "",
                asked.reference if asked else "",
                answer.text if answer else "",
                _sources(row),
                *(row.score(metric).value for metric in result.metrics),
                answer.dollars if answer else None,
                answer.seconds if answer else None,
                row.error or "; ".join(f"{s.metric}: {s.reason}" for s in row.scores if s.missing),
            ]
        )
    return {"columns": columns, "data": data}


def metric_name(name: str) -> str:
    """The name with the characters that MLflow refuses replaced.

    >>> metric_name("hit@3")
    'hit_3'
    """
    return re.sub(r"[^\w.\-: /]", "_", name)


def to_json_all(records: Any) -> list[Any]:
    """Each record as plain JSON types."""
    return [to_json(record) for record in records]


def _sources(row: Row) -> str:
    if row.answer is None:
        return ""
    named = []
    for chunk in row.answer.contexts:
        document = chunk.span.document if chunk.span else chunk.id
        named.append(f"{document} p. {chunk.page}" if chunk.page else document)
    return "; ".join(named)


def _as_text(values: Mapping[str, Any], longest: int) -> dict[str, str]:
    return {
        metric_name(key): (value if isinstance(value, str) else json.dumps(value, default=str))[:longest]
        for key, value in values.items()
    }


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _yes(value: bool) -> str:
    return "true" if value else "false"
