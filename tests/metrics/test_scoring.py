"""A score is a number, or the reason why there is none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from dream.errors import ModelError, NoScore, NotApplicable, StudyError
from dream.metrics import Judge, find_metric, metric, metric_names, score_answer
from dream.metrics.metric import BUILT_IN, NEEDS, _metrics
from dream.records import Answer, Chunk, Question, Score, Span

QUESTION = Question("q1", "What?", "That.", evidence=(Span("a", 0, 10),))
ANSWER = Answer("That.", (Chunk("1", "It is that.", Span("a", 0, 50)),), 900, 10, dollars=0.25, seconds=1.5)


@pytest.fixture(autouse=True)
def forgotten():
    """What a test registers is not known to the next one."""
    yield
    for name in set(_metrics) - set(BUILT_IN):
        del _metrics[name]


def score(name: str, question: Question = QUESTION, answer: Answer = ANSWER) -> Score:
    no_judge: Any = None  # the metrics here ask no model
    return asyncio.run(score_answer(find_metric(name), question, answer, 5, no_judge))


def test_every_name_is_registered_with_known_needs():
    assert metric_names() == list(BUILT_IN)
    for name in BUILT_IN:
        assert find_metric(name).name == name and set(find_metric(name).needs) <= set(NEEDS)
        assert find_metric(name).compute.__doc__


@pytest.mark.parametrize("name", ["recall_at_k", "precision_at_k", "mrr", "ndcg", "exact_match", "f1"])
def test_a_perfect_answer_scores_1(name):
    assert score(name) == Score(name, 1.0)


def test_a_score_of_several_judgings_is_their_mean_and_keeps_each():
    @metric
    def wavering(judge: Any) -> tuple[float | None, str]:
        return [0.25, 0.75, None][judge.judging], "so said"

    nothing: Any = None
    for judgings, expected in {
        1: Score("wavering", 0.25, "so said"),
        2: Score("wavering", 0.5, "1. so said\n2. so said", judgings=(0.25, 0.75)),
        3: Score("wavering", reason="so said"),
    }.items():
        judge = Judge(nothing, nothing, nothing, judgings)
        found = asyncio.run(score_answer(find_metric("wavering"), QUESTION, ANSWER, 5, judge))
        assert found == expected


def test_costs_are_told_per_question_and_cannot_be_an_objective():
    names = ["tokens_per_question", "dollars_per_question", "seconds_per_question"]
    assert [score(name).value for name in names] == [910.0, 0.25, 1.5]
    assert not any(find_metric(name).higher_is_better for name in names)
    assert all(find_metric(name).higher_is_better for name in BUILT_IN if name not in names)


@pytest.mark.parametrize(
    ("answerable", "reason"), [(True, "no evidence was located"), (False, "the documents hold no answer")]
)
def test_without_evidence_a_retrieval_metric_does_not_apply(answerable, reason):
    bare = replace(QUESTION, evidence=(), answerable=answerable)
    assert score("ndcg", bare) == Score("ndcg", reason=reason, applicable=False)
    assert not score("ndcg", bare).missing and score("f1", bare).value == 1.0


class Unforeseen(Exception):
    pass


@pytest.mark.parametrize(
    ("fault", "reason", "applicable"),
    [
        (NoScore("the judge said no"), "the judge said no", True),
        (ModelError("refused", "judge", "check the key"), "judge: refused; check the key", True),
        (NotApplicable("no number in it"), "no number in it", False),
        (Unforeseen("who knows"), "Unforeseen: who knows", True),
        (ZeroDivisionError(), "ZeroDivisionError: ", True),
    ],
)
@pytest.mark.parametrize("awaited", [False, True])
def test_a_metric_that_fails_keeps_its_reason(fault, reason, applicable, awaited):
    if awaited:

        @metric
        async def failing(answer):
            await asyncio.sleep(0)
            raise fault
    else:

        @metric
        def failing(answer):
            raise fault

    found = score("failing")
    assert found == Score("failing", reason=reason, applicable=applicable)
    assert found.missing is applicable


@pytest.mark.parametrize(
    ("gives", "value", "reason"),
    [
        (0.5, 0.5, ""),
        (True, 1.0, ""),
        ((0.25, "a quarter"), 0.25, "a quarter"),
        (float("nan"), None, "the metric gave no number"),
        ((float("nan"), "the judge was silent"), None, "the judge was silent"),
        (None, None, "the metric gave no number"),
        (float("inf"), None, "the metric gave no number"),
        ("high", None, "the metric gave 'high', which is no number"),
        ((1, 2, 3), None, "the metric gave (1, 2, 3), which is no number"),
    ],
)
def test_whatever_a_metric_gives_becomes_a_score(gives, value, reason):
    @metric
    def own(answer):
        return gives

    found = score("own")
    assert found == Score("own", value, reason)
    assert found.value is None or type(found.value) is float


def test_a_metric_of_ones_own_may_ask_for_everything():
    seen = {}

    @metric
    async def everything(question, reference, answer, contexts, retrieved, evidence, k, reply, judge):
        seen.update(locals())
        return 1

    assert score("everything").value == 1.0
    assert seen == {
        "question": "What?", "reference": "That.", "answer": "That.", "contexts": ["It is that."],
        "retrieved": ANSWER.contexts, "evidence": QUESTION.evidence, "k": 5, "reply": ANSWER, "judge": None,
        "seen": seen,
    }  # fmt: skip
    assert metric_names() == [*BUILT_IN, "everything"]


def test_a_cost_of_ones_own():
    @metric(higher_is_better=False)
    def words(answer):
        return len(answer.split())

    assert score("words").value == 1.0 and not find_metric("words").higher_is_better


def test_a_metric_that_asks_for_what_there_is_not_is_refused():
    with pytest.raises(StudyError, match=r"metric odd: it asks for 'anwser'; it may ask for question, ref"):

        @metric
        def odd(anwser):
            return 0.0

    assert "odd" not in metric_names()


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(StudyError, match="two metrics are named 'mrr'"):

        @metric
        def mrr(answer):
            return 0.0
