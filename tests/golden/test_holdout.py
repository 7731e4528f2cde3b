"""Which questions are kept from choosing."""

from __future__ import annotations

from collections import Counter

import pytest

from dream.golden.holdout import split_questions
from dream.records import Question


def questions(count: int, prefix: str = "q", kinds: int = 3) -> list[Question]:
    return [
        Question(f"{prefix}{n}", f"Question {n}?", "Yes.", kind=f"kind {n % kinds}") for n in range(count)
    ]


def kept(all_questions: list[Question], share: float = 0.3, seed: int = 0) -> set[str]:
    return {question.id for question in split_questions(all_questions, share, seed).holdout}


def test_every_question_is_on_one_side_and_in_its_order() -> None:
    asked = questions(50)
    split = split_questions(asked, 0.3, 1)
    assert sorted([*split.choosing, *split.holdout], key=asked.index) == asked
    assert list(split.choosing) == sorted(split.choosing, key=asked.index)
    assert split_questions(asked, 0.3, 1) == split
    assert split_questions(asked, 0.3, 2) != split


@pytest.mark.parametrize("share", [0.2, 0.3, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_each_kind_gives_about_its_share(share: float, seed: int) -> None:
    asked = questions(90)
    split = split_questions(asked, share, seed)
    for number in Counter(question.kind for question in split.holdout).values():
        assert 2 / 3 * 30 * share <= number <= 4 / 3 * 30 * share
    assert len({question.kind for question in split.holdout}) == 3


def test_no_share_keeps_none() -> None:
    assert kept(questions(40), 0.0) == set()


def test_a_question_stays_on_its_side_when_others_come_and_go() -> None:
    asked = questions(300)
    before = kept(asked)
    assert kept([*questions(200, "new"), *asked]) & {question.id for question in asked} == before
    assert kept(asked[40:]) == before & {question.id for question in asked[40:]}


def test_with_few_questions_hardly_any_changes_sides() -> None:
    moved = 0
    for seed in range(50):
        asked = questions(60)
        moved += len(
            kept([*asked, *questions(30, "new")], seed=seed)
            - kept(asked, seed=seed)
            - {question.id for question in questions(30, "new")}
        )
    assert moved / 50 < 1.5
