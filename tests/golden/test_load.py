"""Question files of every format, and what a user is told of bad ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from dream.errors import StudyError
from dream.golden import Piece, load_questions
from dream.study import Columns, QuestionFile

SQUAD = Path(__file__).parents[2] / "../shared/data/squad-dev-v1.1.json.gz"


def load(path: Path, limit: int | None = None, **columns: Any):
    return load_questions(
        QuestionFile(path=path.name, columns=Columns(**columns), limit=limit), path.as_posix()
    )


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def mistake(path: Path, **columns: Any) -> str:
    with pytest.raises(StudyError) as caught:
        load(path, **columns)
    return str(caught.value)


def test_csv_gives_every_column(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "mine.csv",
        "id,question,reference,evidence,kind\n"
        'q7,"What, then?",Ray,"Ray runs\ntasks.",numeric\n'
        'q8,And?,,"",unanswerable\n',
    )
    first, second = load(path)
    assert (first.id, first.question, first.reference, first.kind) == ("q7", "What, then?", "Ray", "numeric")
    assert first.pieces == (Piece("Ray runs\ntasks."),)
    assert first.answerable and first.origin == "mine.csv"
    assert not second.answerable and second.pieces == ()


def test_csv_of_a_spreadsheet_with_semicolons_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.csv", "\ufeffquestion;reference\nWhy?;Because, well.\n")
    assert [(found.question, found.reference) for found in load(path)] == [("Why?", "Because, well.")]


def test_columns_are_mapped_and_rows_without_id_numbered(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.csv", "q,gold,where\nWhy?,Because,Text.\n")
    (found,) = load(path, question="q", reference="gold", evidence="where")
    assert (found.id, found.question, found.reference, found.pieces) == (
        "mine-1",
        "Why?",
        "Because",
        (Piece("Text."),),
    )


@pytest.mark.parametrize(
    ("evidence", "pieces"),
    [
        ("one", (Piece("one"),)),
        (["one", "two"], (Piece("one"), Piece("two"))),
        ([{"document": "a.pdf", "text": "one"}], (Piece("one", "a.pdf"),)),
        ({"text": "one"}, (Piece("one"),)),
        ("[3] Smith says so", (Piece("[3] Smith says so"),)),
        (None, ()),
        ([], ()),
    ],
)
def test_evidence_in_every_form_in_jsonl_csv_and_parquet(
    tmp_path: Path, evidence: Any, pieces: tuple[Piece, ...]
) -> None:
    row = {"question": "Why?", "reference": "So", "evidence": evidence}
    lines = write(tmp_path, "mine.jsonl", json.dumps(row) + "\n\n")
    assert load(lines)[0].pieces == pieces
    text = "" if evidence is None else evidence if isinstance(evidence, str) else json.dumps(evidence)
    quoted = text.replace('"', '""')
    table = write(tmp_path, "mine.csv", f'question,reference,evidence\nWhy?,So,"{quoted}"\n')
    assert load(table)[0].pieces == pieces
    parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "mine.parquet")
    assert load(tmp_path / "mine.parquet")[0].pieces == pieces


def test_limit_takes_questions_from_the_whole_file(tmp_path: Path) -> None:
    rows = "".join(f"q{n},answer\n" for n in range(10))
    path = write(tmp_path, "mine.csv", "question,reference\n" + rows)
    assert [found.id for found in load(path, limit=3)] == ["mine-1", "mine-4", "mine-7"]


def test_missing_columns_are_told_with_those_that_are_there(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.csv", "frage,reference\nWhy?,So\n")
    assert mistake(path) == (
        "mine.csv: has no column 'question'; set columns.question to one of: frage, reference"
    )
    told = mistake(path, question="frage", evidence="belege")
    assert told == "mine.csv: has no column 'belege'; set columns.evidence to one of: frage, reference"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "question,reference\nWhy?,\n", "a.csv:2 column 'reference': is empty; write the answer"),
        ("a.csv", 'question,reference\n"a\nb",c\n ,x\n', "a.csv:4 column 'question': is empty"),
        ("a.csv", "question,reference\nWhy?,So,what\n", "a.csv:2: the row has more fields than"),
        ("a.csv", "question,question\na,b\n", "a.csv:1: the column 'question' stands twice"),
        ("a.csv", "question,reference\n", "holds no questions"),
        ("a.jsonl", '{"question": "a", "reference": "b"}\n{"question"\n', "a.jsonl:2: is not valid JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: '[1]' is no JSON object"),
        ("a.jsonl", '{"question": ["a"], "reference": "b"}', "a.jsonl:1 column 'question': [\"a\"] is no"),
        (
            "a.jsonl",
            '{"question": "a", "reference": "b", "evidence": [{"txt": "c"}]}',
            'a.jsonl:1 column \'evidence\': {"txt": "c"} is no evidence; write {document, text}',
        ),
        ("a.jsonl", '{"question": "a", "reference": "b", "evidence": [7]}', "7 is no evidence; write a text"),
        ("a.txt", "", "is of no known format; give a file that ends in one of .csv, .jsonl"),
        ("a.parquet", "nonsense", "a.parquet: is not readable as Parquet"),
        ("a.json", '{"data": [{}]}', "a.json data[0]: has no list 'paragraphs'"),
        ("a.json", "[]", "a.json: has no list 'data'"),
    ],
)
def test_bad_files_are_told_with_their_place(tmp_path: Path, name: str, text: str, told: str) -> None:
    assert told in mistake(write(tmp_path, name, text))


def test_several_bad_rows_are_told_at_once_but_not_endlessly(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "question,reference\n" + "Why?,\n" * 9)
    lines = mistake(path).splitlines()
    assert lines[0].startswith("a.csv:2 ") and lines[4].startswith("a.csv:6 ")
    assert lines[5:] == ["a.csv: 4 more rows are not usable"]


def test_ids_that_stand_twice_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,question,reference\nx,a,b\nx,c,d\n")
    assert "the questions 1 and 2 have the same id 'x'" in mistake(path)
    assert [found.id for found in load(path, id=None)] == ["a-1", "a-2"]


def test_a_missing_file_and_a_wrong_encoding(tmp_path: Path) -> None:
    assert "there is no such file" in mistake(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("question,reference\nWhy?,caf\xe9\n".encode("latin-1"))
    assert "latin.csv:2: byte 0xe9 is not UTF-8; save it as UTF-8" in mistake(tmp_path / "latin.csv")


def squad(context: str, answers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    asked = {"id": "1", "question": "Who?", "answers": answers, **more}
    return {"data": [{"title": "T", "paragraphs": [{"context": context, "qas": [asked]}]}]}


def test_squad_takes_the_answer_of_most_at_its_place(tmp_path: Path) -> None:
    tree = squad(
        "Ray met Ray Ito.",
        [
            {"text": "Ray Ito", "answer_start": 8},
            {"text": "Ray", "answer_start": 8},
            {"text": "Ray", "answer_start": 0},
        ],
    )
    (tmp_path / "s.json.gz").write_bytes(gzip.compress(json.dumps(tree).encode()))
    (found,) = load(tmp_path / "s.json.gz")
    assert (found.id, found.reference, found.origin) == ("1", "Ray", "s.json.gz")
    assert found.pieces == (Piece("Ray", "T", "Ray met Ray Ito.", 8),)


def test_squad_2_keeps_impossible_questions_as_unanswerable(tmp_path: Path) -> None:
    path = write(tmp_path, "s.json", json.dumps(squad("Text.", [], is_impossible=True)))
    (found,) = load(path)
    assert not found.answerable and found.kind == "unanswerable" and found.pieces == ()
    path = write(tmp_path, "s.json", json.dumps(squad("Text.", [])))
    assert "data[0].paragraphs[0].qas[0].answers: the question has no answer" in mistake(path)
    path = write(tmp_path, "s.json", json.dumps(squad("Text.", [{"text": "Ray", "answer_start": 0}])))
    assert "the answer 'Ray' does not stand in its context" in mistake(path)


@pytest.mark.skipif(not SQUAD.exists(), reason="../shared/data/squad-dev-v1.1.json.gz is not there")
def test_the_real_squad_is_loaded_whole() -> None:
    found = load_questions(QuestionFile(path=SQUAD.name), SQUAD.as_posix())
    assert len(found) == 10_570 and len({question.id for question in found}) == 10_570
    asked = {question.id: question for question in found}["56be4db0acb8001400a502ec"]
    assert asked.question == "Which NFL team represented the AFC at Super Bowl 50?"
    assert asked.reference == "Denver Broncos"
