"""A small sweep result, and variations of it, to be written to MLflow."""

from __future__ import annotations

import itertools
from dataclasses import replace

from dream.records import Answer, Chunk, Question, Score, Span
from dream.sweep.result import Arm, ArmResult, Row, Usage
from dream.verdict.result import SweepResult

GOLDEN_DIGEST = "0123456789abcdef" * 4


def result(study: str = "small study", shift: float = 0.0) -> SweepResult:
    """Twelve arms on four questions; ``shift`` is added to every score of the first arm."""
    questions = tuple(
        Question(f"q{n}", f"What is {n} and {n}?", f"It is {2 * n}.", kind="numeric", origin="hand.csv")
        for n in range(4)
    )
    points = itertools.product(
        ("chunks", "sentence_window", "auto_merging"), ("small", "large"), ("minilm", "hashing")
    )
    arms = tuple(
        _arm(Arm(method, llm, embedding, knobs_of(method)), place, shift * (place == 0))
        for place, (method, llm, embedding) in enumerate(points)
    )
    return SweepResult(
        study,
        "answer_correctness",
        ("mrr", "answer_correctness"),
        questions,
        arms,
        usage=Usage(model_calls=96, seconds=3.0),
        lineage={
            "corpus_digest": "c" * 64,
            "golden_digest": GOLDEN_DIGEST,
            "golden_source": "/data/my golden/questions.csv",
            "versions": {"ragas": "0.4.3"},
            "seed": 7,
        },
        study_text="name: small study\n",
    )


def knobs_of(method: str) -> dict[str, object]:
    """Knobs that differ between methods and come before theirs in the alphabet, as those of real ones do."""
    if method == "auto_merging":
        return {"top_k": 4, "chunk_sizes": [512, 128]}
    return {"top_k": 4, "chunk_size": 256, "chunk_overlap": 32 if method == "chunks" else 16}


def _arm(arm: Arm, place: int, shift: float) -> ArmResult:
    chunk = Chunk("c1", "some text", Span("a.pdf", 0, 9), page=3)
    rows = []
    for n in range(4):
        value = round(0.3 + 0.04 * place + 0.05 * n + shift, 4)
        scores = (Score("answer_correctness", value), Score("mrr", None if n == 0 else 1 / n, "no vote"))
        answer = Answer(f"It is {2 * n}.", (chunk,), 100, 5, dollars=0.001 * (place + 1), seconds=0.2 + n)
        rows.append(Row(f"q{n}", answer, scores))
    return ArmResult(arm, tuple(rows), offline=True)


def with_failed_arm(given: SweepResult, place: int, reason: str) -> SweepResult:
    """The same with one arm that failed as a whole."""
    failed = ArmResult(given.arms[place].arm, (), error=reason)
    arms = (*given.arms[:place], failed, *given.arms[place + 1 :])
    return replace(given, arms=arms)
