"""Faults that a review found: each cost results or money before it was mended."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dream.errors import ModelError, StorageError
from dream.ledger import Ledger
from dream.metrics import Judge, find_metric, metric, score_answer
from dream.models.embedding import Embedder, Vectors
from dream.modules import code_digest, load_modules, read_modules
from dream.records import Answer, Chunk, Document, Question, Score, Span
from dream.retrieval.index import build_index, contents_of, index_inputs, index_is_whole, open_index
from dream.storage import open_storage
from dream.sweep.result import Arm, ArmResult, Row
from dream.sweep.trial import _probes
from dream.verdict.result import SweepResult


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    registry = importlib.import_module("dream.metrics.metric")
    monkeypatch.setattr(registry, "_metrics", dict(registry._metrics))


def arm_with(name: str, values: Sequence[float | None]) -> ArmResult:
    rows = [
        Row(str(n), None, (Score("f1", value, "" if value else "judge failed"),))
        for n, value in enumerate(values)
    ]
    return ArmResult(Arm(name, "llm", "embedding"), tuple(rows))


def test_an_arm_that_lacks_scores_never_leads_one_that_is_whole() -> None:
    partial = arm_with("partial", [1.0, None, None, None])
    whole = arm_with("whole", [0.9, 0.8, 0.9, 0.8])
    failed = ArmResult(Arm("failed", "llm", "embedding"), error="broken")
    result = SweepResult("s", "f1", ("f1",), (), (failed, partial, whole))
    assert [arm.arm.method for arm in result.ranked()] == ["whole", "partial", "failed"]


def test_code_is_identified_as_it_was_loaded_not_as_it_stands_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "edited.py"
    file.write_text(
        "from dream.metrics import metric\n\n@metric\ndef edited_metric(answer: str):\n    return 0.0\n"
    )
    load_modules(read_modules([str(file)]))
    before = code_digest(find_metric("edited_metric").compute)
    file.write_text(file.read_text().replace("0.0", "1.0"))
    assert code_digest(find_metric("edited_metric").compute) == before
    load_modules(read_modules([str(file)]))
    assert code_digest(find_metric("edited_metric").compute) != before


def test_a_ledger_that_cannot_be_written_ends_the_scoring_and_is_no_missing_score() -> None:
    @metric
    def needs_ledger(answer: str) -> float:
        raise StorageError("cannot write: no space left", "ledger")

    judge: Judge = None  # type: ignore[assignment]
    with pytest.raises(StorageError):
        asyncio.run(score_answer(find_metric("needs_ledger"), Question("q", "?", "!"), Answer("!"), 4, judge))


def test_probes_come_from_all_over_the_golden_dataset() -> None:
    questions = [Question(str(n), "?", "!") for n in range(20)]
    probes, others = _probes(questions)
    assert [question.id for question in probes] == ["0", "4", "8", "12", "16"]
    assert len(probes) + len(others) == 20
    few, none = _probes(questions[:3])
    assert (len(few), none) == (3, [])


def halves(texts: Sequence[str]) -> Vectors:
    return np.ones((len(texts) - 1, 4), dtype=np.float32)


def ones(texts: Sequence[str]) -> Vectors:
    return np.ones((len(texts), 4), dtype=np.float32)


def test_an_embedding_that_loses_a_vector_is_refused() -> None:
    with pytest.raises(ModelError, match="3 texts gave vectors of shape"):
        Embedder("bad", {}, halves).embed(["a", "b", "c"])


@pytest.mark.parametrize("damage", ["removed", "overwritten"])
def test_an_index_whose_files_are_damaged_is_built_again(tmp_path: Path, damage: str) -> None:
    ledger = Ledger(open_storage(tmp_path))
    documents = [Document("a", "one two", digest="x")]
    embedder = Embedder("ones", {"ones": 1}, ones)

    def split(document: Document) -> list[Chunk]:
        return [Chunk("a#0", "one", Span("a", 0, 3)), Chunk("a#1", "two", Span("a", 4, 7))]

    name = build_index(ledger, documents, "split", split, embedder)
    inputs = index_inputs(contents_of(documents), "split", embedder.identity)
    assert index_is_whole(ledger, inputs)
    file = tmp_path / "index" / name / "chunks.json"
    file.unlink() if damage == "removed" else file.write_text("[]")
    assert not index_is_whole(ledger, inputs)

    build_index(ledger, documents, "split", split, embedder)

    assert [leaf.text for leaf in open_index(ledger, inputs, tmp_path).leaves] == ["one", "two"]
