"""PDFs: pages are kept, letters are mended, and each way to be broken has its own words."""

from __future__ import annotations

import logging

import pytest

from dream.corpus import read_document
from dream.records import Document, Problem
from tests.corpus import files
from tests.corpus.files import PAGES, pdf


def read(data: bytes) -> tuple[Document | None, tuple[Problem, ...]]:
    return read_document("a.pdf", data, "corpus/a.pdf")


def document_of(data: bytes) -> Document:
    document, _ = read(data)
    assert document is not None
    return document


def test_pages_are_joined_by_a_blank_line_and_found_by_their_starts() -> None:
    document, problems = read(pdf(*PAGES))
    assert document is not None
    assert problems == ()
    assert document.text == "\n\n".join(PAGES)
    for number, (start, page) in enumerate(zip(document.pages, PAGES, strict=True), 1):
        assert document.text[start : start + len(page)] == page
        assert document.page_at(start) == document.page_at(start + len(page) - 1) == number


def test_a_page_without_text_keeps_its_number() -> None:
    document, problems = read(pdf(PAGES[0], files.blank, PAGES[1]))
    assert document is not None
    assert problems == ()
    assert document.page_at(document.text.index("Generation")) == 3


def test_ligatures_and_soft_hyphens_become_plain_letters() -> None:
    data = pdf("The \ufb01rst con\u00ad\nnection may over\ufb02ow, as is well-\nknown.", font="Vera")
    assert document_of(data).text == "The first connection may overflow, as is well-\nknown."


def test_reading_is_the_same_each_time() -> None:
    data = pdf(*PAGES, files.scan)
    assert read(data) == read(data)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (pdf(*PAGES)[: len(pdf(*PAGES)) // 2], "corrupt", "download it again"),
        (b"<html>Sign in to download</html>", "corrupt", "not a PDF"),
        (files.with_unknown_filter(pdf(PAGES[0]), 1), "corrupt", "give no text"),
        (files.locked(pdf(*PAGES), "secret"), "encrypted", "password"),
        (files.with_foreign_lock(pdf(*PAGES)), "encrypted", "print it"),
        (b"", "empty", "no bytes"),
        (pdf(files.blank, files.blank), "empty", "no text"),
        (pdf(files.scan, files.scan), "image-only", "OCR"),
        (pdf(files.outlines), "image-only", "OCR"),
    ],
    ids=["half", "html", "all-pages", "locked", "foreign-lock", "no-bytes", "blank", "scan", "outlines"],
)
def test_a_file_that_gives_nothing_is_one_problem_that_says_why(data: bytes, kind: str, words: str) -> None:
    document, problems = read(data)
    assert document is None
    assert [(problem.id, problem.kind, problem.skipped) for problem in problems] == [("a.pdf", kind, True)]
    assert words in problems[0].reason
    assert "; " in problems[0].reason, "it says what to do"


def test_a_file_that_is_locked_without_a_password_is_read() -> None:
    document, problems = read(files.locked(pdf(*PAGES), ""))
    assert document is not None
    assert document.text == "\n\n".join(PAGES)
    assert problems == ()


@pytest.mark.parametrize("damage", [files.with_unknown_filter, files.with_flipped_bytes])
def test_a_damaged_page_is_named_and_the_others_are_kept(damage) -> None:  # type: ignore[no-untyped-def]
    document, problems = read(damage(pdf(*PAGES), 2))
    assert document is not None
    assert document.page_at(document.text.index("Judging")) == 3
    assert "Generation" not in document.text
    assert [(problem.kind, problem.skipped) for problem in problems] == [("corrupt", False)]
    assert "missing: 2;" in problems[0].reason


def test_a_page_that_cannot_be_found_is_told() -> None:
    document, problems = read(files.with_lost_page(pdf(*PAGES), 2))
    assert document is not None
    assert "Judging" in document.text
    assert [(problem.kind, problem.skipped) for problem in problems] == [("corrupt", False)]
    assert "only 2 of its 3 pages" in problems[0].reason


def test_a_page_whose_content_cannot_be_found_is_told() -> None:
    data = pdf(*PAGES).replace(b"/Contents 11 0 R", b"/Contents 99 0 R", 1)
    document, problems = read(data)
    assert document is not None
    assert [(problem.kind, problem.skipped) for problem in problems] == [("corrupt", False)]


def test_damage_in_the_inner_lists_is_told() -> None:
    whole = pdf(*PAGES)
    data = whole.replace(b"/Rotate 0", b"/Rotate )", 1)
    document, problems = read(data)
    assert document is not None
    assert [(problem.kind, problem.skipped) for problem in problems] == [("corrupt", False)]
    assert "may be missing" in problems[0].reason


def test_scanned_pages_among_others_are_named() -> None:
    document, problems = read(pdf(PAGES[0], files.scan, files.scan, PAGES[1], files.blank, files.scan))
    assert document is not None
    assert "Generation" in document.text
    assert [(problem.kind, problem.skipped) for problem in problems] == [("image-only", False)]
    assert "2-3, 6;" in problems[0].reason


def test_a_short_page_without_images_is_a_document() -> None:
    document, problems = read(pdf("Yes."))
    assert document is not None
    assert document.text == "Yes."
    assert problems == ()


def test_pypdf_does_not_write_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    held, logging.root.handlers = logging.root.handlers, []  # as in a program that set up no logging
    try:
        read(pdf(*PAGES)[:-300])
        read(files.with_flipped_bytes(pdf(*PAGES), 2))
    finally:
        logging.root.handlers = held
    assert capfd.readouterr().err == ""


def test_any_bytes_whatever_give_a_document_or_a_problem() -> None:
    data = pdf(*PAGES)
    for position in range(0, len(data), 97):
        hurt = data[:position] + b"\x00)>>" + data[position + 4 :]
        document, problems = read(hurt)
        assert document is not None or problems
