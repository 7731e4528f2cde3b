"""The golden dataset from files: ids, duplicates, evidence, storing and reading back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from dream.errors import CorruptObject, DreamError, MissingObject, StudyError
from dream.golden import GoldenDataset, RawQuestion, build_golden, load_questions, read_golden
from dream.golden.duplicates import MOST_COMPARED, remove_duplicates
from dream.ledger import Ledger
from dream.records import Corpus, Document, Span
from dream.storage import open_storage
from dream.study import QuestionFile, Study
from tests.servers.s3 import S3Server

CORPUS = Corpus((Document("ray.md", "Ray runs tasks.\nActors keep state."), Document("k8s.md", "Pods run.")))


def study_of(*files: Path, **golden: Any) -> Study:
    return Study.model_validate(
        {
            "name": "small",
            "corpus": ".",
            "golden": {"files": [str(file) for file in files], **golden},
            "models": {
                "llms": {"a": {"provider": "offline"}},
                "embeddings": {"h": {"provider": "hashing"}},
                "judge": "a",
            },
            "search": {"method": ["chunks"], "llm": ["a"], "embedding": ["h"]},
        }
    )


def jsonl(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def built(tmp_path: Path, *files: Path) -> tuple[GoldenDataset, Ledger]:
    ledger = Ledger(open_storage(tmp_path / "ledger"))
    return build_golden(study_of(*files), CORPUS, ledger), ledger


@pytest.fixture
def two_files(tmp_path: Path) -> tuple[Path, Path]:
    one = jsonl(
        tmp_path / "one.jsonl",
        {"id": "1", "question": "What runs tasks?", "reference": "Ray", "evidence": ["Ray runs tasks."]},
        {"id": "2", "question": "What does it cost?", "reference": "", "kind": "unanswerable"},
    )
    two = jsonl(
        tmp_path / "two.jsonl",
        {"id": "1", "question": "What keeps state?", "reference": "Actors", "evidence": "keep state"},
        {"id": "3", "question": "what  runs tasks", "reference": "Ray"},
        {"id": "4", "question": "What is a pod?", "reference": "A group", "evidence": "a pod is a group of"},
    )
    return one, two


def test_files_are_joined_with_spans_origins_and_notes(tmp_path: Path, two_files: tuple[Path, Path]) -> None:
    golden, _ = built(tmp_path, *two_files)
    assert [(one.id, one.origin) for one in golden.questions] == [
        ("one.jsonl:1", "one.jsonl"),
        ("2", "one.jsonl"),
        ("two.jsonl:1", "two.jsonl"),
        ("4", "two.jsonl"),
    ]
    first, cost, state, pod = golden.questions
    assert first.evidence == (Span("ray.md", 0, 15),) and first.evidence_text == ("Ray runs tasks.",)
    assert state.evidence == (Span("ray.md", 23, 33),)
    assert not cost.answerable and cost.kind == "unanswerable"
    assert pod.evidence == () and pod.evidence_text and pod.answerable
    assert golden.notes == (
        "3: removed, it asks the same as one.jsonl:1.",
        '4: "a pod is a group of" is in no document.',
    )


def test_the_same_questions_have_the_same_digest_wherever_they_lie(
    tmp_path: Path, two_files: tuple[Path, Path]
) -> None:
    golden, _ = built(tmp_path, *two_files)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = [file.rename(elsewhere / file.name) for file in two_files]
    again, _ = built(elsewhere, *moved)
    assert again.digest == golden.digest
    moved[0].write_text(moved[0].read_text().replace('"Ray"', '"Ray!"'))
    changed, _ = built(elsewhere, *moved)
    assert changed.digest != golden.digest


def test_what_is_stored_is_read_back(tmp_path: Path, two_files: tuple[Path, Path]) -> None:
    golden, ledger = built(tmp_path, *two_files)
    assert golden.parquet_key == f"golden/small/{golden.digest[:12]}/golden.parquet"
    assert read_golden(ledger.storage, golden.parquet_key) == golden
    assert read_golden(ledger.storage, "golden/small/latest.json") == golden
    rows = list(csv.DictReader(io.StringIO(ledger.storage.get(golden.csv_key).decode())))
    assert [row["id"] for row in rows] == [one.id for one in golden.questions]
    assert json.loads(rows[0]["spans"]) == [{"document": "ray.md", "start": 0, "end": 15}]


def test_the_csv_file_is_a_question_file(tmp_path: Path, two_files: tuple[Path, Path]) -> None:
    golden, _ = built(tmp_path, *two_files)
    path = tmp_path / "ledger" / golden.csv_key
    reloaded = load_questions(QuestionFile(path=path.name), str(path))
    assert [(one.id, one.question, one.reference, one.answerable) for one in reloaded] == [
        (one.id, one.question, one.reference, one.answerable) for one in golden.questions
    ]
    assert [piece.text for piece in reloaded[0].pieces] == ["Ray runs tasks."]


def test_damage_is_seen_when_it_is_read(tmp_path: Path, two_files: tuple[Path, Path]) -> None:
    golden, ledger = built(tmp_path, *two_files)
    storage = ledger.storage
    data = storage.get(golden.parquet_key)
    storage.put(golden.parquet_key, data[:-20])
    with pytest.raises(CorruptObject, match="is damaged"):
        read_golden(storage, golden.parquet_key)
    other, _ = built(tmp_path, two_files[1])
    pointer = storage.get("golden/small/latest.json")
    storage.put(golden.parquet_key, storage.get(other.parquet_key))
    storage.put(
        "golden/small/latest.json",
        pointer.replace(other.digest.encode(), golden.digest.encode()),
    )
    with pytest.raises(CorruptObject, match=f"not {golden.digest[:12]}"):
        read_golden(storage, "golden/small/latest.json")
    with pytest.raises(MissingObject):
        read_golden(storage, "golden/other/latest.json")


def test_a_changed_question_does_not_pass_as_the_stored_one(
    tmp_path: Path, two_files: tuple[Path, Path]
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    golden, ledger = built(tmp_path, *two_files)
    table = parquet.read_table(pa.BufferReader(ledger.storage.get(golden.parquet_key)))
    rows = table.to_pylist()
    rows[0]["reference"] = "Spark"
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(rows, schema=table.schema), sink)
    ledger.storage.put(golden.parquet_key, sink.getvalue().to_pybytes())
    with pytest.raises(CorruptObject, match="its questions have the digest"):
        read_golden(ledger.storage, golden.parquet_key)


def test_no_documents_and_no_questions_is_a_mistake_that_is_told(tmp_path: Path) -> None:
    ledger = Ledger(open_storage(tmp_path))
    study = study_of(generate={"questions": 4})
    with pytest.raises(DreamError, match=r"there is no question: k8s.md: \d+ tokens are too few"):
        build_golden(study, Corpus(CORPUS.documents[1:]), ledger)


def asked(*texts: str) -> list[RawQuestion]:
    return [RawQuestion(text, "", id=str(number)) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (("What is Ray?", "what is  ray", "What is \u201cRay\u201d ?"), ["0"]),
        (
            (
                "How many processors does a task of Ray ask for by default?",
                "How many processors does a task of Ray asks for by default?",
            ),
            ["0"],
        ),
        (
            (
                "Who won the election for the national parliament in 1998?",
                "Who won the election for the national parliament in 1999?",
            ),
            ["0", "1"],
        ),
        (("What is C?", "What is C++?"), ["0", "1"]),
        (("What is a chunk?", "What is a chart?"), ["0", "1"]),
    ],
)
def test_duplicates(texts: tuple[str, ...], kept: list[str]) -> None:
    questions, notes = remove_duplicates(asked(*texts))
    assert [question.id for question in questions] == kept
    assert len(notes) == len(texts) - len(kept)


def test_large_sets_are_compared_exactly_only() -> None:
    many = [f"What was thing {number} called, of the many?" for number in range(MOST_COMPARED)]
    near = ["How large is the biggest of the pods here?", "How large is the biggest of the pod here?"]
    questions, notes = remove_duplicates(asked(*many, *near, near[0].upper()))
    assert len(questions) == MOST_COMPARED + 2 and len(notes) == 1


@pytest.mark.servers
def test_questions_and_dataset_on_s3(
    tmp_path: Path, two_files: tuple[Path, Path], s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    bucket = s3.bucket()
    for file in two_files:
        s3.client().put_object(Bucket=bucket, Key=f"in/{file.name}", Body=file.read_bytes())
    local, _ = built(tmp_path, *two_files)
    study = study_of(files=[f"s3://{bucket}/in/{file.name}" for file in two_files])
    ledger = Ledger(open_storage(f"s3://{bucket}/ledger"))
    golden = build_golden(study, CORPUS, ledger)
    assert golden == local
    assert read_golden(ledger.storage, "golden/small/latest.json") == local
    with pytest.raises(StudyError, match="there is no such file"):
        load_questions(QuestionFile(path="x.csv"), f"s3://{bucket}/in/x.csv")
