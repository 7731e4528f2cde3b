"""Labels of a person: which rows are asked about, what they say of the judge, and what they correct."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa as statsmodels_kappa
from statsmodels.stats.weightstats import DescrStatsW

from benchmarks.judge_audit import simulate
from dream.errors import StudyError
from dream.records import Answer, Question, Score
from dream.storage import open_storage
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.agreement import agreement, cohens_kappa
from dream.verdict.judge_audit import audit_judge
from dream.verdict.label_plan import labelled_places, plan_labels
from dream.verdict.label_sample import chances_for, draw
from dream.verdict.labels import (
    LabelRow,
    forget_label,
    read_labels,
    row_id,
    store_label,
    stored_labels,
    write_rows,
)
from dream.verdict.prediction_powered import correct_mean
from dream.verdict.result import SweepResult

DICE = np.random.default_rng(7)


@pytest.mark.parametrize("size", [12, 40, 300])
def test_kappa_and_its_error_are_those_of_statsmodels_and_sklearn(size: int) -> None:
    judge = DICE.random(size) < 0.6
    person = np.where(DICE.random(size) < 0.75, judge, ~judge)
    table = np.array([[np.sum((judge == a) & (person == b)) for b in (True, False)] for a in (True, False)])
    theirs = statsmodels_kappa(table)
    found = cohens_kappa(judge.tolist(), person.tolist())
    assert found is not None
    assert found[0] == pytest.approx(theirs.kappa) == pytest.approx(cohen_kappa_score(judge, person))
    assert found[1] == pytest.approx(theirs.std_kappa)


def test_weights_make_kappa_that_of_the_population() -> None:
    judge, person = [True, True, False, False], [True, False, False, True]
    doubled = agreement(judge, person, [3, 1, 3, 1], ["a", "b", "c", "d"])
    repeated = cohen_kappa_score([1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 1])
    assert doubled.kappa == pytest.approx(repeated)
    assert doubled.both == (1, 1, 1, 1)
    same = agreement([True] * 5, [True] * 5, [1.0] * 5, list("abcde"))
    assert (same.kappa, same.share) == (None, 1.0)


def test_with_equal_chances_and_no_trust_the_mean_is_students() -> None:
    labels = np.full(10_000, np.nan)
    labels[:40] = DICE.random(40) < 0.7
    found = correct_mean(np.zeros(10_000), labels, np.full(10_000, 40 / 10_000))
    said = DescrStatsW(labels[:40])
    low, high = said.tconfint_mean()
    assert found is not None and found.low is not None and found.high is not None
    assert found.mean == pytest.approx(said.mean)
    # HC3 is a little wider than the plain variance, by 40 / 39 in its square
    assert found.high - found.low == pytest.approx((high - low) * (40 / 39) ** 0.5, rel=0.01)


def test_a_judge_that_is_right_narrows_the_interval_and_one_that_is_noise_is_not_trusted() -> None:
    truth = (DICE.random(2000) < 0.6).astype(float)
    seen = np.full(2000, False)
    seen[:50] = True
    labels, chances = np.where(seen, truth, np.nan), np.full(2000, 50 / 2000)
    good = correct_mean(truth * 0.5 + DICE.normal(0, 0.1, 2000), labels, chances)
    noise = correct_mean(DICE.normal(0, 1, 2000), labels, chances)
    alone = correct_mean(np.zeros(2000), labels, chances)
    assert good and noise and alone and good.low and good.high and alone.low and alone.high
    assert good.high - good.low < 0.5 * (alone.high - alone.low)
    assert good.low < truth.mean() < good.high
    assert noise.trust < 0.15


def test_labels_count_by_their_chances_whatever_the_judge_says() -> None:
    """Of answers that were drawn four times as often, most are wrong: a plain mean would be far too low."""
    often = np.arange(200) < 80
    truth = np.where(often, np.arange(200) % 10 < 2, np.arange(200) % 10 < 8).astype(float)
    chances = np.where(often, 0.4, 0.1)
    means = []
    for repeat in range(400):
        drawn = draw([f"{repeat}:{number}" for number in range(200)], chances, seed=3)
        labels = np.full(200, np.nan)
        labels[drawn] = truth[drawn]
        found = correct_mean(np.zeros(200), labels, chances)
        assert found is not None
        means.append(found.mean)
    assert np.mean(means) == pytest.approx(truth.mean(), abs=0.015)


def test_known_values_need_no_label_and_too_few_labels_give_no_interval() -> None:
    known = np.array([0.0] * 6 + [np.nan] * 4)
    labels = np.array([np.nan] * 7 + [1.0, 1.0, np.nan])
    found = correct_mean(np.zeros(10), labels, np.full(10, 0.2), known)
    assert found is not None
    assert (found.mean, found.low, found.labelled, found.known) == (pytest.approx(0.4), None, 2, 6)
    assert correct_mean(np.zeros(3), np.full(3, np.nan), np.ones(3)) is None


@pytest.mark.parametrize(("questions", "rows", "judge"), [(80, 30, "biased"), (200, 100, "overconfident")])
def test_corrected_intervals_hold_the_truth_as_often_as_they_say(
    questions: int, rows: int, judge: str
) -> None:
    """The full table is ``python -m benchmarks.judge_audit``; here 600 repeats, six intervals each."""
    found = simulate(questions, rows, judge, repeats=600)
    assert 0.93 <= found["coverage_means"] <= 0.98
    assert 0.93 <= found["coverage_differences"] <= 0.98
    assert found["largest_bias"] < 0.03
    assert abs(found["labelled"] - rows) < 2


def test_questions_are_drawn_with_the_chances_that_are_told() -> None:
    chances = chances_for(np.linspace(0, 1, 30), np.ones(30), 10)
    counts = np.zeros(30)
    for repeat in range(4000):
        drawn = draw([f"{repeat}:{number}" for number in range(30)], chances, seed=1)
        counts[drawn] += 1
        assert len(drawn) == 10
    assert np.abs(counts / 4000 - chances).max() < 0.03


def result_of(questions: int = 60) -> SweepResult:
    """Two arms, of which the judge prefers the worse one: it likes long answers."""
    asked = tuple(Question(f"q{number}", f"What is {number}?", "Right.") for number in range(questions))
    arms = []
    for name, share, bonus in (("short", 0.85, 0.0), ("long", 0.4, 0.35)):
        rows = []
        for question in asked:
            right = DICE.random() < share
            score = float(np.clip(0.25 + 0.4 * right + bonus + DICE.normal(0, 0.1), 0, 1))
            text = f"{'Right' if right else 'Wrong'}, says {name} to {question.id}."
            rows.append(Row(question.id, Answer(text), (Score("f1", score),)))
        arms.append(ArmResult(Arm(name, "llm", "hashing"), tuple(rows)))
    return SweepResult("judged", "f1", ("f1",), asked, tuple(arms))


def test_labels_turn_a_ranking_that_the_judge_got_wrong() -> None:
    result = result_of()
    assert result.ranked()[0].arm.method == "long", "the judge is fooled"
    plan = plan_labels(result, 40)
    assert abs(len(plan.rows) - 40) <= 4
    labels = {row.id: row.answer.startswith("Right") for row in plan.rows}
    audit = audit_judge(result, plan, labels)
    long, short = audit.arms
    assert (long.name, short.name) == ("long · llm · hashing", "short · llm · hashing")
    assert short.behind and short.behind.low and short.behind.low > 0
    assert "By the labels short · llm · hashing is better: do not follow the judge here." in audit.text
    assert audit.agreement and audit.agreement.kappa is not None and audit.agreement.kappa < 0.6
    assert audit.to_json()["arms"][1]["behind"]["low"] == short.behind.low


def test_what_is_labelled_so_far_counts_as_a_smaller_sample_and_half_a_question_does_not_count() -> None:
    result = result_of()
    plan = plan_labels(result, 40)
    labels = {row.id: True for row in plan.rows[:11]}
    assert len(labelled_places(plan, labels)) == 5
    audit = audit_judge(result, plan, labels)
    assert (audit.labelled, audit.questions) == (11, 5)
    more = plan_labels(result, 80)
    assert {row.id for row in plan.rows} <= {row.id for row in more.rows} or len(
        {row.id for row in plan.rows} - {row.id for row in more.rows}
    ) <= 4
    nothing = audit_judge(result, plan, {})
    assert nothing.agreement is None
    assert "too little to say anything" in nothing.text


def test_equal_answers_share_a_label_and_a_missing_answer_is_wrong() -> None:
    asked = tuple(Question(f"q{number}", f"What is {number}?", "Yes.") for number in range(12))
    same = tuple(Row(one.id, Answer("Yes."), (Score("f1", 0.9),)) for one in asked)
    gone = tuple(
        Row(one.id, None, (Score("f1", reason="no answer"),), "timed out") if place < 4 else same[place]
        for place, one in enumerate(asked)
    )
    arms = (ArmResult(Arm("a", "l", "e"), same), ArmResult(Arm("b", "l", "e"), gone))
    result = SweepResult("s", "f1", ("f1",), asked, arms)
    plan = plan_labels(result, 100)
    assert len(plan.rows) == 12
    audit = audit_judge(result, plan, {row.id: True for row in plan.rows})
    means = {arm.name[0]: arm.corrected.mean for arm in audit.arms if arm.corrected}
    assert means == {"a": 1.0, "b": pytest.approx(8 / 12)}


def test_labels_are_kept_taken_back_and_read_from_a_csv(tmp_path) -> None:  # type: ignore[no-untyped-def]
    storage = open_storage(tmp_path)
    asked = Question("q", "=What?", "That.")
    row = LabelRow(row_id(asked, "That."), asked, "That.", ("one", "two"))
    store_label(storage, "s", row.id, True)
    assert stored_labels(storage, "s") == {row.id: True}
    sheet = write_rows([row], stored_labels(storage, "s"))
    assert b"'=What?" in sheet
    assert read_labels(sheet, "rows.csv", [row]) == {row.id: True}
    forget_label(storage, "s", row.id)
    assert stored_labels(storage, "s") == {}
    with pytest.raises(StudyError, match=r"rows.csv:2: 'maybe' is no label; write yes or no"):
        read_labels(sheet.replace(b",yes,", b",maybe,"), "rows.csv", [row])
    with pytest.raises(StudyError, match="no row has the id"):
        read_labels(sheet, "rows.csv", [])
