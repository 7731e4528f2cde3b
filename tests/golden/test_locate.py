"""Evidence is found where it stands, however the document's text was broken."""

from __future__ import annotations

import gzip
import json
import textwrap
import time
from pathlib import Path

import pytest

from dream.golden import Piece, Shelf, load_questions, locate
from dream.records import Document
from dream.study import QuestionFile

SQUAD = Path(__file__).parents[2] / "../shared/data/squad-dev-v1.1.json.gz"


def found(text: str, piece: str | Piece) -> list[str]:
    """The document's own characters at the spans of the piece."""
    wanted = piece if isinstance(piece, Piece) else Piece(piece)
    spans, misses = locate([wanted], [Document("a/Guide.pdf", text)])
    assert bool(spans) != bool(misses)
    return [text[span.start : span.end] for span in spans]


@pytest.mark.parametrize(
    ("text", "piece", "there"),
    [
        ("Ray runs tasks.", "runs tasks", "runs tasks"),
        ("The of\ufb01ce in \ufb02ames", "office in flames", "of\ufb01ce in \ufb02ames"),
        ("It runs\n  many\u00a0tasks at once", "runs many tasks", "runs\n  many\u00a0tasks"),
        ("He said \u201cno\u201d to it", 'said "no" to', "said \u201cno\u201d to"),
        ("It\u2019s here", "It's here", "It\u2019s here"),
        ("from 3\u20135 days", "from 3-5 days", "from 3\u20135 days"),
        ("much infor-\nmation is lost", "much information", "much infor-\nmation"),
        ("much infor\u00admation is lost", "much information", "much infor\u00admation"),
        ("a state-of-the-\nart thing", "state-of-the-art", "state-of-the-\nart"),
        ("RAY RUNS", "Ray runs", "RAY RUNS"),
        ("the H\u2082O level", "H2O level", "H\u2082O level"),
    ],
)
def test_what_readers_of_pdfs_change_does_not_matter(text: str, piece: str, there: str) -> None:
    assert found(text, piece) == [there]


def test_a_word_is_not_found_inside_another() -> None:
    assert found("Of arrays and the Ray cluster", "Ray") == ["Ray"]
    assert found("Of arrays", "ray") == []
    assert found("it takes 351 days", "35 1 d") == []


def test_ranges_are_not_run_together() -> None:
    assert found("It takes 35 days, at times 3-5 days.", "3\u20135 days") == ["3-5 days"]


def test_a_few_wrong_characters_are_forgiven_and_many_are_not() -> None:
    text = "Before. The scheduler places every task on a node with free processors. After."
    assert found(text, "The schedular place every task on a node with free procesors") == [
        "The scheduler places every task on a node with free processors"
    ]
    assert found(text, "The scheduler puts all of the jobs onto nodes without any load") == []
    assert found(text, "Processors with free task places, every node: the scheduler") == []


def test_a_page_break_with_footer_and_header_splits_the_evidence() -> None:
    text = (
        "Each task asks for processors, and the scheduler\n\nRay guide 12\n\nChapter 2: Tasks\n"
        "places it on a node that has as many free."
    )
    piece = "asks for processors, and the scheduler places it on a node that has as many free"
    assert found(text, piece) == [
        "asks for processors, and the scheduler",
        "places it on a node that has as many free",
    ]


@pytest.mark.parametrize("name", ["a/Guide.pdf", "Guide.pdf", "guide", "./a/guide.pdf"])
def test_a_document_is_named_by_id_file_name_or_stem(name: str) -> None:
    assert found("Ray runs tasks.", Piece("runs tasks", name)) == ["runs tasks"]


def test_only_the_named_document_is_searched() -> None:
    documents = [Document("a.pdf", "Ray runs tasks."), Document("b.pdf", "Here Ray runs tasks.")]
    spans, misses = locate([Piece("runs tasks", "b")], documents)
    assert [(span.document, span.start) for span in spans] == [("b.pdf", 9)] and not misses


def test_misses_say_what_was_not_found_and_where() -> None:
    documents = [Document("a.pdf", "Ray runs tasks.")]
    pieces = [Piece("keeps state", "a.pdf"), Piece("keeps state"), Piece("runs", "c.pdf"), Piece("runs")]
    spans, misses = locate(pieces, documents)
    assert len(spans) == 1
    assert misses == (
        '"keeps state" is not in a.pdf',
        '"keeps state" is in no document',
        '"runs" is said to be in c.pdf, which is not in the corpus',
    )


def test_a_piece_in_a_paragraph_is_found_at_its_own_place() -> None:
    paragraph = "Ray met Ray Ito in May."
    text = f"Ray.\n\n{paragraph}"
    spans, _ = locate([Piece("Ray", "Title", paragraph, 8)], [Document("x.txt", text)])
    assert [(span.start, span.end) for span in spans] == [(14, 17)]
    spans, _ = locate([Piece("Ray", "Title", paragraph, 8)], [Document("x.txt", text.replace(" ", "\n"))])
    assert [(span.start, span.end) for span in spans] == [(14, 17)]


@pytest.mark.skipif(not SQUAD.exists(), reason="../shared/data/squad-dev-v1.1.json.gz is not there")
def test_every_answer_of_squad_is_found_fast() -> None:
    questions = load_questions(QuestionFile(path=SQUAD.name), SQUAD.as_posix())
    articles = json.loads(gzip.decompress(SQUAD.read_bytes()))["data"]

    def texts(article: dict) -> list[str]:
        return [paragraph["context"] for paragraph in article["paragraphs"]]

    documents = [Document(f"{one['title']}.txt", "\n\n".join(texts(one))) for one in articles]
    by_id = {document.id: document.text for document in documents}
    shelf = Shelf(documents)
    started = time.perf_counter()
    for question in questions:
        (span,), misses = locate(question.pieces, shelf)
        assert by_id[span.document][span.start : span.end] == question.reference and not misses
    assert time.perf_counter() - started < 3
    folded = Shelf(
        Document(f"{number}.txt", "\n\n".join(textwrap.fill(text, 80) for text in texts(one)))
        for number, one in enumerate(articles[:3])
    )
    assert not any(locate(question.pieces, folded)[1] for question in questions[:300])
