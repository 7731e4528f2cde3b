"""Questions that exist already, from a CSV, JSONL, Parquet or SQuAD-format file in a folder or on S3."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from dream.errors import DreamError, MissingObject, StudyError
from dream.golden.raw import Piece, RawQuestion
from dream.golden.rows import Row, read_csv, read_jsonl, read_parquet
from dream.golden.squad import read_squad
from dream.storage import open_storage
from dream.study import Columns, QuestionFile

Item = TypeVar("Item")

MOST_PROBLEMS_TOLD = 5

_READERS: Mapping[str, Callable[[bytes, str], list[Row]]] = {
    ".csv": read_csv,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
}
_SQUAD = (".json", ".json.gz")


def load_questions(file: QuestionFile, address: str) -> list[RawQuestion]:
    r"""The questions of one file.

    Args:
        file: what the study says of it: columns and limit.
        address: its path or ``s3://`` address, as ``study.path`` gives it.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "mine.csv")
    >>> _ = path.write_text('question,answer\nWhat runs tasks?,Ray\n')
    >>> file = QuestionFile(path="mine.csv", columns=Columns(reference="answer"))
    >>> [(found.id, found.question, found.reference) for found in load_questions(file, str(path))]
    [('mine-1', 'What runs tasks?', 'Ray')]

    Raises:
        StudyError: the file is missing, of another format, lacks a column, or a row is not usable; each
            problem is told with file, line or row, column, value seen and what is allowed.
        StorageError: the folder or bucket cannot be reached.
    """
    if "://" not in address:
        address = str(Path(address).expanduser().resolve())
    folder, _, name = address.rpartition("/")
    if not name.lower().endswith((*_READERS, *_SQUAD)):
        known = ", ".join([*_READERS, *_SQUAD])
        raise StudyError("is of no known format", address, f"give a file that ends in one of {known}")
    try:
        data = open_storage(folder or "/").get(name)
    except MissingObject:
        raise StudyError("there is no such file", address, "mend the path in golden.files") from None
    if name.lower().endswith(_SQUAD):
        questions = read_squad(data, name)
    else:
        suffix = "." + name.lower().rpartition(".")[2]
        questions = _from_rows(_READERS[suffix](data, name), file.columns, name)
    if not questions:
        raise StudyError("holds no questions", address, "add some, or leave the file out")
    stem = name.split(".")[0]
    numbered = [
        question if question.id else replace(question, id=f"{stem}-{number}")
        for number, question in enumerate(questions, start=1)
    ]
    _refuse_doubled_ids(numbered, name)
    return spread_evenly(numbered, file.limit)


def spread_evenly(items: Sequence[Item], limit: int | None) -> list[Item]:
    """At most ``limit`` items, at equal distances over all of them.

    >>> spread_evenly("abcdefgh", 3)
    ['a', 'c', 'f']
    """
    if limit is None or limit >= len(items):
        return list(items)
    return [items[place * len(items) // limit] for place in range(limit)]


def _from_rows(rows: Sequence[Row], columns: Columns, name: str) -> list[RawQuestion]:
    if not rows:
        return []
    there = list(dict.fromkeys(column for row in rows for column in row.values))
    missing = [
        DreamError(f"has no column '{column}'", name, f"set columns.{role} to one of: {', '.join(there)}")
        for role, column in columns.model_dump().items()
        if column is not None and column not in there
        # the other columns need only be there if the study names them
        if role in {"question", "reference"} or role in columns.model_fields_set
    ]
    if missing:
        raise StudyError.of(missing)
    questions: list[RawQuestion] = []
    problems: list[DreamError] = []
    for row in rows:
        try:
            questions.append(_from_row(row, columns, name))
        except DreamError as problem:
            problems.append(problem)
    if problems:
        told, more = problems[:MOST_PROBLEMS_TOLD], len(problems) - MOST_PROBLEMS_TOLD
        others = [DreamError(f"{more} more rows are not usable", name)] if more > 0 else []
        raise StudyError.of([*told, *others])
    return questions


def _from_row(row: Row, columns: Columns, name: str) -> RawQuestion:
    kind = _text(row, columns.kind) or "single-hop"
    answerable = kind.lower() != "unanswerable"
    question = _text(row, columns.question)
    if not question:
        raise DreamError("is empty", f"{row.where} column '{columns.question}'", "write the question")
    reference = _text(row, columns.reference)
    if answerable and not reference:
        todo = "write the answer, or make the question's kind 'unanswerable'"
        raise DreamError("is empty", f"{row.where} column '{columns.reference}'", todo)
    pieces = tuple(_pieces(row, columns.evidence)) if columns.evidence else ()
    return RawQuestion(question, reference, pieces, _text(row, columns.id), kind, name, answerable)


def _text(row: Row, column: str | None) -> str:
    value = row.values.get(column) if column else None
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DreamError(f"{_shown(value)} is no text", f"{row.where} column '{column}'", "write a text")
    return str(value).strip()


def _pieces(row: Row, column: str) -> Iterator[Piece]:
    value, where = row.values.get(column), f"{row.where} column '{column}'"
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        # evidence may well start with a bracket of its own: "[3] Smith says …"
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    for piece in value if isinstance(value, list) else [value]:
        if isinstance(piece, Mapping):
            text, document = piece.get("text"), piece.get("document")
            if set(piece) - {"text", "document"} or not isinstance(document, str | None):
                raise DreamError(f"{_shown(piece)} is no evidence", where, "write {document, text}")
        else:
            text, document = piece, None
        if text is None or (isinstance(text, str) and not text.strip() and document is None):
            continue
        if not isinstance(text, str) or not text.strip():
            todo = "write a text, a list of texts, or a list of {document, text}"
            raise DreamError(f"{_shown(piece)} is no evidence", where, todo)
        yield Piece(text.strip(), document or None)


def _shown(value: Any) -> str:
    said = json.dumps(value, ensure_ascii=False, default=str)
    return said if len(said) <= 60 else said[:57] + "…"


def _refuse_doubled_ids(questions: Sequence[RawQuestion], name: str) -> None:
    places: dict[str, int] = {}
    for number, question in enumerate(questions, start=1):
        if question.id in places:
            raise StudyError(
                f"the questions {places[question.id]} and {number} have the same id {question.id!r}",
                name,
                "make the ids unique, or set columns.id: null to have the questions numbered",
            )
        places[question.id] = number
