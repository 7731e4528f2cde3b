"""Parsing through the ledger: a file is parsed again only if its bytes or the parser changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from dream.corpus.read import PARSER_ID, read_document
from dream.corpus.source import Parse
from dream.ledger import Ledger
from dream.records import Document, Problem, from_json, to_json


def parse_once(ledger: Ledger) -> Parse:
    """``read_document`` with a memory, to be given to ``read_corpus``."""

    def parse(name: str, data: bytes, origin: str) -> tuple[Document | None, tuple[Problem, ...]]:
        def compute() -> Any:
            document, problems = read_document(name, data, "")
            return [to_json(document) if document else None, [to_json(problem) for problem in problems]]

        inputs = {"id": name, "digest": hashlib.sha256(data).hexdigest(), "parser": PARSER_ID}
        found, problems = ledger.remember("parse", inputs, compute)
        # The same file is the same work wherever it lies, so its place is not part of the record.
        document = replace(from_json(Document, found), origin=origin) if found else None
        return document, tuple(from_json(Problem, problem) for problem in problems)

    return parse
