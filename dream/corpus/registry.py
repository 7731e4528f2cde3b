"""Which reader reads which kind of file: a decorator registers, a suffix finds.

>>> reader_of("Reports/Q3.PDF").__name__
'read_pdf'
>>> reader_of("minutes.docx") is None
True
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Note:
    """What a reader has to say about a file that it read all the same.

    Attributes:
        kind: one of the kinds of ``dream.records.Problem``.
        reason: one sentence: what is wrong and what to do.
    """

    kind: str
    reason: str


@dataclass(frozen=True)
class Parsed:
    """What a reader made of a file's bytes.

    Attributes:
        text: the whole text, with a line feed between lines.
        pages: where each page starts in ``text``; empty where the format has no pages.
        notes: what was not as it should be.
    """

    text: str
    pages: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()


class UnreadableError(Exception):
    """A reader's way to say that a file gives no document, and why."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason
        super().__init__(kind, reason)


Reader = Callable[[bytes], Parsed]

_READERS: dict[str, Reader] = {}


def reader(*suffixes: str) -> Callable[[Reader], Reader]:
    """Register a function as the reader of files that end in one of the suffixes, in any case.

    The function gets the file's bytes, gives a ``Parsed``, and raises ``UnreadableError`` where it
    cannot. It depends on nothing but the bytes, so that the ledger may keep what it gave.

    >>> @reader(".shout")
    ... def read_shout(data: bytes) -> Parsed:
    ...     return Parsed(data.decode().upper())
    >>> reader_of("a.shout")(b"hello").text
    'HELLO'
    >>> del _READERS[".shout"]
    """

    def register(function: Reader) -> Reader:
        for suffix in suffixes:
            _READERS[suffix.lower()] = function
        return function

    return register


def reader_of(id: str) -> Reader | None:
    """The reader for a file by its name, or ``None``."""
    _load_own_readers()
    return _READERS.get(PurePosixPath(id).suffix.lower())


def readable_suffixes() -> tuple[str, ...]:
    """All suffixes that have a reader, sorted.

    >>> readable_suffixes()
    ('.htm', '.html', '.markdown', '.md', '.pdf', '.text', '.txt', '.xhtml')
    """
    _load_own_readers()
    return tuple(sorted(_READERS))


def _load_own_readers() -> None:
    # here and not above: the readers import this module to register themselves
    from dream.corpus import html, pdf, text  # noqa: F401
