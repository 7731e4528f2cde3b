"""The quickstart's corpus and questions are what the README says, and its PDFs come from their sources."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from dream.corpus import read_corpus
from dream.records import Corpus

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart"


@cache
def corpus() -> Corpus:
    return read_corpus(str(QUICKSTART / "corpus"))


@cache
def questions() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in (QUICKSTART / "questions.jsonl").read_text().splitlines())


def test_at_least_eight_pdfs_with_sixty_pages_are_read_without_a_problem() -> None:
    assert len(corpus().documents) >= 8
    assert sum(len(document.pages) for document in corpus().documents) >= 60
    assert corpus().problems == ()


def test_every_piece_of_evidence_stands_verbatim_on_one_page() -> None:
    texts = {document.id: document for document in corpus().documents}
    for question in questions():
        for piece in question["evidence"]:
            document = texts[piece["document"]]
            ends = [*document.pages[1:], len(document.text)]
            pages = [document.text[start:end] for start, end in zip(document.pages, ends, strict=True)]
            wanted = " ".join(piece["text"].split())
            assert any(wanted in " ".join(page.split()) for page in pages), (question["id"], piece)


def test_questions_are_of_every_kind_and_each_has_its_reference() -> None:
    kinds = Counter(question["kind"] for question in questions())
    assert len(questions()) >= 60
    assert set(kinds) == {"single-hop", "multi-hop", "numeric", "table", "unanswerable"}
    assert min(kinds.values()) >= 6
    assert len({question["id"] for question in questions()}) == len(questions())
    for question in questions():
        assert question["reference"].strip()
        assert bool(question["evidence"]) == (question["kind"] != "unanswerable"), question["id"]
        if question["kind"] == "multi-hop":
            assert len(question["evidence"]) >= 2, question["id"]


def test_the_pdfs_are_rebuilt_from_their_sources_to_the_byte(tmp_path: Path) -> None:
    shutil.copytree(QUICKSTART / "source", tmp_path / "source")
    shutil.copy(QUICKSTART / "build.py", tmp_path)

    subprocess.run([sys.executable, tmp_path / "build.py"], check=True, capture_output=True)

    for pdf in (QUICKSTART / "corpus").glob("*.pdf"):
        assert (tmp_path / "corpus" / pdf.name).read_bytes() == pdf.read_bytes(), pdf.name
