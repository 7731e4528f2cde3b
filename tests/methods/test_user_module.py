"""Methods and metrics of the user's own, in a Python file that the study names."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from dream.errors import StudyError
from dream.methods import find_method, method_names
from dream.methods.method import _methods
from dream.metrics import find_metric, metric_names
from dream.metrics.metric import _metrics
from dream.modules import Module, load_modules, read_modules

OWN = """\
from dream.methods import Method, Search, at_query, method
from dream.metrics import metric
from dream.records import Chunk, Span


@method
class WholePages(Method):
    top_k: int = at_query(2, ge=1, description="Pages shown to the language model.")

    def split(self, document):
        ends = [*document.pages[1:], len(document.text)]
        return [
            Chunk(f"{number}", document.text[start:end], Span(document.id, start, end), number)
            for number, (start, end) in enumerate(zip(document.pages, ends), start=1)
        ]

    async def retrieve(self, question, search):
        return await search.nearest(question, self.top_k)


@metric
def brevity(answer: str) -> float:
    return 1 / (1 + len(answer.split()))
"""

names = (f"own{number}.py" for number in itertools.count())


@pytest.fixture(autouse=True)
def forgotten():
    """What a test registers is not known to the next one."""
    yield
    for registry in (_methods, _metrics):
        for name in {"whole_pages", "brevity"} & set(registry):
            del registry[name]


def written(folder: Path, text: str) -> tuple[Module, ...]:
    path = folder / next(names)
    path.write_text(text)
    return read_modules([str(path)])


def test_a_method_of_ones_own_is_registered_and_retrieves(tmp_path, handbook, searched):
    load_modules(written(tmp_path, OWN))
    assert method_names()[-1] == "whole_pages" and metric_names()[-1] == "brevity"
    assert find_metric("brevity").needs == ("answer",)
    pages = find_method("whole_pages")(top_k=1)
    search = searched(pages, handbook)
    (found,) = asyncio.run(pages.retrieve("What does alarm E-417 mean on the Corvus pump?", search))
    assert "E-417" in found.text and found.page == handbook.page_at(found.span.start)


def test_an_edited_module_takes_the_place_of_the_old_and_is_other_work_for_the_ledger(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    load_modules(read_modules([str(path)]))
    before = find_method("whole_pages")().splitter()
    path.write_text(OWN.replace("len(document.text)]", "len(document.text) - 1]"))
    load_modules(read_modules([str(path)]))
    assert find_method("whole_pages")().splitter() != before


def test_two_modules_cannot_share_a_name(tmp_path):
    load_modules(written(tmp_path, OWN))
    with pytest.raises(StudyError, match="two methods are named 'whole_pages'"):
        load_modules(written(tmp_path, OWN))


def test_a_module_is_run_once(tmp_path):
    log = tmp_path / "log"
    modules = written(tmp_path, f"open({str(log)!r}, 'a').write('run ')\n")
    for _ in range(3):
        load_modules(modules)
    assert log.read_text() == "run "


def test_a_module_travels_by_its_text(tmp_path):
    sent = pickle.dumps(written(tmp_path, OWN))
    next(tmp_path.glob("own*.py")).unlink()  # the other machine has no such file
    code = (
        "import pickle, sys; from dream.methods import find_method; from dream.modules import load_modules\n"
        "load_modules(pickle.load(sys.stdin.buffer)); print(find_method('whole_pages')(top_k=3))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        input=sent,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert said.stdout == b"top_k=3\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\ny = = 2\n", 2, "SyntaxError"),
        ("x = 1\n\ny = x / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("def f():\n    return wrong\n\n\nf()\n", 2, "NameError: name 'wrong' is not defined"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("import no_such_package\n", 1, "ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise SystemExit(3)\n", 1, "SystemExit: 3"),
        (
            OWN.replace("def brevity(answer: str)", "def brevity(anwser: str)"),
            21,
            "metric brevity: it asks for 'anwser'",
        ),
        (OWN.replace("class WholePages", "class Chunks"), 6, "two methods are named 'chunks'"),
        (OWN.replace("def brevity", "def mrr"), 21, "two metrics are named 'mrr'"),
    ],
)
def test_a_broken_module_is_told_with_its_line(tmp_path, text, line, said):
    modules = written(tmp_path, text)
    with pytest.raises(StudyError) as told:
        load_modules(modules)
    assert str(told.value).startswith(f"{modules[0].path}:{line}: ") and said in str(told.value)
    with pytest.raises(StudyError):  # and is not taken for loaded afterwards
        load_modules(modules)


def test_a_module_that_is_not_utf_8_is_told(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes("name = 'Zoë'".encode("latin-1"))
    with pytest.raises(StudyError, match=r"latin\.py.*UTF-8"):
        read_modules([str(path)])
