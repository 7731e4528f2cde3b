"""Python files of the user's own: read once at the edge, run wherever methods and metrics are needed.

The files' texts travel with the study, so that workers on other machines need no copy of them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dream.errors import StudyError


@dataclass(frozen=True)
class Module:
    """A Python file with its text."""

    path: str
    text: str


def read_modules(paths: Sequence[str]) -> tuple[Module, ...]:
    """Read the files that a study names."""
    return tuple(Module(path, Path(path).read_text(encoding="utf-8")) for path in paths)


def load_modules(modules: Sequence[Module]) -> None:
    """Run each file once in this process, so that its ``@method`` and ``@metric`` register.

    Raises:
        StudyError: a file fails; the message names its line and the exception.
    """
    for module in modules:
        digest = hashlib.sha256(module.text.encode()).hexdigest()[:12]
        name = f"dream_user_{Path(module.path).stem}_{digest}"
        if name in sys.modules:
            continue
        path = Path(module.path)
        if not path.is_file() or path.read_text(encoding="utf-8") != module.text:
            # On another machine: a copy, so that tracebacks and inspect find the source.
            path = Path(tempfile.mkdtemp(prefix="dream-module-")) / f"{path.stem}.py"
            path.write_text(module.text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise StudyError("this is no Python file", module.path, "name a file that ends in .py")
        made = importlib.util.module_from_spec(spec)
        sys.modules[name] = made
        try:
            spec.loader.exec_module(made)
        except Exception as error:  # a user's file may raise anything  # noqa: BLE001
            del sys.modules[name]
            frames = traceback.extract_tb(error.__traceback__)
            line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), 1)
            if isinstance(error, SyntaxError):
                line = error.lineno or line
            where = f"{module.path}:{line}"
            raise StudyError(f"{type(error).__name__}: {error}", where, "mend the file") from None
