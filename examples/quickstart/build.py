"""Rebuild the quickstart corpus: one PDF in ``corpus/`` for every Markdown file in ``source/``.

    python examples/quickstart/build.py

A source file opens with front matter (``title``, ``subtitle``, ``organisation``) between two ``---`` lines.
The body may hold headings, paragraphs, lists, tables and fenced code. Running the command again
writes the same bytes: no dates, no random identifiers, and no compression, whose output varies
between zlib versions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageTemplate,
    Paragraph,
    Preformatted,
    Spacer,
    Table,
    TableStyle,
)

HERE = Path(__file__).parent
MARGIN = 27 * mm
TEXT_WIDTH = A4[0] - 2 * MARGIN
INK, ACCENT, RULE = colors.HexColor("#1c2530"), colors.HexColor("#1f5a7a"), colors.HexColor("#b8c4cc")

BODY = ParagraphStyle(
    "body", fontName="Helvetica", fontSize=11, leading=16, spaceAfter=8, textColor=INK,
    splitLongWords=0, allowWidows=0, allowOrphans=0,
)  # fmt: skip
HEADINGS = {
    1: ParagraphStyle("h1", BODY, fontName="Helvetica-Bold", fontSize=15, leading=19, spaceBefore=12),
    2: ParagraphStyle("h2", BODY, fontName="Helvetica-Bold", fontSize=12.5, leading=16, spaceBefore=9),
    3: ParagraphStyle("h3", BODY, fontName="Helvetica-BoldOblique", spaceBefore=5, spaceAfter=4),
}
for heading in HEADINGS.values():
    heading.textColor, heading.keepWithNext = ACCENT, 1
TITLE = ParagraphStyle("title", HEADINGS[1], fontSize=23, leading=28, spaceBefore=0, spaceAfter=4)
SUBTITLE = ParagraphStyle(
    "subtitle", BODY, fontName="Helvetica-Oblique", fontSize=12, leading=16, spaceAfter=14
)
CODE = ParagraphStyle("code", BODY, fontName="Courier", fontSize=8.6, leading=11, leftIndent=8, spaceAfter=9)
CELL = ParagraphStyle("cell", BODY, fontSize=9.6, leading=12.6, spaceAfter=0)
CELL_HEAD = ParagraphStyle("cell-head", CELL, fontName="Helvetica-Bold", textColor=ACCENT)
ALIGNMENTS = {"text-align:right": TA_RIGHT, "text-align:center": TA_CENTER}


@dataclass(frozen=True)
class Source:
    """One Markdown file: its front matter and its body."""

    title: str
    subtitle: str
    organisation: str
    body: str


def read_source(path: Path) -> Source:
    """Split a source file into front matter and body.

    Raises:
        ValueError: the front matter lacks a field, or a character is missing from the PDF's built-in fonts.
    """
    text = path.read_text(encoding="utf-8")
    try:
        text.encode("cp1252")
    except UnicodeEncodeError as error:
        raise ValueError(f"{path}: the built-in PDF fonts lack {text[error.start]!r}") from error
    _, front, body = text.split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.splitlines() if line.strip())
    missing = {"title", "subtitle", "organisation"} - fields.keys()
    if missing:
        raise ValueError(f"{path}: the front matter lacks {', '.join(sorted(missing))}")
    return Source(fields["title"], fields["subtitle"], fields["organisation"], body)


def inline_markup(node: SyntaxTreeNode) -> str:
    """Turn inline Markdown into reportlab's paragraph markup: bold, italic, code and plain text."""
    if node.type == "text":
        return escape(node.content)
    if node.type == "softbreak":
        return " "
    if node.type == "code_inline":
        return f'<font face="Courier">{escape(node.content)}</font>'
    inner = "".join(inline_markup(child) for child in node.children)
    tag = {"strong": "b", "em": "i"}.get(node.type)
    return f"<{tag}>{inner}</{tag}>" if tag else inner


def flowables(node: SyntaxTreeNode, depth: int = 0) -> Iterator[Flowable]:
    """Yield what reportlab lays out for one block of the document, in reading order.

    Raises:
        ValueError: the block is of a kind that the corpus does not use, such as an image.
    """
    if node.type == "heading":
        yield Paragraph(inline_markup(node), HEADINGS[int(node.tag[1])])
    elif node.type == "paragraph":
        yield Paragraph(inline_markup(node), BODY)
    elif node.type in ("bullet_list", "ordered_list"):
        yield from list_items(node, depth)
    elif node.type == "table":
        yield table(node)
        yield Spacer(1, 9)
    elif node.type == "fence":
        yield Preformatted(node.content.rstrip(), CODE)
    else:
        raise ValueError(f"cannot lay out a {node.type} block")


