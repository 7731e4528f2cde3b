"""What a person said of answers: a small object each in storage, so that labelling can stop and go on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dream.errors import StudyError
from dream.golden.rows import read_csv
from dream.records import Question, digest_of
from dream.storage import Storage

YES = frozenset({"y", "yes", "1", "true", "right"})
NO = frozenset({"n", "no", "0", "false", "wrong"})

COLUMNS = ("id", "label", "question", "reference", "answer", "contexts")


@dataclass(frozen=True)
class LabelRow:
    """An answer that a person is asked about; which arm gave it, and what the judge says, is not shown.

    Attributes:
        id: digest of question, reference and answer: a label holds for just these words.
        question: what was asked.
        answer: what was answered.
        contexts: what the answer was made from.
    """

    id: str
    question: Question
    answer: str
    contexts: tuple[str, ...] = ()


def row_id(question: Question, answer: str) -> str:
    """The name of a label: the same wherever the same answer is given to the same question.

    >>> asked = Question("q1", "What runs?", "Ray")
    >>> row_id(asked, "It is Ray.") == row_id(asked, "It  is Ray. ")
    True
    """
    return digest_of([question.question, question.reference, " ".join(answer.split())])[:20]


def _key(study: str, id: str) -> str:
    return f"labels/{study}/{id}.json"


def store_label(storage: Storage, study: str, id: str, right: bool) -> None:
    """Keep what a person said, at once, so that nothing is lost when the labelling breaks off."""
    said = {"right": right, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    storage.put(_key(study, id), json.dumps(said).encode())


def forget_label(storage: Storage, study: str, id: str) -> None:
    """Take a label back."""
    storage.delete(_key(study, id))


def stored_labels(storage: Storage, study: str) -> dict[str, bool]:
    """All labels of a study, by the rows' ids."""
    prefix = f"labels/{study}/"
    keys = [found.key for found in storage.list(prefix) if found.key.endswith(".json")]
    return {
        key.removeprefix(prefix).removesuffix(".json"): bool(json.loads(storage.get(key))["right"])
        for key in keys
    }


def write_rows(rows: Sequence[LabelRow], labels: Mapping[str, bool]) -> bytes:
    """The rows as a CSV in which to write labels elsewhere; ``read_labels`` takes it back."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        said = {True: "yes", False: "no", None: ""}[labels.get(row.id)]
        cells = (row.question.question, row.question.reference, row.answer, "\n\n".join(row.contexts))
        # an apostrophe keeps a spreadsheet from taking a text for a formula
        shown = (f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text for text in cells)
        writer.writerow([row.id, said, *shown])
    return buffer.getvalue().encode("utf-8-sig")


def read_labels(data: bytes, name: str, rows: Iterable[LabelRow]) -> dict[str, bool]:
    r"""The labels of a CSV with the columns id and label; rows without a label are passed over.

    >>> row = LabelRow("a1", Question("q", "?", "!"), "Ray")
    >>> read_labels(b"id,label\na1,yes\n", "labels.csv", [row])
    {'a1': True}

    Raises:
        StudyError: a column is missing, a label is neither yes nor no, or a row is none of this study's.
    """
    known = {row.id for row in rows}
    found: dict[str, bool] = {}
    for row in read_csv(data, name):
        id, said = row.values.get("id"), row.values.get("label")
        if id is None or said is None:
            raise StudyError("has no columns 'id' and 'label'", name, "start from rows.csv in labels/STUDY")
        said = said.strip().lower()
        if not said:
            continue
        if said not in YES | NO:
            raise StudyError(f"{said!r} is no label", row.where, "write yes or no")
        if id not in known:
            todo = "label the rows that this command asks for: the answers may have changed"
            raise StudyError(f"no row has the id {id!r}", row.where, todo)
        found[id] = said in YES
    return found
