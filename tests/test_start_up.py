"""What every process of a run imports, which a run with dozens of workers pays dozens of times."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from dream.start_up import RARELY

COMMAND = "import sys; sys.argv = ['dream', '--help']; from dream.cli import main; main()"


@pytest.mark.parametrize(
    ("code", "objects"), [(COMMAND, RARELY), ("from dream import verbs", gc.get_threshold()[0])]
)
def test_the_garbage_collector_looks_rarely_at_the_command_line_and_as_ever_elsewhere(
    code: str, objects: int
) -> None:
    code = f"import atexit, gc; atexit.register(lambda: print(gc.get_threshold()[0])); {code}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split()[-1] == str(objects)


def test_ray_is_imported_without_a_grammar_that_takes_longer_than_ray() -> None:
    """jsonschema parses the whole of RFC 3987 where it finds rfc3987-syntax; see pyproject.toml."""
    code = "import sys, ray; print('rfc3987_syntax' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
