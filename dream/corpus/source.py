"""A corpus as a folder or an ``s3://`` prefix: its files, all its documents, and how it gets there.

>>> import tempfile
>>> folder = Path(tempfile.mkdtemp())
>>> for name, text in {"a.txt": "one", "b.txt": "one", "c.md": "two", ".DS_Store": "x"}.items():
...     _ = (folder / name).write_text(text)
>>> corpus = read_corpus(str(folder))
>>> [document.id for document in corpus.documents]
['a.txt', 'c.md']
>>> corpus.problems[0].id, corpus.problems[0].reason
('b.txt', "its content is that of 'a.txt', which is kept; remove one of them")
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dream.corpus.read import read_document
from dream.corpus.registry import readable_suffixes
from dream.errors import DreamError
from dream.records import Corpus, Document, Problem, digest_of
from dream.storage import open_storage

Parse = Callable[[str, bytes, str], tuple[Document | None, tuple[Problem, ...]]]

# what Windows hides in folders; what macOS hides begins with a dot, or is archived as __MACOSX
_HIDDEN = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True)
class SourceFile:
    """A file of a corpus.

    Attributes:
        id: what its document is called.
        key: under which the storage at the corpus' address gives its bytes.
        size: in bytes.
        origin: the file or ``s3://`` address.
    """

    id: str
    key: str
    size: int
    origin: str


def list_files(url: str) -> tuple[SourceFile, ...]:
    """All files of the corpus but hidden ones, in order of their ids.

    Args:
        url: a folder or ``s3://bucket/prefix``.

    Raises:
        DreamError: the folder is not there, or there is no file.
        StorageError: the bucket cannot be reached.
    """
    if "://" not in url and not Path(url).expanduser().is_dir():
        what = "this is a file" if Path(url).expanduser().exists() else "there is no such folder"
        raise DreamError(what, url, "give the folder that holds the documents, or s3://bucket/prefix")
    storage = open_storage(url)
    files = [
        SourceFile(_id_of(stored.key), stored.key, stored.size, f"{storage.url}/{_id_of(stored.key)}")
        for stored in storage.list()
        if not _is_hidden(stored.key)
    ]
    if not files:
        raise DreamError("there are no files", url, f"put documents there: {' '.join(readable_suffixes())}")
    return tuple(sorted(files, key=lambda file: file.id))


def read_corpus(
    url: str, parse: Parse = read_document, progress: Callable[[int, int], None] | None = None
) -> Corpus:
    """Read every file of the corpus, one after the other.

    Args:
        url: a folder or ``s3://bucket/prefix``.
        parse: how bytes become a document; a caller with a ledger gives one that remembers.
        progress: called with the files that are read and all there are.

    Raises:
        DreamError: no file gives a document.
        StorageError: the bucket cannot be reached.
    """
    storage = open_storage(url)
    files, parsed = list_files(url), []
    for file in files:
        parsed.append(parse(file.id, storage.get(file.key), file.origin))
        if progress:
            progress(len(parsed), len(files))
    return gather(parsed, url)


def gather(parsed: Iterable[tuple[Document | None, Iterable[Problem]]], where: str = "") -> Corpus:
    """One corpus of what was read from each file, in any order.

    Of files with the same bytes or the same text, the first by id is kept; the others are problems of
    kind duplicate, for a passage that is there twice takes two of the places that a retriever has.

    Args:
        parsed: what ``read_document`` gave for each file.
        where: the folder or address, for the error.

    Raises:
        DreamError: there is no document at all.
    """
    results = list(parsed)
    problems = [problem for document, found in results if document is None for problem in found]
    kept: list[Document] = []
    first: dict[str, str] = {}
    read = [(document, tuple(found)) for document, found in results if document is not None]
    for document, found in sorted(read, key=lambda result: result[0].id):
        contents = (document.digest, hashlib.sha256(document.text.encode()).hexdigest())
        twin = next((first[content] for content in contents if content in first), None)
        if twin is not None:
            reason = f"its content is that of {twin!r}, which is kept; remove one of them"
            problems.append(Problem(document.id, "duplicate", reason))
            continue
        first.update(dict.fromkeys(contents, document.id))
        kept.append(document)
        problems.extend(found)
    problems.sort(key=lambda problem: (problem.id, problem.kind))
    if not kept:
        counts = Counter(problem.kind for problem in problems)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "no files"
        todo = f"put documents there: {' '.join(readable_suffixes())}"
        raise DreamError(f"none of its files gives a document ({told})", where, todo)
    digest = digest_of([[document.id, document.digest] for document in kept])
    return Corpus(tuple(kept), tuple(problems), digest)


def _is_hidden(key: str) -> bool:
    # S3 consoles make an empty "folder" as an object whose key ends in "/", or is the prefix itself
    if not key or key.endswith("/"):
        return True
    return any(part.startswith(".") or part.lower() in _HIDDEN for part in key.split("/"))


def _id_of(key: str) -> str:
    # a file name may be no Unicode; ids travel as JSON, so its odd bytes are written out
    return key.encode("utf-8", "backslashreplace").decode()
