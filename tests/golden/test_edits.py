"""Questions edited by hand are kept, and are what every later build gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import dream
from dream.errors import DreamError
from dream.study import Study
from dream.study_file import load_study
from dream.verbs import open_ledger, recorded_golden
from tests.sweep.shell import OFFLINE, SEARCH, small_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return load_study(small_study(tmp_path / "s", models=OFFLINE, search=SEARCH, questions=4))


def test_edits_outlive_the_session_and_can_be_taken_back(study: Study, tmp_path: Path) -> None:
    storage = str(tmp_path / "ledger")
    made = dream.build_golden(study, storage)
    frame = made.frame()
    first, last = frame.id[0], frame.id.iloc[-1]
    frame = frame.drop(index=3)
    frame.loc[0, "reference"] = "Another answer."
    frame.loc[7] = {"id": "mine", "question": "What else?", "reference": "That."}
    after = dream.edit_golden(study, frame, storage)

    corpus = dream.gather_corpus(study, storage)
    again = recorded_golden(study, open_ledger(study, storage), corpus)
    assert again.questions == after.questions and again.digest == after.digest != made.digest
    by_id = {question.id: question for question in again.questions}
    assert last not in by_id and by_id["mine"].origin == "by hand"
    assert by_id[first].reference == "Another answer."
    assert by_id[first].evidence == made.questions[0].evidence != ()
    assert "1 removed, 1 reworded, 1 added" in again.notes[-1]

    assert dream.edit_golden(study, made.frame(), storage).digest == made.digest


def test_an_empty_text_is_refused_by_its_question(study: Study, tmp_path: Path) -> None:
    storage = str(tmp_path / "ledger")
    frame = dream.build_golden(study, storage).frame()
    frame.loc[1, "question"] = "  "
    with pytest.raises(DreamError, match=f"question {frame.id[1]}: a text is empty"):
        dream.edit_golden(study, frame, storage)
