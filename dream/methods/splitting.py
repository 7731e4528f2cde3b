"""Readies LlamaIndex's splitters: nothing is downloaded, and no more imported than cutting text takes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from dream.methods.nodes import prepare_llama_index


def prepare_splitting() -> None:
    """What comes before a splitter of LlamaIndex.

    They ask nltk where sentences end. It also has classifiers and statistics, for which it imports
    scikit-learn and ``scipy.stats`` where it finds them, as MLflow brings both: three quarters of the time
    that its import takes, in every process that makes an index. It is imported without them here; a process
    that has either already keeps it.
    """
    prepare_llama_index()
    with refused("sklearn", "scipy.stats"):
        import nltk  # noqa: F401


@contextmanager
def refused(*names: str) -> Iterator[None]:
    """Within it this thread, and no other, is told that those modules are not installed.

    >>> with refused("tabnanny"):
    ...     import tabnanny
    Traceback (most recent call last):
    ImportError: tabnanny is not imported here
    """
    finder = _Refusing(names, threading.get_ident())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Refusing(MetaPathFinder):
    def __init__(self, names: Sequence[str], thread: int) -> None:
        self.names, self.thread = names, thread

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in self.names and threading.get_ident() == self.thread:
            raise ImportError(f"{fullname} is not imported here", name=fullname)
        return None
