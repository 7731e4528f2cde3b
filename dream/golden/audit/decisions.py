"""The audit as a CSV that a person edits: ``keep`` or ``drop`` for each question.

``golden: {exclude: FILE}`` in the study names the edited file; the questions that it drops are left out of
the golden dataset from then on. Nothing is dropped that a person has not marked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from dream.errors import MissingObject, StudyError
from dream.golden.audit.finding import Finding
from dream.golden.rows import read_csv
from dream.records import Question
from dream.storage import open_storage
from dream.study import Study

COLUMNS = ("decision", "id", "findings", "question", "reference", "what", "suggestion")
KEEP, DROP = "keep", "drop"


@dataclass(frozen=True)
class Decision:
    """A row of the CSV.

    Attributes:
        id: of the question.
        question: its text, by which a row is known to speak of the question still.
        drop: whether it is left out.
    """

    id: str
    question: str
    drop: bool


def decisions_key(study: str) -> str:
    """Where in storage the CSV of a study's audit lies."""
    return f"golden/{study}/audit.csv"


def write_decisions(
    questions: Sequence[Question], findings: Sequence[Finding], decided: Sequence[Decision] = ()
) -> bytes:
    r"""The CSV: the flagged questions first, with what was found; what was decided before stays.

    >>> asked = Question("q1", "What runs?", "Ray")
    >>> text = write_decisions([asked], [], [Decision("q1", "What runs?", True)]).decode("utf-8-sig")
    >>> print(text.splitlines()[1])
    drop,q1,,What runs?,Ray,,
    """
    before = {row.id: row for row in decided}
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    flagged = {finding.question for finding in findings}
    for question in sorted(questions, key=lambda one: one.id not in flagged):
        mine = [finding for finding in findings if finding.question == question.id]
        row = before.pop(question.id, None)
        dropped = row is not None and row.drop and row.question == question.question
        cells = (
            DROP if dropped else KEEP,
            question.id,
            "; ".join(dict.fromkeys(finding.check for finding in mine)),
            question.question,
            question.reference,
            " ".join(finding.what for finding in mine),
            " ".join(dict.fromkeys(finding.suggestion for finding in mine)),
        )
        writer.writerow(map(_safe, cells))
    for row in before.values():  # what was dropped is no longer in the dataset, and must stay dropped
        if row.drop:
            writer.writerow(map(_safe, (DROP, row.id, "", row.question, "", "", "")))
    return buffer.getvalue().encode("utf-8-sig")  # the mark lets spreadsheets read it as UTF-8


def read_decisions(data: bytes, name: str) -> list[Decision]:
    """The rows of an edited CSV.

    Raises:
        StudyError: it is no such file, or a decision is neither keep nor drop.
    """
    made = []
    for row in read_csv(data, name):
        id, said = row.values.get("id"), row.values.get("decision")
        if id is None or said is None:
            raise StudyError("has no columns 'decision' and 'id'", name, "give what dream golden audit wrote")
        said = said.strip().lower()
        if said not in {KEEP, DROP, ""}:
            raise StudyError(f"{said!r} is no decision", row.where, f"write {KEEP} or {DROP}")
        made.append(Decision(_plain(id), _plain(row.values.get("question") or ""), said == DROP))
    return made


def decisions_of(study: Study) -> list[Decision]:
    """The rows of the file that ``golden.exclude`` names; none where it names none.

    Raises:
        StudyError: the file is missing, or not usable.
    """
    if study.golden.exclude is None:
        return []
    address = study.path(study.golden.exclude)
    folder, _, name = address.rpartition("/")
    try:
        return read_decisions(open_storage(folder or "/").get(name), study.golden.exclude)
    except MissingObject:
        where = study.where("golden", "exclude")
        raise StudyError("there is no such file", where, "write it with: dream golden audit STUDY") from None


def leave_out(
    questions: Sequence[Question], decided: Sequence[Decision], name: str
) -> tuple[tuple[Question, ...], list[str]]:
    """The questions without the dropped ones, and what is to be said of that.

    A row whose question has another text by now drops nothing: it spoke of another question.
    """
    dropped = {row.id: row.question for row in decided if row.drop}
    kept, gone, changed = [], 0, []
    for question in questions:
        if question.id not in dropped:
            kept.append(question)
        elif dropped[question.id] and dropped[question.id] != question.question:
            kept.append(question)
            changed.append(question.id)
        else:
            gone += 1
    notes = [f"{gone} of {len(questions)} questions are left out, as {name} says."] if gone else []
    notes += [f"{id}: not left out, its text is another than in {name}." for id in changed]
    return tuple(kept), notes


def _safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula (CWE-1236)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _plain(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:2] in {"=", "+", "-", "@", "\t", "\r"} else text
