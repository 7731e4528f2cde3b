"""Parsing through the ledger: a file is parsed again only if its bytes or the parser changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dream.corpus.read import PARSER_ID, read_document
from dream.corpus.source import Parse, SourceFile, gather, list_files, read_corpus
from dream.errors import DreamError
from dream.ledger import Ledger
from dream.records import Corpus, Document, Problem, from_json, to_json
from dream.storage import open_storage

# Bytes to parse below which one process is as soon ready as workers that start: 5 s to a minute for PDFs.
WORTH_SPREADING = 8 * 1024**2

Read = tuple[Document | None, tuple[Problem, ...]]


def parse_once(ledger: Ledger) -> Parse:
    """``read_document`` with a memory, to be given to ``read_corpus``."""

    def parse(name: str, data: bytes, origin: str) -> Read:
        def compute() -> Any:
            document, problems = read_document(name, data, "")
            return [to_json(document) if document else None, [to_json(problem) for problem in problems]]

        return _read(ledger.remember("parse", _inputs(name, data), compute), origin)

    return parse


def read_corpus_once(
    url: str,
    ledger: Ledger,
    spread: Callable[[Sequence[SourceFile]], None],
    progress: Callable[[int, int], None] | None = None,
    worth: int = WORTH_SPREADING,
) -> Corpus:
    """``read_corpus`` with a memory, and with others that parse where there is much to parse.

    Args:
        url: a folder or ``s3://bucket/prefix``.
        ledger: remembers what was parsed.
        spread: is given the files that were never parsed, to have others record them; what they leave is
            parsed here.
        progress: called with the files that are read and all there are.
        worth: bytes of new files below which nothing is spread.

    Raises:
        DreamError: no file gives a document.
        StorageError: the bucket or the ledger cannot be reached.
    """
    storage, parse, files = open_storage(url), parse_once(ledger), list_files(url)
    if sum(file.size for file in files) < worth:  # then no file need be fetched twice
        return read_corpus(url, parse, progress)
    read = []

    def recorded(file: SourceFile, inputs: dict[str, str]) -> bool:
        if (found := ledger.find("parse", inputs)) is None:
            return False
        ledger.reused["parse"] += 1
        read.append(_read(found, file.origin))
        if progress:
            progress(len(read), len(files))
        return True

    new = {}
    for file in files:
        inputs = _inputs(file.id, storage.get(file.key))
        if not recorded(file, inputs):
            new[file] = inputs
    if sum(file.size for file in new) >= worth:
        spread(list(new))
        new = {file: inputs for file, inputs in new.items() if not recorded(file, inputs)}
    for file in new:
        read.append(parse(file.id, storage.get(file.key), file.origin))
        if progress:
            progress(len(read), len(files))
    return gather(read, url)


def parsed_document(ledger: Ledger, name: str, digest: str, corpus: str) -> Document:
    """A document of the corpus as the ledger holds it; parsed anew where its record is lost.

    Args:
        ledger: of ``parse_once``.
        name: the document's id.
        digest: of its file's bytes.
        corpus: the folder or address where the file lies.

    Raises:
        DreamError: there is no record, and the corpus has no such file any more.
    """
    recorded = ledger.find("parse", _key(name, digest))
    if recorded and recorded[0]:
        return from_json(Document, recorded[0])
    parse, storage = parse_once(ledger), open_storage(corpus)
    for file in list_files(corpus):
        if file.id == name and (document := parse(name, storage.get(file.key), file.origin)[0]):
            if document.digest == digest:
                return document
            break
    raise DreamError("this file was changed or removed while it was read", name, "run again")


def _inputs(name: str, data: bytes) -> dict[str, str]:
    return _key(name, hashlib.sha256(data).hexdigest())


def _key(name: str, digest: str) -> dict[str, str]:
    return {"id": name, "digest": digest, "parser": PARSER_ID}


def _read(recorded: Any, origin: str) -> Read:
    # The same file is the same work wherever it lies, so its place is not part of the record.
    document = replace(from_json(Document, recorded[0]), origin=origin) if recorded[0] else None
    return document, tuple(from_json(Problem, problem) for problem in recorded[1])
