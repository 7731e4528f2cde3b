"""What a process of DREAM's own does before it imports large libraries.

None of it is for the process of a notebook, or of whoever imports DREAM: that is theirs.
"""

from __future__ import annotations

import atexit
import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Objects made, less those freed, until Python looks for cycles among them: 700 unless told. ragas, MLflow and
# Ray make a million while they are imported, all of which stay.
RARELY = 100_000


def collect_rarely() -> None:
    """Make the garbage collector look less often: a quarter of the time that ragas takes to be imported.

    Nor does it look through all of that once more when the process ends, which took most of a second. For
    the command line and Ray's workers.
    """
    gc.set_threshold(RARELY)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def import_sentences() -> None:
    """Import nltk for what LlamaIndex's splitters want of it: where sentences end.

    nltk also has classifiers and statistics, for which it takes scikit-learn and ``scipy.stats`` where it
    finds them, as MLflow brings both: four fifths of the time of its import. It is without them afterwards.
    For workers that make indexes, and where no code of the user's might want them.
    """
    if "nltk" not in sys.modules:
        with refused("sklearn", "scipy.stats"):
            import nltk  # noqa: F401


@contextmanager
def refused(*names: str) -> Iterator[None]:
    """Within it this thread, and no other, is told that those modules are not installed.

    >>> with refused("left_out"):
    ...     import left_out
    Traceback (most recent call last):
    ImportError: left_out is not imported here
    """
    finder = _Refusing(names, threading.get_ident())
    # the list is replaced, not changed: other threads may be going through it
    sys.meta_path = [finder, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [each for each in sys.meta_path if each is not finder]


class _Refusing(MetaPathFinder):
    def __init__(self, names: Sequence[str], thread: int) -> None:
        self.names, self.thread = names, thread

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in self.names and threading.get_ident() == self.thread:
            raise ImportError(f"{fullname} is not imported here", name=fullname)
        return None
