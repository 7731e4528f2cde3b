"""What every process of a run imports, which a run with dozens of workers pays dozens of times."""

from __future__ import annotations

import subprocess
import sys


def test_ray_is_imported_without_a_grammar_that_takes_longer_than_ray() -> None:
    """jsonschema parses the whole of RFC 3987 where it finds rfc3987-syntax; see pyproject.toml."""
    code = "import sys, ray; print('rfc3987_syntax' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
