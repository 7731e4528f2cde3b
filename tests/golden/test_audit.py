"""The audit of the golden dataset: planted faults are found, sound questions left alone, decisions hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.golden_audit import build, figures, quickstart
from dream.audits import audit_golden
from dream.cluster.connect import connect
from dream.errors import StudyError
from dream.golden.audit.ambiguous import find_alternatives
from dream.golden.audit.copied import copied_share, find_copied
from dream.golden.audit.decisions import read_decisions, write_decisions
from dream.golden.audit.duplicates import find_duplicates
from dream.golden.audit.evidence import find_lost_evidence
from dream.golden.audit.passages import cut_passages
from dream.golden.shelf import Shelf
from dream.models.hashing import embed_by_hashing
from dream.records import Document, Question, Span
from dream.study_file import load_study
from dream.verbs import build_golden, edit_golden, run_sweep
from dream.verdict.golden_audit import Estimate
from tests.sweep.shell import OFFLINE, SEARCH, dream, small_study


@pytest.fixture(scope="module")
def planted() -> Any:
    return quickstart()


@pytest.fixture(scope="module")
def golden(planted: Any) -> Any:
    return build(planted)


def test_lost_evidence_is_found_and_nothing_else(planted: Any, golden: Any) -> None:
    found = find_lost_evidence(golden.questions, golden.notes, Shelf(planted.documents))
    said = figures({one.question for one in found}, planted.faults["evidence"])
    assert (said["recall"], said["precision"]) == (1.0, 1.0)
    elsewhere = [one for one in found if "missing.pdf" in one.what]
    assert elsewhere and all(one.suggestion for one in found)


def test_copied_wording_is_found_and_nothing_else(planted: Any, golden: Any) -> None:
    documents = {document.id: document for document in planted.documents}
    found = find_copied(golden.questions, documents)
    said = figures({one.question for one in found}, planted.faults["copied"])
    assert (said["recall"], said["precision"]) == (1.0, 1.0)


def test_three_words_in_a_row_are_no_copy() -> None:
    assert copied_share("Who keeps the tables?", "It keeps the tables of the cluster.") == 0.0


def test_rewording_is_no_duplicate_when_a_number_or_the_answer_differs() -> None:
    asked = [
        Question("a", "How many nodes had Fjord in 2024?", "Twelve nodes."),
        Question("b", "How many nodes had Fjord in 2025?", "Twelve nodes."),
        Question("c", "How many nodes did Fjord have in 2024?", "Nine nodes of another kind."),
        Question("d", "In 2024 Fjord had how many nodes?", "It had twelve nodes."),
    ]
    found = find_duplicates(asked, embed_by_hashing([one.question for one in asked], 384), close=0.5)
    assert [(one.question, one.other) for one in found] == [("d", "a")]


def test_an_answer_elsewhere_is_found_and_the_evidence_itself_is_not() -> None:
    one = Document("a.md", "The limiter resumes at 70 percent of the earlier rate after a refusal.")
    other = Document("b.md", "After a refusal the limiter resumes at 70 percent of the rate. Nothing more.")
    third = Document("c.md", "The limiter resumes at 30 percent on Sundays after a refusal of the rate.")
    asked = Question("q", "At what rate does the limiter resume after a refusal?", "At 70 percent.")
    asked = Question(asked.id, asked.question, asked.reference, (Span("a.md", 0, 70),))

    def found(*documents: Document) -> list[str]:
        passages = [passage for document in documents for passage in cut_passages(document)]
        held = embed_by_hashing([passage.text for passage in passages], 384)
        alternatives = find_alternatives([asked], passages, embed_by_hashing([asked.question], 384), held)
        return [each.passage.span.document for each in alternatives]

    assert found(one, other, third) == ["b.md"]
    assert found(one, third) == []


def test_the_csv_keeps_what_a_person_decided_and_refuses_other_words() -> None:
    asked = [Question("q1", "=What runs?", "Ray"), Question("q2", "What waits?", "Tasks")]
    data = write_decisions(asked, [])
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [(row["decision"], row["question"]) for row in rows] == [
        ("keep", "'=What runs?"),  # no spreadsheet takes it for a formula
        ("keep", "What waits?"),
    ]
    edited = data.replace(b"keep,q1", b"Drop ,q1")
    decided = read_decisions(edited, "audit.csv")
    assert [(row.id, row.question, row.drop) for row in decided] == [
        ("q1", "=What runs?", True), ("q2", "What waits?", False)
    ]  # fmt: skip
    saved = edited.decode("utf-8-sig").replace(",", ";").encode()  # as some spreadsheets save it
    assert read_decisions(saved, "audit.csv") == decided
    again = write_decisions(asked[1:], [], decided)  # q1 is out of the dataset by now
    assert [(row.id, row.drop) for row in read_decisions(again, "audit.csv")] == [("q2", False), ("q1", True)]
    with pytest.raises(StudyError, match=r"audit.csv:2: 'perhaps' is no decision; write keep or drop"):
        read_decisions(data.replace(b"keep,q1", b"perhaps,q1"), "audit.csv")


def faulty_study(folder: Path) -> Path:
    """A small study with a question that any model answers, a double one, and lost evidence."""
    study = small_study(folder, models=OFFLINE, search=SEARCH, more="objective: f1\nmetrics: [f1, mrr]")
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    known = {
        "id": "known",
        "question": "What is the capital of France?",
        "reference": "Paris",
        "kind": "single-hop",
    }
    known["reference"] = "The capital of France is Paris."
    lost = {
        **rows[0],
        "id": "lost",
        "question": "Who wrote the handbook?",
        "evidence": ["Nobody wrote this."],
    }
    (folder / "questions.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, known, lost]))
    return study


def test_the_free_checks_ask_no_model_and_say_what_the_others_would_cost(tmp_path: Path) -> None:
    study = load_study(faulty_study(tmp_path))
    asked: list[Estimate] = []

    def refuse(estimate: Estimate) -> bool:
        asked.append(estimate)
        return False

    audit = audit_golden(study, str(tmp_path / "store"), agree=refuse)
    assert [(estimate.calls, estimate.dollars, estimate.priced) for estimate in asked] == [(16, 0.0, True)]
    assert not audit.asked and audit.calls == 0
    assert {(one.question, one.check) for one in audit.findings} == {("lost", "evidence")}
    shown = audit._repr_html_()  # in a notebook
    assert "1 of 8 questions flagged" in shown and "Who wrote the handbook?" in shown
    assert "no language model was asked: that takes at most 16 model calls" in shown


@pytest.fixture
def local_ray() -> Iterator[None]:
    connect()
    yield
    import ray

    ray.shutdown()


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_an_audit_at_the_shell_and_the_run_that_honours_it(local_ray: None, tmp_path: Path) -> None:
    study = faulty_study(tmp_path)
    store = tmp_path / "store"

    read = load_study(study)
    run_sweep(read, storage=str(store))
    shown: list[str] = []
    audit = audit_golden(read, str(store), agree=lambda estimate: bool(shown.append(str(estimate)) or True))

    assert shown == ["at most 16 model calls, free of charge"]
    found = {(one.question, one.check) for one in audit.findings}
    assert found == {("known", "closed_book"), ("lost", "evidence")}
    assert audit.calls == 16 and audit.without_documents()["good"]["right"] == 1
    assert audit.with_flagged and audit.without_flagged
    assert (audit.with_flagged.questions, audit.without_flagged.questions) == (8, 6)
    again = audit_golden(read, str(store))
    assert again.calls == 0 and again.findings == audit.findings
    ended = dream("golden", "audit", study, "--storage", store, "--no-models", cwd=tmp_path)
    assert ended.code == 0, ended.errors
    assert "closed_book  not run: answered without the documents" in ended.said["text"]
    assert "verdict without the flagged: " in ended.said["text"]
    audit_golden(read, str(store))

    path = store / "golden" / "small" / "audit.csv"
    assert path.read_text("utf-8-sig").splitlines()[1].startswith("keep,known,closed_book,")
    path.write_text(path.read_text("utf-8-sig").replace("keep,known", "drop,known"), "utf-8-sig")
    text = study.read_text().replace(
        "golden: questions.jsonl", f"golden: {{files: [questions.jsonl], exclude: {path}}}"
    )
    study.write_text(text)
    built = dream("golden", "build", study, "--storage", store, "--json", cwd=tmp_path)
    assert built.said["questions"] == 7
    assert "1 of 8 questions are left out, as audit.csv says." in built.said["notes"]
    after = dream("golden", "audit", study, "--storage", store, "--json", "--no-models", cwd=tmp_path)
    assert after.said["questions"] == 7
    assert "drop,known" in path.read_text("utf-8-sig"), "a second audit forgets no decision"

    judge = ("judge", "audit", study, "--storage", store, "--rows", "12")
    judged = dream(*judge, "--json", cwd=tmp_path)
    assert judged.code == 2 and "run the study first: dream run STUDY" in judged.errors
    study.write_text(text.replace(f", exclude: {path}", ""))
    judged = dream(*judge, "--json", cwd=tmp_path)
    assert judged.code == 0, judged.errors
    assert judged.said["labelled"] == 0 and judged.said["rows"] >= 8
    sheet = store / "labels" / "small" / "rows.csv"
    rows = list(csv.DictReader(io.StringIO(sheet.read_text("utf-8-sig"))))
    for row in rows:
        row["label"] = "yes" if row["reference"][:12] in row["answer"] else "no"
    filled = tmp_path / "mine.csv"
    with filled.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "label"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    told = dream(*judge, "--labels", filled, cwd=tmp_path)
    assert told.code == 0 and f"{len(rows)} labels read" in told.said["text"], told.errors
    again = dream(*judge, "--json", cwd=tmp_path)
    assert again.said["labelled"] == again.said["rows"] == len(rows)
    assert again.said["agreement"]["rows"] >= len(rows) - 1
    assert again.said["arms"][0]["corrected"]["low"] is not None


def test_what_is_edited_by_hand_is_left_out_all_the_same(tmp_path: Path) -> None:
    study = load_study(faulty_study(tmp_path))
    store = str(tmp_path / "store")
    made = build_golden(study, store).questions
    rows = [{"id": one.id, "question": one.question, "reference": one.reference} for one in made]
    rows[0]["question"] = "In other words?"
    edit_golden(study, rows, store)
    audit_golden(study, store, agree=lambda _: False)
    path = tmp_path / "store" / "golden" / "small" / "audit.csv"
    path.write_text(path.read_text("utf-8-sig").replace("keep,lost", "drop,lost"), "utf-8-sig")
    text = (tmp_path / "study.yaml").read_text()
    files = f"golden: {{files: [questions.jsonl], exclude: {path}}}"
    (tmp_path / "study.yaml").write_text(text.replace("golden: questions.jsonl", files))
    after = build_golden(load_study(tmp_path / "study.yaml"), store)
    assert [one.id for one in after.questions] == [row["id"] for row in rows[:-1]]
    assert after.questions[0].question == "In other words?"
    assert any("left out" in note for note in after.notes) and any("reworded" in note for note in after.notes)
