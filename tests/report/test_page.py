"""The page's text and data, without a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dream.errors import DreamError
from dream.records import Answer, Chunk, Question, Score
from dream.report.data import page_data
from dream.report.findings import Findings
from dream.report.html import render, write_report
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.result import SweepResult

from .sample import ARM_ERROR, EVIL, MISSING, sample_result


class Elements(HTMLParser):
    """Every element with its attributes, as a browser would find them, and the texts of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self.found.append(("/script", {}))


@pytest.fixture(scope="module")
def page() -> str:
    return render(sample_result())


def data_of(result: SweepResult) -> dict[str, Any]:
    return page_data(result, Findings.of(result))


def one_answer(**fields: object) -> SweepResult:
    """A result of one arm, one question and one answer."""
    made: dict[str, object] = {"answer": Answer("yes"), "scores": (Score("mrr", 1.0),), **fields}
    row = Row("q1", made["answer"], made["scores"])  # type: ignore[arg-type]
    return SweepResult(
        "s", "mrr", ("mrr",), (Question("q1", "Why?", "So."),), (ArmResult(Arm("a", "b", "c"), (row,)),)
    )


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    loading = [
        (tag, name, value)
        for tag, attributes in Elements(page).found
        for name, value in attributes.items()
        if name in ("src", "srcset", "href", "action", "data", "poster", "formaction")
    ]
    assert loading, "the page has links to its sections"
    assert all(
        (tag == "a" and str(value).startswith("#")) or value == "data:," for tag, _, value in loading
    ), loading
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style and "@import" not in style and "@font-face" not in style
    assert "default-src 'none'" in page


def test_hostile_texts_make_no_elements(page: str) -> None:
    elements = Elements(page)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 2 and "img" not in tags
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    texts = json.loads(elements.scripts[0])["texts"]
    assert EVIL in texts, "the text itself is kept, letter for letter"


def test_the_policy_admits_the_script_of_the_page_and_no_other(page: str) -> None:
    import base64
    import hashlib

    script = Elements(page).scripts[1]
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert re.search(r"script-src ([^;]*);", page)[1] == f"'sha256-{allowed}'"  # type: ignore[index]


def test_scripts_never_parse_markup() -> None:
    script = Elements(render(sample_result(8))).scripts[1]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert way not in script


def test_each_text_stands_once() -> None:
    data = data_of(sample_result())
    assert len(set(data["texts"])) == len(data["texts"])
    used = sum(len(row[2]) for arm in data["arms"] for row in arm["rows"] if row)
    assert used > 1000 and len(data["chunks"]) < 60


def test_a_whole_study_gives_a_page_of_a_few_megabytes() -> None:
    result = sample_result(75)
    # as long as real chunks of 512 tokens are
    arms = []
    for arm in result.arms:
        rows = []
        for row in arm.rows:
            contexts = row.answer.contexts if row.answer else ()
            longer = tuple(
                replace(chunk, text=f"{chunk.text} {row.question[1:]}" * 10) for chunk in contexts[:5]
            )
            rows.append(replace(row, answer=replace(row.answer, contexts=longer) if row.answer else None))
        arms.append(replace(arm, rows=tuple(rows)))
    size = len(render(replace(result, arms=tuple(arms))).encode())
    assert size < 5_000_000


def test_missing_and_not_applicable_scores_are_not_numbers() -> None:
    result = sample_result()
    data = data_of(result)
    by_id = {arm["id"]: arm for arm in data["arms"]}
    arm = by_id[result.arms[0].arm.id]
    value, reason, applicable = arm["rows"][0][3][0]
    assert (value, data["texts"][reason], applicable) == (None, MISSING, True)
    unanswerable = arm["rows"][5][3][result.metrics.index("mrr")]
    assert unanswerable[0] is None and unanswerable[2] is False


def test_a_score_that_is_not_a_number_is_missing_with_its_reason() -> None:
    data = data_of(one_answer(scores=(Score("mrr", float("nan")),)))
    value, reason, _ = data["arms"][0]["rows"][0][3][0]
    assert value is None and data["texts"][reason] == "the metric gave nan"
    assert "NaN" not in Elements(render(one_answer(scores=(Score("mrr", float("nan")),)))).scripts[0]


def test_failed_arms_stand_last_with_their_reason(page: str) -> None:
    last = page[page.index("<tbody>") : page.index("</tbody>")].rsplit("<tr", 1)[1]
    assert 'class="failed"' in last and ARM_ERROR.replace("'", "&#39;") in last


def test_offline_is_said_only_where_it_is_so(page: str) -> None:
    assert "In 6 of 12 arms," in page
    assert page.count('<span class="badge">offline</span>') == 6
    real = replace(sample_result(), arms=tuple(replace(arm, offline=False) for arm in sample_result().arms))
    assert 'class="badge"' not in render(real)


def test_what_is_missing_stands_in_the_header_and_golden_notes_beside_the_problems(page: str) -> None:
    header = page[page.index("<header") : page.index("</header>")]
    assert "answers is missing: the model timed out" in header
    assert "Notes on the golden dataset" not in page
    lineage = {"golden_notes": ["q1: removed " + EVIL], "golden_failures": []}
    told = render(replace(sample_result(), lineage=lineage))
    problems = told[told.index('id="problems"') : told.index('id="lineage"')]
    assert "<li>q1: removed &lt;/script&gt;" in problems
    assert "golden_notes" not in told


def test_half_a_surrogate_pair_does_not_move_spans(tmp_path: Path) -> None:
    broken = one_answer(answer=Answer("yes", (Chunk("c", "a\ud83d b"),)))
    path = write_report(broken, tmp_path / "report.html")
    assert json.loads(Elements(path.read_text("utf-8")).scripts[0])["texts"].count("a? b") == 1


def test_the_page_is_written_whole_into_a_new_folder(tmp_path: Path) -> None:
    path = write_report(sample_result(8), tmp_path / "new" / "report.html")
    assert path.read_text("utf-8") == render(sample_result(8))
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DreamError, match=r"file.*cannot be written"):
        write_report(sample_result(8), tmp_path / "file" / "report.html")


def test_an_empty_result_gives_a_page() -> None:
    assert "no arm has a score of mrr." in render(SweepResult("s", "mrr", ("mrr",), (), ()))
