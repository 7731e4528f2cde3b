"""The page's data: a sweep's result as compact JSON in which every distinct text stands once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from dream.records import Chunk, Question, Score
from dream.report.findings import Findings
from dream.report.waterfall import TITLES
from dream.sweep.result import ArmResult, Row, Summary
from dream.verdict.losses import OUTCOMES, Waterfall
from dream.verdict.result import SweepResult

Pages = Mapping[str, Sequence[tuple[int, int]]]
"""For each document, the (position, page) pairs that retrieved chunks tell, in order of position."""


@dataclass(frozen=True)
class Tables:
    """Texts and chunks met so far; rows refer to them by their place.

    >>> tables = Tables()
    >>> tables.text("a"), tables.text("b"), tables.text("a"), list(tables.texts)
    (0, 1, 0, ['a', 'b'])
    """

    texts: dict[str, int] = field(default_factory=dict)
    chunks: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def text(self, text: str) -> int:
        """Place of the text among all texts."""
        return self.texts.setdefault(text, len(self.texts))

    def chunk(self, chunk: Chunk) -> int:
        """Place of the chunk among all chunks; the same passage from two indexes is one chunk."""
        where = (
            (self.text(chunk.span.document), chunk.span.start, chunk.span.end) if chunk.span else (None,) * 3
        )
        return self.chunks.setdefault((self.text(chunk.text), *where, chunk.page), len(self.chunks))


def page_data(result: SweepResult, findings: Findings) -> dict[str, Any]:
    """All that the page's script needs, as plain JSON types.

    The arms stand in the leaderboard's order. Their ``rows`` stand in the order of ``questions``, with
    ``None`` where an arm has none. A row is ``[answer, error, contexts, scores, seconds, dollars]``, a
    context ``[chunk, similarity]``, a score ``[value, reason, applicable]``, a chunk ``[text, document,
    start, end, page]``; answers, errors, reasons, documents and chunk texts are places in ``texts``.
    ``losses`` holds for each arm that was traced a ``[outcome, rank]`` for each question, or ``None``.

    >>> empty = SweepResult("quickstart", "mrr", ("mrr",), (), ())
    >>> page_data(empty, Findings.of(empty))["objective"]
    'mrr'
    """
    tables = Tables()
    pages = known_pages(result)
    arms = [_arm(arm, result, tables) for arm in result.ranked()]
    return {
        "study": result.study,
        "objective": result.objective,
        "metrics": list(result.metrics),
        "questions": [_question(question, pages) for question in result.questions],
        "arms": arms,
        "verdict": findings.verdict.to_json(),
        "matters": findings.matters.to_json() if findings.matters else None,
        "losses": {each.arm: _outcomes(each, result.questions) for each in findings.losses},
        "outcomes": [[outcome, TITLES[outcome]] for outcome in OUTCOMES],
        "chunks": [list(chunk) for chunk in tables.chunks],
        "texts": list(tables.texts),
    }


def known_pages(result: SweepResult) -> Pages:
    """Which positions of which documents are known to stand on which page.

    A result holds no documents, but a chunk knows the page on which it starts.
    """
    known: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for arm in result.arms:
        for row in arm.rows:
            for chunk in row.answer.contexts if row.answer else ():
                if chunk.span and chunk.page is not None:
                    known[chunk.span.document].add((chunk.span.start, chunk.page))
    return {document: sorted(places) for document, places in known.items()}


def page_text(pages: Pages, document: str, position: int) -> str:
    """The page of a position, as exactly as the known positions around it tell.

    >>> pages = {"a.pdf": [(0, 1), (900, 2), (1800, 2), (2700, 4)]}
    >>> [page_text(pages, "a.pdf", position) for position in (900, 1200, 2000, 3000)]
    ['page 2', 'page 2', 'page 2–4', 'page 4 or later']
    >>> page_text(pages, "notes.md", 10)
    ''
    """
    known = pages.get(document, ())
    before = [page for start, page in known if start <= position]
    after = [page for start, page in known if start >= position]
    if not known:
        return ""
    if not before:
        return f"page {after[0]}" if after[0] == 1 else f"page {after[0]} or earlier"
    if not after:
        return f"page {before[-1]} or later"
    return f"page {after[0]}" if before[-1] == after[0] else f"page {before[-1]}–{after[0]}"


def _question(question: Question, pages: Pages) -> dict[str, Any]:
    pieces = []
    for span, text in zip_longest(question.evidence, question.evidence_text):
        place = (
            [span.document, span.start, span.end, page_text(pages, span.document, span.start)]
            if span
            else None
        )
        pieces.append({"text": text or "", "place": place})
    return {
        "id": question.id,
        "question": question.question,
        "reference": question.reference,
        "kind": question.kind,
        "origin": question.origin,
        "answerable": question.answerable,
        "evidence": pieces,
    }


def _outcomes(waterfall: Waterfall, questions: Sequence[Question]) -> list[list[int | None] | None]:
    found = {loss.question: [OUTCOMES.index(loss.outcome), loss.rank] for loss in waterfall.losses}
    return [found.get(question.id) for question in questions]


def _arm(result: ArmResult, sweep: SweepResult, tables: Tables) -> dict[str, Any]:
    arm, rows = result.arm, {row.question: row for row in result.rows}
    return {
        "id": arm.id,
        "name": arm.name,
        "method": arm.method,
        "llm": arm.llm,
        "embedding": arm.embedding,
        "knobs": {knob: _plain(arm.knobs[knob]) for knob in arm.searched},
        "error": result.error,
        "offline": result.offline,
        "metrics": {metric: _summary(result.summary(metric)) for metric in sweep.metrics},
        "rows": [
            _row(rows[question.id], sweep.metrics, tables) if question.id in rows else None
            for question in sweep.questions
        ],
    }


def _summary(summary: Summary) -> list[float | int | None]:
    return [*map(number, (summary.mean, summary.low, summary.high)), summary.scored, summary.missing]


def _row(row: Row, metrics: Sequence[str], tables: Tables) -> list[Any]:
    answer = row.answer
    return [
        tables.text(answer.text) if answer else None,
        tables.text(row.error),
        [[tables.chunk(chunk), number(chunk.score)] for chunk in answer.contexts] if answer else [],
        [_score(row.score(metric), tables) for metric in metrics],
        number(answer.seconds) if answer else None,
        number(answer.dollars) if answer else None,
    ]


def _score(score: Score, tables: Tables) -> list[Any]:
    reason = score.reason
    if score.value is not None and number(score.value) is None:
        reason = reason or f"the metric gave {score.value}"
    return [number(score.value), tables.text(reason), score.applicable]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def number(value: float | None) -> float | None:
    """Six decimals are more than a reader sees; JSON has no word for infinity or what is not a number.

    >>> number(1 / 3), number(float("nan")), number(None)
    (0.333333, None, None)
    """
    return round(value, 6) if value is not None and math.isfinite(value) else None
