"""One file's bytes to one document, or to the reason why there is none.

>>> document, problems = read_document("notes/a.txt", b"Ray is a cluster.", "corpus/notes/a.txt")
>>> document.text, problems
('Ray is a cluster.', ())
>>> document, problems = read_document("minutes.docx", b"PK", "corpus/minutes.docx")
>>> document is None, problems[0].kind
(True, 'unsupported')
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from dream.corpus.registry import Parsed, UnreadableError, readable_suffixes, reader_of
from dream.records import Document, Problem, digest_of


def read_document(id: str, data: bytes, origin: str) -> tuple[Document | None, tuple[Problem, ...]]:
    """The document that a file's bytes hold, and what was wrong with them.

    Depends on the arguments and ``PARSER_ID`` alone, so the ledger may keep the result under them.

    Args:
        id: the path under the corpus folder or prefix; its suffix chooses the reader.
        data: the file's bytes.
        origin: the file or ``s3://`` address.

    Returns:
        The document, or ``None`` if the file gives none, and a problem for each thing that is wrong.
        Nothing is raised for any bytes.
    """
    try:
        parsed = _parse(id, data)
    except UnreadableError as unreadable:
        return None, (Problem(id, unreadable.kind, unreadable.reason),)
    problems = tuple(Problem(id, note.kind, note.reason, skipped=False) for note in parsed.notes)
    digest = hashlib.sha256(data).hexdigest()
    return Document(id, parsed.text, parsed.pages, origin, digest), problems


def _parse(id: str, data: bytes) -> Parsed:
    read = reader_of(id)
    if read is None:
        suffix = PurePosixPath(id).suffix
        named = f"files that end in {suffix}" if suffix else "files without a suffix"
        known = " ".join(readable_suffixes())
        reason = f"{named} are not read; convert it to one of {known}, or remove it"
        raise UnreadableError("unsupported", reason)
    if not data:
        raise UnreadableError("empty", "it has no bytes; copy it again or remove it")
    try:
        parsed = read(data)
    except (UnreadableError, MemoryError):  # the latter is this machine's trouble, not the file's
        raise
    except Exception as error:  # noqa: BLE001 - parsers raise whatever the bytes lead them to
        told = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreadableError(
            "corrupt", f"it is damaged ({told.rstrip('.')}); export or download it again"
        ) from None
    if not parsed.text.strip():
        raise UnreadableError("empty", "it holds no text; fill it or remove it")
    return parsed


def _parser_id() -> str:
    versions = [f"{name} {version(name)}" for name in ("pypdf", "beautifulsoup4", "charset-normalizer")]
    # what lists, sends and remembers files does not change what is read
    others = {"__init__.py", "source.py", "push.py", "remembered.py", "spread.py"}
    sources = sorted(path for path in Path(__file__).parent.glob("*.py") if path.name not in others)
    own = digest_of([[path.name, path.read_text("utf-8")] for path in sources])
    return " ".join([*versions, f"dream.corpus {own[:16]}"])


PARSER_ID = _parser_id()
"""Versions of the parsers and a hash of this package: what a ledger key of parsed text must hold."""
