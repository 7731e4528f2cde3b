"""Page, terminal, notebook, JSON and MLflow tell the very same verdict."""

from __future__ import annotations

import html
import io
import json
from typing import Any

from rich.console import Console

from dream.report.html import render
from dream.report.summary import summary_of
from dream.report.verdict_table import print_verdict
from dream.tracking.content import content_of_arm, content_of_study
from dream.verdict.result import SweepResult

from .sample import sample_result
from .test_page import Elements


def as_plain(value: Any) -> Any:
    """As it comes back from a file."""
    return json.loads(json.dumps(value))


def on_the_page(result: SweepResult) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Elements(render(result)).scripts[0])
    return found


def test_the_verdict_is_the_same_everywhere() -> None:
    result = sample_result()
    verdict = result.verdict()
    expected = as_plain(verdict.to_json())
    assert len(expected["arms"]) == 12 and expected["recommended"]

    assert on_the_page(result)["verdict"] == expected
    assert as_plain(summary_of(result))["verdict"] == expected
    tracked = content_of_study(result, {})
    assert json.loads(tracked.texts["verdict.json"]) == expected
    assert tracked.tags["dream.verdict"] == verdict.text
    assert tracked.tags["mlflow.note.content"].startswith(verdict.text)
    assert tracked.tags["dream.take"] == verdict.taken.name  # type: ignore[union-attr]
    assert json.loads(tracked.tags["dream.tied"]) == [arm.name for arm in verdict.tied]
    assert html.escape(verdict.text) in verdict._repr_html_()
    assert html.escape(verdict.text, quote=False) in render(result)


def test_the_terminal_tells_the_verdict_in_the_same_words() -> None:
    verdict = sample_result().verdict()
    console = Console(width=120, file=io.StringIO())
    print_verdict(verdict, console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert " ".join(verdict.text.split()) in " ".join(said.split())
    assert all(arm.name in " ".join(said.split()) for arm in verdict.tied)


def test_every_arm_stands_in_mlflow_where_the_verdict_puts_it() -> None:
    result = sample_result()
    verdict = result.verdict()
    marks = {arm.arm: verdict.mark(arm) for arm in verdict.arms}
    assert list(marks.values()).count("take") == 1 and "failed" in marks.values()
    for arm in result.arms:
        content = content_of_arm(result, arm, verdict)
        assert content.tags["dream.standing"] == marks[arm.arm.id]


def test_what_matters_and_the_losses_are_the_same_everywhere() -> None:
    result = sample_result()
    said, tracked, page = as_plain(summary_of(result)), content_of_study(result, {}), on_the_page(result)
    matters, losses = result.matters(), result.losses()
    assert matters is not None
    assert said["matters"] == page["matters"] == json.loads(tracked.texts["matters.json"])
    assert said["matters"] == as_plain(matters.to_json())
    assert said["losses"] == json.loads(tracked.texts["losses.json"])
    assert said["losses"] == as_plain([each.to_json() for each in losses])
    outcomes = [name for name, _ in page["outcomes"]]
    for each in losses:
        of_page = page["losses"][each.arm]
        for question, found in zip(result.questions, of_page, strict=True):
            loss = next((one for one in each.losses if one.question == question.id), None)
            assert (found is None) == (loss is None)
            assert loss is None or (outcomes[found[0]], found[1]) == (loss.outcome, loss.rank)
    assert matters.sentences()[0] in html.unescape(render(result))


def test_a_notebook_shows_verdict_what_matters_and_losses_with_plots_and_nothing_unsafe() -> None:
    result = sample_result()
    matters, losses, verdict = result.matters(), result.losses(), result.verdict()
    assert matters is not None
    for shown in (verdict, matters, losses):
        page = shown._repr_html_()
        tags = {tag for tag, _ in Elements(page).found}
        assert tags <= {"p", "table", "thead", "tbody", "tr", "th", "td", "span", "b", "ul", "li"}
        assert "position:relative" in page
    for arm in verdict.arms:
        assert html.escape(arm.name) in verdict._repr_html_()
    assert html.escape(matters.sentences()[0]) in matters._repr_html_()
    frame = losses.frame()
    assert len(frame) == 11 and (frame.drop(columns="arm").sum(axis=1).round(6) == 100).all()
