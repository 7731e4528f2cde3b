"""HTML: what a reader of the page sees, without its scripts, styles and navigation.

>>> page = b"<title>Limits</title><nav>Home</nav><h1>Rates</h1><p>At most <b>600</b> requests.</p>"
>>> print(read_html(page).text)
Limits
<BLANKLINE>
Rates
<BLANKLINE>
At most 600 requests.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from dream.corpus.encoding import decode
from dream.corpus.registry import Parsed, reader

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

# fmt: off
_DROPPED = frozenset((
    "script", "style", "nav", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "head",
    "title", "select", "datalist",
))
_PARAGRAPHS = frozenset((
    "address", "article", "aside", "blockquote", "body", "details", "dl", "fieldset", "figure", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "ol", "p", "pre", "section", "table",
    "ul",
))
_LINES = frozenset((
    "br", "caption", "dd", "div", "dt", "figcaption", "legend", "li", "option", "summary", "tbody", "tfoot",
    "thead", "tr",
))
# fmt: on
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


@reader(".html", ".htm", ".xhtml")
def read_html(data: bytes) -> Parsed:
    """The page's title and visible text: paragraphs apart by a blank line, a table's row on one line.

    Cells of a row stand between `` | ``. The encoding that the page declares is believed where its
    bytes fit and are not UTF-8.

    Raises:
        UnreadableError: the bytes are no text.
    """
    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
    from bs4.dammit import EncodingDetector
    from bs4.exceptions import ParserRejectedMarkup

    text, note = decode(data, EncodingDetector.find_declared_encoding(data, is_html=True))
    with warnings.catch_warnings():
        # a file may well hold nothing but an address, and XHTML is read as the HTML it also is
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        try:
            soup = BeautifulSoup(text, "html.parser")
        except ParserRejectedMarkup:  # "<![" that opens nothing known; browsers take it for a comment
            soup = BeautifulSoup(text.replace("<![", "<!-["), "html.parser")
    body = _visible_text(soup)
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    if title and body.partition("\n")[0] != title:
        body = f"{title}\n\n{body}".rstrip()
    return Parsed(body, notes=(note,) if note else ())


def _visible_text(soup: BeautifulSoup) -> str:
    from bs4.element import NavigableString, PreformattedString, Tag

    written = _Page()
    # a stack instead of recursion: pages made by programs nest deeper than Python calls
    waiting: list[tuple[object, bool]] = [(soup, False)]
    while waiting:
        node, closing = waiting.pop()
        if isinstance(node, Tag):
            if closing:
                written.close(node.name)
            elif not _is_hidden(node):
                written.open(node.name)
                waiting.append((node, True))
                waiting.extend((child, False) for child in reversed(node.contents))
        elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            written.add(str(node))
    return written.text()


def _is_hidden(tag: Tag) -> bool:
    return tag.name in _DROPPED or tag.has_attr("hidden") or bool(_HIDING.search(str(tag.get("style", ""))))


class _Page:
    """Text as it is laid out: line breaks around blocks, single spaces within, ``pre`` as it stands."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._last = "\n"
        self._cells = self._depth_of_pre = self._depth_of_cell = 0

    def open(self, name: str) -> None:
        self._break(name)
        if name == "tr":
            self._cells = 0
        elif name in {"td", "th"}:
            if self._cells:
                self._write(" | ")
            self._cells += 1
            self._depth_of_cell += 1
        elif name == "pre":
            self._depth_of_pre += 1

    def close(self, name: str) -> None:
        if name == "br":  # broke the line when it opened
            return
        if name in {"td", "th"}:
            self._depth_of_cell -= 1
        elif name == "pre":
            self._depth_of_pre -= 1
        self._break(name)

    def add(self, text: str) -> None:
        if not self._depth_of_pre:
            text = re.sub(r"[ \t\n\r\f\v\xa0]+", " ", text)
            text = text.lstrip(" ") if self._last in " \n" else text
        self._write(text)

    def text(self) -> str:
        text = re.sub(r"[ \t]+(?=\n|\Z)", "", "".join(self._pieces))
        return re.sub(r"\n{3,}", "\n\n", text).strip("\n")

    def _break(self, name: str) -> None:
        if name in _PARAGRAPHS or name in _LINES:
            if self._depth_of_cell and name not in {"tr", "table"}:
                self.add(" ")  # a row stays on its line, whatever its cells hold
            elif name in _PARAGRAPHS:
                self._write("\n\n")
            elif self._last != "\n" or name == "br":
                self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._last = text[-1]
