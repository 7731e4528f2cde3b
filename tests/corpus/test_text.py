"""Text, Markdown and HTML: encodings are found or told, and spans count what stands in the file."""

from __future__ import annotations

import os

import pytest

from dream.corpus import read_document
from dream.records import Document, Problem

FRENCH = "Le café est fermé l’été. La crème brûlée coûte 5 € – voilà. Où êtes-vous allés ?\n"
POLISH = "Wysokość kwoty określa załącznik do umowy, którą złożyli pracownicy.\n"


def read(name: str, data: bytes) -> tuple[Document, tuple[Problem, ...]]:
    document, problems = read_document(name, data, name)
    assert document is not None
    return document, problems


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.MARKDOWN"])
def test_utf8_is_read_as_it_stands(name: str, encoding: str) -> None:
    document, problems = read(name, FRENCH.encode(encoding))
    assert document.text == FRENCH
    assert document.pages == ()
    assert problems == ()


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        (FRENCH, "cp1252", "cp1252"),
        ("naïve café", "cp1252", "cp1252"),
        (FRENCH, "utf-16", "utf_16"),
        (FRENCH, "utf-16-le", "utf_16_le"),
        ("plain letters only, no accents at all\n", "utf-16-le", "utf_16_le"),
        (POLISH, "cp1250", "cp1250"),
        ("これは日本語の文章です。検索の評価に使います。\n", "shift_jis", "cp932"),
    ],
)
def test_another_encoding_is_read_and_named(text: str, encoding: str, named: str) -> None:
    document, problems = read("a.txt", text.encode(encoding))
    assert document.text == text
    assert [(problem.kind, problem.skipped) for problem in problems] == [("encoding", False)]
    assert f"read as {named}," in problems[0].reason


def test_utf8_with_a_broken_letter_keeps_the_others() -> None:
    document, problems = read("a.txt", FRENCH.encode().replace("û".encode(), b"\xc3", 1))
    assert "fermé l’été. La crème br\ufffdlée" in document.text
    assert [(problem.kind, problem.skipped) for problem in problems] == [("encoding", False)]


@pytest.mark.parametrize(
    "data", [os.urandom(3000), bytes(range(256)) * 9, b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" * 99]
)
def test_binary_junk_is_skipped(data: bytes) -> None:
    document, problems = read_document("a.txt", data, "")
    assert document is None
    assert [(problem.kind, problem.skipped) for problem in problems] == [("encoding", True)]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \n\n\t"])
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_nothing_but_white_space_is_empty(name: str, data: bytes) -> None:
    document, problems = read_document(name, data, "")
    assert document is None
    assert [problem.kind for problem in problems] == ["empty"]


def test_lines_end_the_same_on_every_system() -> None:
    assert read("a.txt", b"one\r\ntwo\rthree\n")[0].text == "one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("---\ntitle: Limits\ntags: [a]\n---\n\nAt *most* 600.\n", "# Limits\n\nAt *most* 600.\n"),
        ("---\ntitle: Limits\n---\n# Limits of use\n", "# Limits of use\n"),
        ("---\n\nA rule above.\n\n---\n", "---\n\nA rule above.\n\n---\n"),
        ("---\na: [\n---\ntext\n", "---\na: [\n---\ntext\n"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "| a | b |\n|---|---|\n| 1 | 2 |\n"),
    ],
)
def test_markdown_stays_but_for_its_front_matter(markdown: str, text: str) -> None:
    assert read("a.md", markdown.encode())[0].text == text


def test_html_is_what_one_sees() -> None:
    page = """<!DOCTYPE html><html><head><title>Limits of use</title><style>p {color: red}</style></head>
    <body><nav><a href="/">Home</a></nav><script>track()</script><h1>Rates</h1>
    <p>At most <b>600</b> re<i>quests</i> &amp;
       no more.<p>Twice.<br>Thrice.<!-- secret -->
    <p hidden>Draft.</p><div style="display: none">Ghost.</div>
    <table><caption>By plan</caption><tr><th>plan</th><th>limit</th></tr>
    <tr><td>free</td><td><p>60</p></td></tr><tr><td></td><td>600</td></tr></table>
    <ul><li>one<li>two</ul><pre>def f():
    return 1</pre></body></html>"""
    document, problems = read("a.html", page.encode())
    assert problems == ()
    assert document.text.split("\n") == [
        "Limits of use", "", "Rates", "", "At most 600 requests & no more.", "", "Twice.", "Thrice.", "",
        "By plan", "plan | limit", "free | 60", " | 600", "", "one", "two", "", "def f():", "    return 1",
    ]  # fmt: skip


def test_the_title_is_not_said_twice() -> None:
    assert read("a.htm", b"<title>Rates</title><h1>Rates</h1><p>600")[0].text == "Rates\n\n600"


def test_the_encoding_that_a_page_declares_is_believed_where_it_fits() -> None:
    page = f'<meta charset="iso-8859-2"><p>{POLISH.strip()}</p>'
    document, problems = read("a.html", page.encode("iso-8859-2"))
    assert (document.text, problems) == (POLISH.strip(), ())
    document, problems = read("a.html", page.encode("utf-8"))
    assert (document.text, problems) == (POLISH.strip(), ())


def test_odd_markup_is_read_as_browsers_do() -> None:
    assert read("a.html", b"<div>" * 20_000 + b"deep")[0].text == "deep"
    assert read("a.html", b"<![odd <p>one</p><p>two</p>")[0].text.endswith("two")
    assert read("a.html", b"<tr><td>a<td>b<tr><td>c<td>d")[0].text == "a | b\nc | d"
