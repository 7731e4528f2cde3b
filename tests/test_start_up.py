"""What every process of a run imports, which a run with dozens of workers pays dozens of times."""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from dream.start_up import RARELY, refused

COMMAND = "import sys; sys.argv = ['dream', '--help']; from dream.cli import main; main()"


def last_words(code: str) -> list[str]:
    """What a Python process prints last when it runs that."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    ("code", "objects", "passed_over"),
    [(COMMAND, RARELY, True), ("from dream import verbs", gc.get_threshold()[0], False)],
)
def test_the_garbage_collector_looks_rarely_at_the_command_line_and_as_ever_elsewhere(
    code: str, objects: int, passed_over: bool
) -> None:
    tell = "print(gc.get_threshold()[0], gc.get_freeze_count() > 0)"
    words = last_words(f"import atexit, gc; atexit.register(lambda: {tell}); {code}")
    assert words == [str(objects), str(passed_over)]


SPLIT = """
import sys
from dream.start_up import import_sentences
import_sentences()
from dream.methods import find_method
from dream.records import Document
chunks = find_method("sentence_window")().split(Document("a", "It rains. We stay here. Then we go."))
print(len(chunks), *({"nltk", "sklearn", "scipy.stats"} & set(sys.modules)))
"""


def test_a_document_is_split_without_the_statistics_and_classifiers_of_nltk() -> None:
    assert last_words(SPLIT) == ["3", "nltk"]


def test_what_one_thread_is_refused_another_one_may_import() -> None:
    sys.modules.pop("tabnanny", None)
    with refused("tabnanny"), ThreadPoolExecutor(1) as other:
        with pytest.raises(ImportError, match="tabnanny is not imported here"):
            importlib.import_module("tabnanny")
        assert other.submit(importlib.import_module, "tabnanny").result(timeout=60)
        assert importlib.import_module("tabnanny")  # for it is there now
    assert importlib.reload(sys.modules["tabnanny"])


def test_ray_is_imported_without_a_grammar_that_takes_longer_than_ray() -> None:
    """jsonschema parses the whole of RFC 3987 where it finds rfc3987-syntax; see pyproject.toml."""
    code = "import sys, ray; print('rfc3987_syntax' in sys.modules)"
    assert last_words(code) == ["False"]
