"""Labelling: keys in a real terminal, the page in a real Chromium; labels outlive both."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dream.report.label_server import serve_labelling
from dream.report.label_terminal import label_in_terminal
from dream.report.labelling import Labelling, start_labelling
from dream.storage import open_storage
from dream.verdict.label_plan import plan_labels
from dream.verdict.labels import stored_labels
from tests.terminal import typed

from .sample import EVIL, sample_result
from .test_page_in_browser import ARGUMENTS, CHROMIUM


@pytest.fixture
def labelling(tmp_path: Path) -> Labelling:
    plan = plan_labels(sample_result(), 12)
    return start_labelling(open_storage(tmp_path), "sample", plan.rows)


def pressing(keys: str) -> Any:
    left = iter(keys)
    return lambda: next(left)


def shown(labelling: Labelling, keys: str) -> str:
    said = StringIO()
    label_in_terminal(labelling, Console(file=said, width=90), pressing(keys))
    return said.getvalue()


def test_keys_label_skip_take_back_and_stop(labelling: Labelling, tmp_path: Path) -> None:
    first, second, third = (row.id for row in labelling.rows[:3])
    said = shown(labelling, "yxnsuq")
    assert "'x' is no key" in said
    assert stored_labels(open_storage(tmp_path), "sample") == {first: True, second: False}
    assert labelling.next is not None and labelling.next.id == third, "the skip was taken back"
    assert ("\x1b" not in said and "pwned" not in said.replace(EVIL, "")) or "<script>" in said

    again = start_labelling(open_storage(tmp_path), "sample", labelling.rows)
    assert again.done == 2 and again.next is not None and again.next.id == third
    shown(again, "uq")
    assert again.done == 2, "undo takes back what was said in this session only"


def test_which_arm_answered_and_what_the_judge_said_are_not_shown(labelling: Labelling) -> None:
    said = shown(labelling, "s" * len(labelling.rows))
    assert all(name not in said for name in ("gpt-4.1-mini", "auto_merging ·", "answer_correctness"))


TERMINAL = """
import sys
from rich.console import Console
import typer
from dream.report.label_terminal import label_in_terminal
from dream.report.labelling import start_labelling
from dream.storage import open_storage
from dream.verdict.label_plan import plan_labels
from tests.report.sample import sample_result
rows = plan_labels(sample_result(), 12).rows
label_in_terminal(start_labelling(open_storage(sys.argv[1]), "sample", rows), Console(), typer.getchar)
"""


def test_single_keys_are_read_from_a_real_terminal(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TERMINAL, str(tmp_path)]
    keys = [b"y", b"n", b"u", b"q"]
    ended, said, prompts = typed(command, Path(__file__).parents[2], os.environ, keys)
    assert (ended, prompts) == (0, 4), said
    assert list(stored_labels(open_storage(tmp_path), "sample").values()) == [True]


@pytest.fixture
def address(labelling: Labelling) -> Iterator[str]:
    opened: list[str] = []
    server = threading.Thread(target=serve_labelling, args=(labelling, opened.append), daemon=True)
    server.start()
    while not opened:
        time.sleep(0.01)
    yield opened[0]
    if server.is_alive():
        request = urllib.request.Request(f"{opened[0]}close", b"{}", {"Content-Type": "application/json"})
        with contextlib.suppress(OSError):  # the last label ends it too
            urllib.request.urlopen(request, timeout=10).read()
    server.join(20)
    assert not server.is_alive()


def status(url: str, body: bytes | None = None, **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, names), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_server_lets_in_only_who_has_the_address(address: str, labelling: Labelling) -> None:
    root = address.rsplit("/", 2)[0]
    assert address.startswith("http://127.0.0.1:")
    assert len(address.rsplit("/", 2)[1]) >= 32
    assert status(address) == 200
    assert [status(f"{root}/"), status(f"{root}/rows"), status(f"{root}/guess/rows")] == [404, 404, 404]
    assert status(address, None, Host="evil.example") == 400
    first = labelling.rows[0].id
    label = json.dumps({"id": first, "right": True}).encode()
    assert status(f"{address}label", label, Content_Type="text/plain") == 400
    for wrong in ({"id": "none", "right": True}, {"id": first, "right": "yes"}, {"id": first}, [1]):
        assert status(f"{address}label", json.dumps(wrong).encode(), Content_Type="application/json") == 400
    assert labelling.labels == {}


@pytest.mark.servers
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")], ids=["desktop", "phone"])
def test_the_page_labels_by_keyboard_and_by_touch(
    address: str, labelling: Labelling, tmp_path: Path, width: int, scheme: Any
) -> None:
    found = str(CHROMIUM) if CHROMIUM.exists() else shutil.which("chromium")
    if not found:
        reason = "no Chromium is found; install it with: apt-get install -y chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import expect, sync_playwright

    rows = labelling.rows
    complaints: list[str] = []
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found, args=ARGUMENTS) as browser,
    ):
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        page.on("console", lambda one: complaints.append(one.text) if one.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda one: None if one.url.startswith((address, "data:")) else complaints.append(one.url),
        )
        page.goto(address)
        count = page.locator("#count")
        expect(count).to_have_text(f"0 of {len(rows)} labelled")
        expect(page.locator("#question")).to_have_text(rows[0].question.question)
        if shots := os.environ.get("DREAM_TEST_SCREENSHOTS"):
            page.screenshot(path=f"{shots}/label-{width}.png")
        page.keyboard.press("y")
        expect(count).to_have_text(f"1 of {len(rows)} labelled")
        page.keyboard.press("n")
        expect(count).to_have_text(f"2 of {len(rows)} labelled")
        page.keyboard.press("u")
        expect(count).to_have_text(f"1 of {len(rows)} labelled")
        page.keyboard.press("c")
        expect(page.locator("#contexts li").first).to_be_visible()
        page.locator("#no").click()
        expect(count).to_have_text(f"2 of {len(rows)} labelled")
        assert stored_labels(open_storage(tmp_path), "sample") == {rows[0].id: True, rows[1].id: False}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        small = "nodes => nodes.filter(node => node.getBoundingClientRect().height < 44).map(node => node.id)"
        assert page.eval_on_selector_all("footer button", small) == []
        for skipped in range(1, len(rows) - 1):
            page.keyboard.press("s")
            expect(count).to_have_text(f"2 of {len(rows)} labelled, {skipped} skipped")
        expect(page.locator("#done")).to_be_visible()
        expect(page.locator("#done-text")).to_contain_text(f"{len(rows) - 2} skipped")
        page.locator("#close").click()
        expect(page.locator("#done-text")).to_contain_text("Finished")
        assert page.evaluate("window.pwned") is None
    assert complaints == []