def list_items(node: SyntaxTreeNode, depth: int) -> Iterator[Flowable]:
    """Yield the items of a list, the nested ones indented further."""
    indent = 16 * (depth + 1)
    style = ParagraphStyle(
        "item", BODY, leftIndent=indent, bulletIndent=indent - 14, bulletFontSize=BODY.fontSize, spaceAfter=4
    )
    for number, item in enumerate(node.children, start=1):
        marker: str | None = f"{number}." if node.type == "ordered_list" else "–"
        for block in item.children:
            if block.type == "paragraph":
                yield Paragraph(inline_markup(block), style, bulletText=marker)
                marker = None
            else:
                yield from flowables(block, depth + 1)
    if depth == 0:
        yield Spacer(1, 4)


def table(node: SyntaxTreeNode) -> Table:
    """Lay a table out over the whole width; a row never breaks over two pages."""
    rows = [row.children for part in node.children for row in part.children]
    cells = [[cell_paragraph(cell) for cell in row] for row in rows]
    ruling = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, 0), 0.9, ACCENT),
            ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        ]
    )
    return Table(cells, colWidths=column_widths(cells), style=ruling, repeatRows=1)


def cell_paragraph(cell: SyntaxTreeNode) -> Paragraph:
    """Set one cell, aligned as its Markdown column says."""
    base = CELL_HEAD if cell.type == "th" else CELL
    alignment = ALIGNMENTS.get(str(cell.attrs.get("style", "")), TA_LEFT)
    return Paragraph(inline_markup(cell), ParagraphStyle("aligned", base, alignment=alignment))


def column_widths(cells: list[list[Paragraph]]) -> list[float]:
    """Share the text width: each column gets its longest word, then room as its longest cell needs it."""

    def width(text: str) -> float:
        return float(stringWidth(text, "Helvetica-Bold", CELL.fontSize))

    columns = [[cell.getPlainText() for cell in column] for column in zip(*cells, strict=True)]
    needed = [max(map(width, " ".join(column).split()), default=0.0) + 14 for column in columns]
    longest = [min(max(map(width, column)), 210) + 14 for column in columns]
    wanted = [max(length - need, 1) for length, need in zip(longest, needed, strict=True)]
    spare = TEXT_WIDTH - sum(needed)
    return [need + spare * want / sum(wanted) for need, want in zip(needed, wanted, strict=True)]


def build_pdf(source: Source, target: Path) -> int:
    """Write one PDF and return its number of pages."""

    def header(canvas: Any, _document: BaseDocTemplate) -> None:
        canvas.setFont("Helvetica", 8.5)
        canvas.setFillColor(ACCENT)
        canvas.drawString(MARGIN, A4[1] - 15 * mm, source.title)
        canvas.setStrokeColor(RULE)
        canvas.line(MARGIN, A4[1] - 17 * mm, A4[0] - MARGIN, A4[1] - 17 * mm)

    # Drawn when the page is full, so that the extracted text of a page ends with its footer.
    def footer(canvas: Any, document: BaseDocTemplate) -> None:
        canvas.setFont("Helvetica", 8.5)
        canvas.setFillColor(ACCENT)
        canvas.drawString(MARGIN, 13 * mm, source.organisation)
        canvas.drawRightString(A4[0] - MARGIN, 13 * mm, f"Page {document.page}")

    frame = Frame(MARGIN, 19 * mm, TEXT_WIDTH, A4[1] - 40 * mm, leftPadding=0, rightPadding=0)
    document = BaseDocTemplate(
        str(target), pagesize=A4, title=source.title, author=source.organisation,
        subject=source.subtitle, invariant=1, pageCompression=0,
    )  # fmt: skip
    document.addPageTemplates(PageTemplate(frames=[frame], onPage=header, onPageEnd=footer))
    root = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(source.body))
    story = [Paragraph(escape(source.title), TITLE), Paragraph(escape(source.subtitle), SUBTITLE)]
    document.build(story + [flowable for block in root.children for flowable in flowables(block)])
    return int(document.page)


def main() -> None:
    """Build every PDF and say how many pages each has."""
    corpus = HERE / "corpus"
    corpus.mkdir(exist_ok=True)
    for path in sorted((HERE / "source").glob("*.md")):
        pages = build_pdf(read_source(path), corpus / f"{path.stem}.pdf")
        print(f"{path.stem}.pdf  {pages} pages")


if __name__ == "__main__":
    main()
