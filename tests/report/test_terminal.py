"""The leaderboard as a terminal and as a log file show it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Literal

import pytest
from rich.console import Console

from dream.records import Problem
from dream.report.summary import has_failures, summary_of
from dream.report.terminal import print_leaderboard
from dream.verdict.result import SweepResult

from .sample import ARM_ERROR, METRICS, MISSING, sample_result


def printed(result: SweepResult, width: int = 100, terminal: bool = False) -> str:
    file = io.StringIO()
    color: Literal["standard"] | None = "standard" if terminal else None
    print_leaderboard(result, Console(file=file, width=width, force_terminal=terminal, color_system=color))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_no_table_line_is_wider_than_the_terminal_and_no_heading_is_cut(width: int) -> None:
    text = printed(sample_result(), width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "…" not in text
    for heading in ("coverage", "correctness", "cost", "p50", "p95"):
        assert heading in text


def test_wider_terminals_show_more_metrics_and_the_rest_is_named() -> None:
    narrow, wide = printed(sample_result(), 100), printed(sample_result(), 200)
    assert "also scored" in narrow and "mrr" in narrow.split("also scored")[1]
    assert "also scored" not in wide


def test_the_best_arm_comes_first_with_its_interval_and_failed_arms_say_why() -> None:
    result = sample_result()
    text = printed(result, 200)
    best = result.ranked()[0]
    summary = best.summary(result.objective)
    assert summary.mean is not None and summary.high is not None
    line = next(line for line in text.splitlines() if line.strip().startswith("1 "))
    assert best.arm.method in line and f"{summary.mean:.3f} ±{summary.high - summary.mean:.3f}" in line
    assert ARM_ERROR in " ".join(text.split())


def test_offline_arms_are_labelled() -> None:
    result = sample_result()
    assert len(re.findall(r"\boffline\b(?![-:])", printed(result, 200))) == 6
    real = replace(result, arms=tuple(arm for arm in result.arms if not arm.offline))
    assert "offline" not in printed(real, 200)


def test_corpus_problems_are_counted_in_one_line() -> None:
    assert "2 files with problems: 1 encoding, 1 image-only" in printed(sample_result())
    one = replace(sample_result(), problems=(Problem("a.pdf", "corrupt", "not a PDF"),))
    assert "1 file with problems: 1 corrupt" in printed(one)


def test_missing_answers_and_scores_are_counted_with_their_commonest_reason() -> None:
    result = sample_result()
    text = " ".join(printed(result).split())
    rows = [row for arm in result.arms for row in arm.rows]
    lost = [
        row.score(metric) for row in rows if row.answer for metric in METRICS if row.score(metric).missing
    ]
    due = len(METRICS) * (len(rows) - 1)
    assert f"partial: 1 of {len(rows)} answers is missing: the model timed out" in text
    assert f"partial: {len(lost)} of {due:,} scores of the answers are missing: {MISSING}" in text
    whole = replace(result, arms=tuple(replace(arm, rows=arm.rows[10:11]) for arm in result.arms[:1]))
    assert "partial" not in printed(whole)


def test_notes_on_the_golden_dataset_are_counted_and_failures_come_first() -> None:
    notes = [f"q{number}: removed, it asks the same as q9." for number in range(4)] + ["a.md: 0 of 3 made."]
    lineage = {"golden_notes": notes, "golden_failures": notes[-1:]}
    text = printed(replace(sample_result(), lineage=lineage), 200)
    assert (
        "golden dataset: 5 notes\n  a.md: 0 of 3 made.\n  q0: removed, it asks the same as q9.\n"
        "  q1: removed, it asks the same as q9.\n  and 2 more, in the report\n" in text
    )
    assert "golden dataset" not in printed(sample_result())


def test_questions_that_could_not_be_made_are_a_failure_and_removed_ones_are_not() -> None:
    whole = replace(sample_result(), arms=())
    harmless, failed = {"golden_notes": ["q1: removed."]}, {"golden_failures": ["a.md: 0 of 3 made."]}
    assert not has_failures(replace(whole, lineage=harmless))
    assert has_failures(replace(whole, lineage=failed))
    told = summary_of(replace(whole, lineage={**harmless, **failed}))
    assert told["golden_notes"] == ["a.md: 0 of 3 made.", "q1: removed."] and told["golden_failures"] == 1


def test_a_log_file_gets_no_escapes_and_no_lines_but_a_terminal_does() -> None:
    plain = printed(sample_result())
    assert "\x1b" not in plain and "─" not in plain
    assert "\x1b" in printed(sample_result(), terminal=True)


def test_words_of_models_do_not_steer_the_terminal() -> None:
    result = sample_result()
    hostile = replace(result.arms[8], error="[red]not markup[/red] \x1b[2J\x07 cleared\nsecond line")
    text = printed(replace(result, arms=(hostile,)))
    assert "[red]not markup[/red] [2J cleared second line" in text and "\x1b" not in text
