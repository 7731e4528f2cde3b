"""The printed link, opened in a real browser."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dream.tracking.experiment import Tracked, log_result
from tests.servers.fixtures import missing
from tests.servers.process import answers, free_port, own_folder, running
from tests.tracking.results import result, with_failed_arm

pytestmark = pytest.mark.servers

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture
def browser_page() -> Iterator[Any]:
    program = shutil.which("chromium")
    if program is None:
        missing("no browser: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


def test_the_link_shows_the_arms_of_a_server(mlflow_server: Any, browser_page: Any, tmp_path: Path) -> None:
    tracked = log_result(result("seen on a server"), mlflow_server.url, {}, tmp_path)
    shows_parallel_coordinates(browser_page, tracked.compare_link, tmp_path / "server.png")


def test_a_study_that_runs_again_shows_each_arm_once_and_its_new_scores(
    mlflow_server: Any, browser_page: Any, tmp_path: Path
) -> None:
    """Every arm's scores change, which shuffles the metrics in Postgres."""
    after = result("seen again")
    before = replace(after, arms=tuple(replace(arm, rows=arm.rows[:3]) for arm in after.arms))
    first = log_result(before, mlflow_server.url, {}, tmp_path)
    again = log_result(after, mlflow_server.url, {}, tmp_path)
    assert sorted(again.compare_link) == sorted(first.compare_link)  # one that somebody has kept stays right
    shows_parallel_coordinates(browser_page, again.compare_link, tmp_path / "again.png")
    means = [arm.summary("answer_correctness").mean for arm in after.arms]
    assert sorted(values_of(browser_page, "answer_correctness")) == pytest.approx(sorted(means))


def test_a_partial_study_shows_the_arms_that_have_scores(
    mlflow_server: Any, browser_page: Any, tmp_path: Path
) -> None:
    """Two arms failed, and the dollar cap ended a third after half of its questions."""
    partial = with_failed_arm(result("seen in part"), 0, "small: the key is not valid")
    partial = with_failed_arm(partial, 5, "the cap of $5.00 is reached")
    capped = replace(partial.arms[7], rows=partial.arms[7].rows[:2])
    partial = replace(partial, arms=(*partial.arms[:7], capped, *partial.arms[8:]))
    tracked = log_result(partial, mlflow_server.url, {}, tmp_path)
    shows_parallel_coordinates(browser_page, tracked.compare_link, tmp_path / "partial.png", arms=10)
    assert capped.summary("answer_correctness").mean in values_of(browser_page, "answer_correctness")


def test_the_command_serves_the_sqlite_file_and_the_link_shows_its_arms(
    browser_page: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder"
    tracked = log_result(result("seen on this machine"), None, {}, folder)
    port = free_port()  # 5000 may be taken on the machine that runs the tests
    with serving(tracked, port) as url:
        link = tracked.compare_link.replace(tracked.uri, url)
        shows_parallel_coordinates(browser_page, link, tmp_path / "sqlite.png")
        run = link_to_first_arm(tracked, folder, url)
        browser_page.goto(f"{run}/artifacts/questions.json")
        browser_page.get_by_text("What is 0 and 0?").first.wait_for(timeout=30_000)
        browser_page.screenshot(path=tmp_path / "questions.png")


def shows_parallel_coordinates(page: Any, link: str, screenshot: Path, arms: int = 12) -> None:
    """Open the link; the plot must be there, with its axes and lines, without a further click."""
    page.goto(link)
    page.locator(".parcoords, .js-plotly-plot .parcoords").first.wait_for(timeout=60_000)
    page.wait_for_timeout(500)  # lines are drawn on a canvas after the axes
    page.screenshot(path=screenshot)
    titles = page.locator(".parcoords .axis-title").all_text_contents()
    assert titles == ["embedding", "llm", "method", "answer_correctness"]  # what differs, and the objective
    assert page.get_by_text(f"Comparing {arms} Runs from 1 Experiment").is_visible()
    assert len(values_of(page, "answer_correctness")) == arms
    brush_the_last_axis(page, screenshot.with_stem(f"{screenshot.stem}-brushed"))


def values_of(page: Any, axis: str) -> list[float]:
    """Where the lines cross one axis, one value a line."""
    found: list[float] = page.evaluate(
        "axis => [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data[0].dimensions)"
        ".filter(dimension => dimension.label === axis).flatMap(dimension => Array.from(dimension.values))",
        axis,
    )
    return found


def brush_the_last_axis(page: Any, screenshot: Path) -> None:
    """Drag along the objective's axis, as one does to keep the best arms; the plot must keep the range."""
    axis = page.locator(".parcoords .axis-brush").last.bounding_box()
    middle = axis["x"] + axis["width"] / 2
    page.mouse.move(middle, axis["y"] + axis["height"] * 0.1)
    page.mouse.down()
    page.mouse.move(middle, axis["y"] + axis["height"] * 0.5, steps=8)
    page.mouse.up()
    page.wait_for_timeout(800)
    page.screenshot(path=screenshot)
    kept = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data[0].dimensions)"
        ".map(dimension => dimension.constraintrange).filter(range => range)"
    )
    assert len(kept) == 1, "no axis keeps a range"


def link_to_first_arm(tracked: Tracked, folder: Path, url: str) -> str:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    [run] = client.search_runs(
        [tracked.experiment_id], "attributes.run_name = 'chunks · small · minilm'", max_results=1
    )
    return f"{url}/#/experiments/{tracked.experiment_id}/runs/{run.info.run_id}"


def serving(tracked: Tracked, port: int) -> Any:
    """The printed command, as a shell runs it, on another port."""
    import contextlib

    @contextlib.contextmanager
    def served() -> Iterator[str]:
        url = f"http://127.0.0.1:{port}"
        words = shlex.split(tracked.command.replace("--port 5000", f"--port {port}"))
        settings = dict(word.split("=", 1) for word in words if re.match(r"[A-Z0-9_]+=", word))
        command = [word for word in words if not re.match(r"[A-Z0-9_]+=", word)]
        with (
            own_folder("pages") as folder,
            running(command, settings, folder, lambda: answers(f"{url}/health"), seconds=120),
        ):
            yield url

    return served()
