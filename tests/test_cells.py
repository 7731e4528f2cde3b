"""What a notebook's cells define: its hash follows its source and all that it uses, and it travels."""

from __future__ import annotations

import json
import linecache
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from dream.cells import notebook_digest

ROOT = Path(__file__).parents[1]

FIRST = """
LIMIT = 3

def helper(text):
    return text[:LIMIT]

class Mine:
    size = 1
    def go(self, text):
        return helper(text)
"""


def digest_in_a_notebook(monkeypatch: pytest.MonkeyPatch, *cells: str) -> str:
    """Of the class Mine, in a module __main__ that holds nothing but these cells, as IPython runs them."""
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    for cell in cells:
        name = f"/tmp/ipykernel_7/{abs(hash(cell))}.py"
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        exec(compile(cell, name, "exec"), vars(module))
    return notebook_digest(vars(module)["Mine"])


@pytest.mark.parametrize(
    "change",
    [
        ("return helper(text)", "return helper(text).strip()"),
        ("size = 1", "size = 2"),
        ("return text[:LIMIT]", "return text[LIMIT:]"),
        ("LIMIT = 3", "LIMIT = 4"),
    ],
    ids=["method", "field", "helper", "constant"],
)
def test_what_changes_the_results_changes_the_hash(monkeypatch: Any, change: tuple[str, str]) -> None:
    before = digest_in_a_notebook(monkeypatch, FIRST)
    assert digest_in_a_notebook(monkeypatch, FIRST.replace(*change)) != before


def test_a_helper_that_is_mended_in_another_cell_counts_at_once(monkeypatch: Any) -> None:
    before = digest_in_a_notebook(monkeypatch, FIRST)
    assert digest_in_a_notebook(monkeypatch, FIRST, "def helper(text): return text") != before


def test_what_changes_nothing_leaves_the_hash(monkeypatch: Any) -> None:
    before = digest_in_a_notebook(monkeypatch, FIRST)
    assert (
        digest_in_a_notebook(monkeypatch, FIRST.replace("LIMIT]", "LIMIT]  # as ever") + "\nMine()") == before
    )
    assert digest_in_a_notebook(monkeypatch, "unused = 5", FIRST) == before


SENDER = """
import json, subprocess, sys
from dream.cells import packed
from dream.methods import Method, find_method, method, method_names

def halves(text):
    return [text[: len(text) // 2], text[len(text) // 2 :]]

@method
class Halved(Method):
    top_k: int = 2
    def split(self, document):
        return halves(document)
    async def retrieve(self, question, search):
        return []

sys.stdout.write(json.dumps([packed([Halved]).hex(), Halved(top_k=3).identity()]))
"""

TAKER = """
import json, sys
from dream.methods import find_method
from dream.sweep.setting import load_notebook
load_notebook(bytes.fromhex(sys.stdin.read()))
made = find_method("halved")(top_k=3)
print(json.dumps([made.identity(), made.split("abcd")]))
"""


def test_a_method_goes_to_another_process_with_its_helper_and_its_hash(tmp_path: Path) -> None:
    script = tmp_path / "cells.py"
    script.write_text(SENDER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    sent = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=60
    )
    data, identity = json.loads(sent.stdout or "[]") or pytest.fail(sent.stderr)
    taken = subprocess.run(
        [sys.executable, "-c", TAKER], env=environment, input=data, capture_output=True, text=True, timeout=60
    )
    assert json.loads(taken.stdout) == [identity, ["ab", "cd"]], taken.stderr
