"""PDF: the text of every page, where each page starts, and which pages gave none."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dream.corpus.pypdf_log import damage_heard
from dream.corpus.registry import Note, Parsed, UnreadableError, reader

if TYPE_CHECKING:
    from pypdf import PdfReader

PAGE_BREAK = "\n\n"

# A page that shows an image and fewer letters and digits than this is a scan with a stamp on it.
_LETTERS_OF_A_SCAN = 20

_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_CONTROLS = dict.fromkeys((*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)))
_LETTERS = {**_LIGATURES, **_CONTROLS, 0x09: " ", 0x0D: "\n", 0xA0: " "}


@dataclass(frozen=True)
class _Page:
    text: str
    damaged: bool
    scanned: bool
    drawn: bool


@reader(".pdf")
def read_pdf(data: bytes) -> Parsed:
    """The pages' texts, joined by a blank line; page ``n`` starts at ``pages[n - 1]``.

    A page without text keeps its place, so that page numbers are the file's own. An encrypted file
    that opens without a password is read.

    Raises:
        UnreadableError: the file is damaged as a whole, wants a password, or shows only images.
    """
    with damage_heard() as damage:
        pages = []
        source = _open(data)
        promised, broken = _promised_pages(source), bool(damage)
        for number in range(len(source.pages)):
            damage.clear()
            pages.append(_read_page(source, number, damage))
    notes = _judge(pages, promised, broken)
    starts, position = [], 0
    for page in pages:
        starts.append(position)
        position += len(page.text) + len(PAGE_BREAK)
    return Parsed(PAGE_BREAK.join(page.text for page in pages), tuple(starts), notes)


def clean(text: str) -> str:
    r"""A page's text as one would type it.

    Ligatures become their letters, soft hyphens go and join the word they split, accents join their
    letters (NFC), no-break spaces become spaces, control characters go, lines lose trailing spaces.
    A hard hyphen at the end of a line stays: it may belong to the word.

    >>> clean("The \ufb01rst con\u00ad\nnection is well-\nknown.  ")
    'The first connection is well-\nknown.'
    """
    # pypdf gives halves of surrogate pairs where a font's own table is wrong; no file can hold them
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = unicodedata.normalize("NFC", text.translate(_LETTERS))
    text = re.sub("\u00ad[ ]*\n[ ]*|\u00ad", "", text)
    text = re.sub(r" +(?=\n|\Z)", "", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def ranges(numbers: list[int]) -> str:
    """Page numbers as a person writes them.

    >>> ranges([2, 5, 6, 7])
    '2, 5-7'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _open(data: bytes) -> PdfReader:
    from pypdf import PdfReader

    if b"%PDF-" not in data[:1024]:  # where the standard allows the header to stand
        raise UnreadableError("corrupt", "it is not a PDF, whatever its name says; get the file again")
    try:
        source = PdfReader(io.BytesIO(data))
        if source.is_encrypted and not source.decrypt(""):
            raise UnreadableError("encrypted", "it asks for a password; save a copy without one")
    except NotImplementedError:
        reason = "it is encrypted in a way that cannot be opened; print it to a new PDF"
        raise UnreadableError("encrypted", reason) from None
    if not len(source.pages):
        raise UnreadableError("corrupt", "no page of it can be found; export or download it again")
    return source


def _promised_pages(source: PdfReader) -> int:
    """How many pages the file says it has; a page whose object is broken is not among those it gives."""
    try:
        root: Any = source.trailer["/Root"]
        return int(root["/Pages"]["/Count"])
    except Exception:  # noqa: BLE001 - a damaged count is no reason to lose the pages
        return 0


def _read_page(source: PdfReader, number: int, damage: list[str]) -> _Page:
    try:
        page = source.pages[number]
        text = clean(page.extract_text())
    except MemoryError:
        raise  # this machine's trouble, not the file's
    except Exception:  # noqa: BLE001 - pypdf raises whatever the bytes lead it to; the other pages go on
        return _Page("", damaged=True, scanned=False, drawn=False)
    few = sum(letter.isalnum() for letter in text) < _LETTERS_OF_A_SCAN
    scanned = few and _holds_image(page)
    return _Page(text, bool(damage), scanned, drawn=scanned or (not text and _paints(page)))


def _holds_image(page: Any) -> bool:
    try:
        return _image_among(page.get("/Resources"), depth=0) or bool(
            re.search(rb"\sBI\s.*?\sID\s", _content(page), re.DOTALL)
        )
    except Exception:  # noqa: BLE001 - a damaged list of images is no reason to lose the page's text
        return False


def _image_among(resources: Any, depth: int) -> bool:
    """Whether an image is among the resources, or among those of a form that is drawn as one."""
    objects = resources and resources.get_object().get("/XObject")
    for reference in objects.get_object().values() if objects else ():
        held = reference.get_object()
        if held.get("/Subtype") == "/Image":
            return True
        # forms may name each other in a circle
        if held.get("/Subtype") == "/Form" and depth < 4 and _image_among(held.get("/Resources"), depth + 1):
            return True
    return False


def _paints(page: Any) -> bool:
    """Whether the page fills or strokes anything: letters drawn as lines are no text, but no void either."""
    try:
        return bool(re.search(rb"(?:^|\s)(?:[fBb]\*?|F|S|s|sh|Do)(?:\s|$)", _content(page)))
    except Exception:  # noqa: BLE001 - as above
        return False


def _content(page: Any) -> bytes:
    content = page.get_contents()
    return bytes(content.get_data()) if content is not None else b""


def _judge(pages: list[_Page], promised: int, broken: bool) -> tuple[Note, ...]:
    """What is to be said of the pages; raises where they make no document."""
    damaged = [number for number, page in enumerate(pages, 1) if page.damaged]
    scanned = [number for number, page in enumerate(pages, 1) if page.scanned]
    if not any(page.text and not page.scanned for page in pages):
        if damaged or broken:
            raise UnreadableError(
                "corrupt", "its pages are damaged and give no text; export or download it again"
            )
        if any(page.drawn for page in pages):
            reason = f"its pages ({len(pages)}) show images and next to no text; run OCR on it first"
            raise UnreadableError("image-only", reason)
        raise UnreadableError(
            "empty", "its pages hold no text and show nothing; remove it or export it again"
        )
    notes = []
    if damaged:
        reason = (
            f"of its {len(pages)} pages these are damaged and their text may be missing: {ranges(damaged)}; "
            "export or download it again"
        )
        notes.append(Note("corrupt", reason))
    if promised > len(pages):
        reason = f"only {len(pages)} of its {promised} pages can be found; export or download it again"
        notes.append(Note("corrupt", reason))
    elif broken and not damaged:
        reason = "its inner lists are damaged and text may be missing; export or download it again"
        notes.append(Note("corrupt", reason))
    if scanned:
        reason = (
            f"of its {len(pages)} pages these show images and next to no text: {ranges(scanned)}; "
            "run OCR on it if they hold text"
        )
        notes.append(Note("image-only", reason))
    return tuple(notes)
