"""Files as users have them, made on the spot: PDFs that are whole, broken, locked, empty and scanned."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import NameObject, StreamObject
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

PAGES = (
    "Retrieval comes first.\nIt finds twelve passages for each question.",
    "Generation comes second.\nIt answers from the passages alone.",
    "Judging comes last.\nIt says whether the answer is faithful.",
)


def pdf(*pages: str | Callable[[Canvas], None], font: str = "Helvetica") -> bytes:
    """A PDF with these pages; a page that is a function draws itself."""
    if font == "Vera":
        pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))  # comes with reportlab, and has ligatures
    written = io.BytesIO()
    canvas = Canvas(written, invariant=True)
    for page in pages:
        if callable(page):
            page(canvas)
        else:
            canvas.setFont(font, 11)
            for number, line in enumerate(page.split("\n")):
                canvas.drawString(60, 780 - 14 * number, line)
        canvas.showPage()
    canvas.save()
    return written.getvalue()


def scan(canvas: Canvas) -> None:
    """A page that is a picture, with the stamp that scanners leave."""
    canvas.drawImage(ImageReader(Image.new("RGB", (60, 80), "grey")), 50, 50, 400, 600)
    canvas.drawString(60, 20, "scan 7")


def blank(canvas: Canvas) -> None:
    """A page with nothing on it."""


def outlines(canvas: Canvas) -> None:
    """A page whose letters were turned into lines."""
    canvas.line(50, 50, 300, 300)


def locked(data: bytes, user_password: str) -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(user_password, "the owner's", algorithm="AES-256")
    return _bytes_of(writer)


def with_unknown_filter(data: bytes, page: int) -> bytes:
    """The page's content is packed in a way that no one knows."""
    writer = PdfWriter(clone_from=io.BytesIO(data))
    content = StreamObject()
    content._data = b"0 1 2 3"
    content[NameObject("/Filter")] = NameObject("/Unheard")
    writer.pages[page - 1][NameObject("/Contents")] = writer._add_object(content)
    return _bytes_of(writer)


def with_flipped_bytes(data: bytes, page: int) -> bytes:
    """Some bytes of the page's packed content are changed, as by a bad disk."""
    writer = PdfWriter(clone_from=io.BytesIO(data))
    for each in writer.pages:
        each.compress_content_streams()
    content = writer.pages[page - 1]["/Contents"].get_object()
    packed = content._data
    damaged = bytearray(_bytes_of(writer))
    start = damaged.index(packed)
    for position in range(start + 20, start + 30):
        damaged[position] ^= 0x55
    return bytes(damaged)


def with_foreign_lock(data: bytes) -> bytes:
    """Encrypted by a scheme of its own, as some publishers' shops do."""
    return re.sub(rb"/Filter\s*/Standard", b"/Filter /Strange1", locked(data, ""))


def with_lost_page(data: bytes, page: int) -> bytes:
    """The page's object is overwritten; the others and the list of pages are whole."""
    of_page = [found.start() for found in re.finditer(rb"/Type /Page\b", data)][page - 1]
    start = max(found.start() for found in re.finditer(rb"\d+ 0 obj", data) if found.start() < of_page)
    return data[:start] + b"xxxxxxx" + data[start + 7 :]


def _bytes_of(writer: PdfWriter) -> bytes:
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()
