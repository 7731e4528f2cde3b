"""The page in a real Chromium: what a reader can see and do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dream.report.html import write_report

from .sample import ARM_ERROR, EVIL, MISSING, sample_result

pytestmark = pytest.mark.servers

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = str(CHROMIUM) if CHROMIUM.exists() else shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        reason = "no Chromium is found; install it with: apt-get install -y chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(sample_result(), tmp_path_factory.mktemp("report") / "report.html").as_uri()


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Any]:
    """The open page; whatever it complains about, or asks the network for, fails the test."""
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith((address, "data:")) else complaints.append(asked.url),
    )
    page.goto(address)
    page.wait_for_selector("#parallel-box svg")
    yield page
    assert page.evaluate("window.pwned") is None
    assert complaints == []
    page.close()


def arms_in_table(page: Any) -> list[str]:
    return page.eval_on_selector_all(".board tbody tr", "rows => rows.map(row => row.dataset.arm)")  # type: ignore[no-any-return]


def means(page: Any, column: int) -> list[float]:
    texts = page.eval_on_selector_all(
        ".board tbody tr:not(.failed)", f"rows => rows.map(row => row.cells[{column}].dataset.sort)"
    )
    return [float(text) for text in texts]


def test_the_leaderboard_has_every_arm_and_sorts(page: Any) -> None:
    result = sample_result()
    assert arms_in_table(page) == [arm.arm.id for arm in result.ranked()]
    assert ARM_ERROR in page.locator(".board tr.failed").inner_text()
    heading = page.locator(".board thead button", has_text="faithfulness")
    column = heading.evaluate("button => button.parentElement.cellIndex")
    heading.click()
    assert means(page, column) == sorted(means(page, column), reverse=True)
    assert heading.locator("..").get_attribute("aria-sort") == "descending"
    heading.click()
    assert means(page, column) == sorted(means(page, column))
    assert arms_in_table(page)[-1] == result.arms[8].arm.id, "the failed arm stays last"


def test_parallel_coordinates_draw_a_line_for_each_arm_and_name_it(page: Any) -> None:
    result = sample_result()
    drawn = page.eval_on_selector_all(
        "#parallel-box .arm-line", "lines => lines.map(line => line.dataset.arm)"
    )
    assert sorted(drawn) == sorted(arm.arm.id for arm in result.arms)
    assert page.locator("#parallel-box .arm-line.without").count() == 1
    names = page.locator("#parallel-box .axis-name").all_text_contents()
    assert {"method", "LLM", "embedding", "top_k", "mrr"} <= set(names)
    page.locator("#parallel-box .arm-hit[tabindex='0']").focus()
    assert result.ranked()[0].arm.name in page.locator("#parallel-readout").inner_text()
    page.keyboard.press("ArrowDown")
    assert result.ranked()[1].arm.name in page.locator("#parallel-readout").inner_text()
    assert page.locator("#parallel-box .arm-line.active").count() == 1


BAD_LABELS = """() => {
  const frame = document.querySelector('#parallel-box svg').getBoundingClientRect();
  const texts = [...document.querySelectorAll('#parallel-box text')];
  const labels = texts.map(text => ({ text: text.textContent, at: text.getBoundingClientRect() }));
  const cut = ({ at }) =>
    at.left < frame.left || at.right > frame.right || at.top < frame.top || at.bottom > frame.bottom;
  const overlap = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
  const covered = one => labels.some(other => other !== one && overlap(one.at, other.at));
  return labels.filter(label => cut(label) || covered(label)).map(label => label.text);
}"""


def test_no_label_of_the_chart_is_cut_or_covers_another(page: Any) -> None:
    assert page.evaluate(BAD_LABELS) == []


def test_pointing_at_a_line_names_its_arm(page: Any) -> None:
    best = sample_result().ranked()[0].arm
    # a place on the best arm's line, between two axes
    x, y = page.locator(f".arm-line[data-arm='{best.id}']").evaluate(
        "line => { const p = line.getPointAtLength(40); return [p.x, p.y]; }"
    )
    # scrolls there and waits until nothing moves any more, as a person does
    page.locator("#parallel-box svg").hover(position={"x": x, "y": y})
    page.locator("#parallel-readout", has_text=best.name).wait_for()
    assert page.locator(".arm-line.active").get_attribute("data-arm") == best.id


def test_brushing_an_axis_dims_the_arms_outside(page: Any) -> None:
    result = sample_result()
    axis = page.locator("[data-axis='metric:answer_correctness']")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    low = float(axis.get_attribute("aria-valuenow"))
    means = {arm.arm.id: arm.summary("answer_correctness").mean for arm in result.arms}
    outside = {name for name, mean in means.items() if mean is None or mean < low}
    dimmed = page.eval_on_selector_all(
        "#parallel-box .arm-line.outside", "lines => lines.map(line => line.dataset.arm)"
    )
    assert set(dimmed) == outside and 0 < len(outside) < 12
    page.wait_for_timeout(200)  # the fading
    assert (
        float(page.locator(".arm-line.outside").first.evaluate("line => getComputedStyle(line).opacity"))
        < 0.1
    )
    assert f"{12 - len(outside)} of 12 arms" in page.locator("#parallel-readout").inner_text()
    page.locator("#parallel-clear").click()
    assert page.locator("#parallel-box .arm-line.outside").count() == 0
    axis.focus()
    page.keyboard.press("ArrowUp")
    assert page.locator("#parallel-box .arm-line.outside").count() > 0
    page.keyboard.press("Escape")
    assert page.locator("#parallel-box .arm-line.outside").count() == 0


def test_the_heat_map_shows_the_chosen_metric(page: Any) -> None:
    result = sample_result()
    for metric in ("answer_correctness", "mrr"):
        page.locator("#heatmap-metric").select_option(metric)
        for method in ("chunks", "auto_merging"):
            arms = [arm for arm in result.arms if (arm.arm.method, arm.arm.embedding) == (method, "minilm")]
            of_llm = [arm.summary(metric).mean or 0.0 for arm in arms if arm.arm.llm == "gpt-4.1-mini"]
            row = page.locator("#heatmap-table tbody tr", has=page.locator("th", has_text=method))
            columns = page.locator("#heatmap-table thead th").all_inner_texts()
            column = [text.split() for text in columns].index(["gpt-4.1-mini", "minilm"])
            shown = row.locator("td").nth(column).inner_text().split()[0]
            assert shown == f"{sum(of_llm) / len(of_llm):.3f}"
    assert page.locator("#heatmap-table td", has_text="1 of 2 arms").count() == 1


def test_a_question_opens_with_what_every_arm_did(page: Any) -> None:
    result = sample_result()
    page.locator("[data-question=q01]").click()
    detail = page.locator("#question-detail")
    assert detail.locator("h3").inner_text() == result.questions[0].question
    (span,) = result.questions[0].evidence
    source = f"guides/retrieval.pdf · page 1 · characters {span.start} to {span.end}"
    assert "Three." in detail.inner_text() and source in detail.inner_text()
    for arm in result.arms:
        block = detail.locator(f"[data-arm='{arm.arm.id}']")
        expected = arm.rows[0].answer.text if arm.rows and arm.rows[0].answer else ARM_ERROR
        assert expected in block.inner_text()
    first = detail.locator(f"[data-arm='{result.arms[0].arm.id}']")
    assert f"missing: {MISSING}" in first.locator(".scores").inner_text()
    page.locator("[data-question=q02]").click()
    assert "the model timed out" in first.inner_text() and "missing: no answer" in first.inner_text()
    page.locator("[data-question=q06]").click()
    assert "The corpus holds no answer" in detail.inner_text()
    assert (
        detail.locator(f"[data-arm='{result.arms[0].arm.id}'] .scores li", has_text="mrr").inner_text()
        == "mrr –"
    )


def test_contexts_mark_exactly_the_evidence(page: Any) -> None:
    result = sample_result()
    for number in (3, 4):  # the second document begins with signs of two UTF-16 units
        question = result.questions[number]
        page.locator(f"[data-question={question.id}]").click()
        arm = result.arms[5]  # its chunks are long enough to hold those signs and the evidence
        block = page.locator(f"#question-detail [data-arm='{arm.arm.id}']")
        block.locator("summary", has_text="contexts").click()
        block.locator(".contexts").wait_for()
        answer = arm.rows[number].answer
        assert answer is not None
        expected = [
            "".join(
                sign
                for place, sign in enumerate(chunk.text, start=chunk.span.start)
                if any(
                    span.document == chunk.span.document and span.start <= place < span.end
                    for span in question.evidence
                )
            )
            for chunk in answer.contexts
            if chunk.span
        ]
        marked = block.locator(".contexts li").evaluate_all(
            "items => items.map(item => [...item.querySelectorAll('mark')].map(m => m.textContent).join(''))"
        )
        assert marked == expected and any(marked)
        block.locator("summary", has_text="scores").click()
        assert "of the statements are supported." in block.locator(".reasons").inner_text()


def test_questions_are_found_by_words_and_kind_and_ordered(page: Any) -> None:
    result = sample_result()
    page.locator("#question-text").fill("object SPILL")
    assert page.locator("#question-list li").count() == 3
    page.locator("#question-text").fill("")
    page.locator("#question-kind").select_option("numeric")
    assert page.locator("#question-list li").count() == 6
    page.locator("#question-kind").select_option("")

    def spread(place: int) -> float:
        values = [arm.rows[place].score(result.objective).value for arm in result.arms if arm.rows]
        there = [value for value in values if value is not None]
        return max(there) - min(there)

    page.locator("#question-order").select_option("spread")
    shown = page.eval_on_selector_all(
        "#question-list button", "items => items.map(item => item.dataset.question)"
    )
    spreads = [spread(int(name[1:]) - 1) for name in shown]
    assert spreads == pytest.approx(sorted(spreads, reverse=True), abs=1e-5) and len(spreads) == 24


def test_hostile_texts_are_shown_as_they_are(page: Any) -> None:
    page.locator("[data-question=q08]").click()
    assert EVIL.split("\u2028")[0].strip() in page.locator("#question-detail h3").inner_text()
    assert page.title().startswith("quickstart </script><script>")
    page.locator("[data-question=q03]").click()
    assert "onerror" in " ".join(page.locator("#question-detail .arm-answer .answer").all_inner_texts())
    assert page.locator("img").count() == 0


def test_a_segment_of_a_bar_lists_its_questions_and_all_come_back(page: Any) -> None:
    result = sample_result()
    losses = result.losses()[-1]
    bar = page.locator(f".loss[data-arm='{losses.arm}']")
    counts = {name: count for name, count in losses.counts().items() if count}
    assert len(counts) > 2
    assert bar.locator("button").count() == len(counts)
    for outcome, count in counts.items():
        segment = bar.locator(f"button[data-outcome='{outcome}']")
        segment.focus()
        page.keyboard.press("Enter")
        shown = page.eval_on_selector_all(
            "#question-list button", "items => items.map(item => item.dataset.question)"
        )
        assert shown == [loss.question for loss in losses.losses if loss.outcome == outcome]
        assert len(shown) == count and segment.get_attribute("aria-pressed") == "true"
        assert losses.name in page.locator("#loss-filter").inner_text()
    badge = page.locator(f"#question-detail [data-arm='{losses.arm}'] .outcome")
    assert badge.inner_text() == "right", "the last outcome, of the question that was opened"
    page.locator("#loss-clear").click()
    assert page.locator("#question-list li").count() == 24
    assert page.locator("#loss-filter").is_hidden() and page.locator("[aria-pressed=true]").count() == 0


def test_segments_are_as_wide_as_their_questions_are_many(page: Any) -> None:
    for losses in sample_result().losses():
        buttons = page.locator(f".loss[data-arm='{losses.arm}'] button")
        widths = buttons.evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
        shares = [count / len(losses.losses) for count in losses.counts().values() if count]
        for width, share in zip(widths, shares, strict=True):
            assert width / sum(widths) == pytest.approx(share, abs=0.02)


def test_the_verdict_has_every_arm_with_its_interval_on_one_axis(page: Any) -> None:
    verdict = sample_result().verdict()
    rows = page.locator("#verdict tbody tr")
    assert rows.count() == 12 and verdict.text in page.locator("#verdict .finding").inner_text()
    for place, arm in enumerate(verdict.arms):
        row = rows.nth(place)
        assert arm.name in row.inner_text() and verdict.mark(arm) in row.inner_text()
        dots = row.locator(".forest b")
        assert dots.count() == (arm.difference is not None)
    places = page.eval_on_selector_all(
        "#verdict .forest b", "all => all.map(one => one.getBoundingClientRect().left)"
    )
    assert places == sorted(places, reverse=True), "in the order of the means"


def test_a_link_opens_its_question(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}#question=q05")
    assert page.locator("#question-detail h3").inner_text() == sample_result().questions[4].question
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_window(browser: Any, address: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto(address)
    page.locator("[data-question=q08]").click()
    for summary in page.locator("#question-detail summary").all()[:4]:
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


# WCAG AA asks 4.5:1 of small text
POOR_CONTRASTS = """() => {
  const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const channels = colour => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {  // the next background that is not transparent
    for (let e = element; e; e = e.parentElement) {
      const colour = channels(getComputedStyle(e).backgroundColor);
      if (colour[3] > 250) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (!e.getClientRects().length || e.closest('svg, script, button:disabled, option')) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(channels(getComputedStyle(e).color).slice(0, 3)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([e.tagName, e.className, ratio.toFixed(2), e.textContent.slice(0, 30)]);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_background(browser: Any, address: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(address)
    for summary in page.locator("#question-detail summary").all()[:4]:
        summary.click()
    assert page.evaluate(POOR_CONTRASTS) == []
    page.close()


def test_the_toggle_changes_the_colours_and_is_remembered(browser: Any, address: str) -> None:
    page = browser.new_page(color_scheme="light")
    page.goto(address)
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(colour)
    page.locator("#theme").click()
    after = page.evaluate(colour)
    assert after != before
    page.reload()
    assert page.evaluate(colour) == after
    page.close()
