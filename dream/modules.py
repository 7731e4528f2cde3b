"""Python files of the user's own: read once at the edge, run wherever methods and metrics are needed.

The files' texts travel with the study, so that workers on other machines need no copy of them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dream.cells import from_notebook, notebook_digest
from dream.errors import StudyError, told

PREFIX = "dream_user_"


@dataclass(frozen=True)
class Module:
    """A Python file with its text."""

    path: str
    text: str


def read_modules(paths: Sequence[str]) -> tuple[Module, ...]:
    """Read the files that a study names.

    Raises:
        StudyError: a file cannot be read.
    """
    modules = []
    for path in paths:
        try:
            modules.append(Module(path, Path(path).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"cannot be read ({error})", path, "give a UTF-8 text file") from None
    return tuple(modules)


def same_file(module: str, other: str) -> bool:
    """Whether two names of loaded modules are of one file, perhaps before and after it was edited.

    >>> same_file("dream_user_mine_0a1b", "dream_user_mine_2c3d"), same_file("dream_user_mine_0a1b", "json")
    (True, False)
    """
    if module.startswith(PREFIX) and other.startswith(PREFIX):
        return module.rpartition("_")[0] == other.rpartition("_")[0]
    return module == other


def code_digest(thing: Any, *others: str) -> str:
    """Hash of the code that makes a class or function what it is: changed code is other work.

    Args:
        thing: a class or function; the file that defines it counts as a whole.
        others: names of modules of DREAM that it builds on.
    """
    module = inspect.getmodule(thing)
    name = module.__name__ if module else ""
    if from_notebook(thing):
        source = notebook_digest(thing)
    elif name.startswith(PREFIX):
        # The text that was loaded, not what stands in the file by now.
        source = name
    else:
        try:
            source = inspect.getsource(module or thing)
        except (OSError, TypeError):
            source = repr(thing)
    texts = [source, *(_source_of(other) for other in others)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _source_of(module: str) -> str:
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else module


def load_modules(modules: Sequence[Module]) -> None:
    """Run each file once in this process, so that its ``@method`` and ``@metric`` register.

    Raises:
        StudyError: a file fails; the message names its line and the exception.
    """
    for module in modules:
        digest = hashlib.sha256(module.text.encode()).hexdigest()[:12]
        name = f"{PREFIX}{Path(module.path).stem}_{digest}"
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
        except (Exception, SystemExit) as error:  # a user's file may raise anything  # noqa: BLE001
            del sys.modules[name]
            frames = traceback.extract_tb(error.__traceback__)
            line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), 1)
            if isinstance(error, SyntaxError):
                line = error.lineno or line
            where = f"{module.path}:{line}"
            raise StudyError(told(error), where, "mend the file") from None
