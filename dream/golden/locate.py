"""Finds pieces of evidence as character spans in the documents.

Three ways are tried, the strictest first, each over all documents in question:

1. the very characters;
2. the same text in normal form (see ``dream.golden.normal``), also in two parts where a footer and a
   header stand between them;
3. the most similar place, if rapidfuzz' ``partial_ratio_alignment`` in normal form gives 90 or more of
   100, which lets about one character in ten differ.

A text that stands in several places is taken to mean the first that does not begin or end inside a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dream.golden.normal import normalise
from dream.golden.raw import Piece
from dream.golden.shelf import Shelf, Volume, words_of
from dream.records import Document, Span

SIMILARITY = 90.0

# In normalised characters. Shorter texts resemble too much by chance; a footer and header are not longer.
_SHORTEST_SIMILAR = 16
_SHORTEST_PART = 16
_LONGEST_BREAK = 600


def locate(
    pieces: Sequence[Piece], documents: Shelf | Sequence[Document]
) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    r"""The spans of the pieces, and what is to be said of each piece that was not found.

    Args:
        pieces: of one question.
        documents: the corpus; make a ``Shelf`` once if there are many questions.

    Returns:
        The spans, in the order of the pieces and none twice; a piece that is broken by a page gives two.
        The misses, each a clause such as ``"…" is not in a.pdf``.

    >>> document = Document("a.pdf", "The of\ufb01ce opens at\nnine.")
    >>> locate([Piece("office opens at nine"), Piece("closes at six")], [document])
    ((Span(document='a.pdf', start=4, end=23),), ('"closes at six" is in no document',))
    """
    shelf = documents if isinstance(documents, Shelf) else Shelf(documents)
    spans: dict[Span, None] = {}
    misses = []
    for piece in pieces:
        found = _locate_in_paragraph(piece, shelf) if piece.paragraph else _locate_piece(piece, shelf)
        if isinstance(found, str):
            misses.append(found)
        else:
            spans |= dict.fromkeys(found)
    return tuple(spans), tuple(misses)


def _locate_piece(piece: Piece, shelf: Shelf) -> list[Span] | str:
    said = f'"{_short(piece.text)}"'
    volumes: Sequence[Volume] = shelf.volumes
    if piece.document is not None:
        volumes = shelf.named(piece.document)
        if not volumes:
            return f"{said} is said to be in {piece.document}, which is not in the corpus"
    if spans := _find(piece.text, volumes):
        return spans
    return f"{said} is not in {piece.document}" if piece.document else f"{said} is in no document"


def _locate_in_paragraph(piece: Piece, shelf: Shelf) -> list[Span] | str:
    """SQuAD's way: find the paragraph, which is long enough to be found for sure, then count from there."""
    assert piece.paragraph is not None
    if piece.paragraph not in shelf.paragraphs:
        # the title is a hint only: the documents may be named otherwise
        volumes = shelf.named(piece.document or "") or shelf.volumes
        shelf.paragraphs[piece.paragraph] = next(
            (
                (volume.document.id, start)
                for volume in volumes
                if (start := volume.document.text.find(piece.paragraph)) >= 0
            ),
            None,
        )
    if place := shelf.paragraphs[piece.paragraph]:
        document, start = place
        return [Span(document, start + piece.offset, start + piece.offset + len(piece.text))]
    # the paragraph was re-flowed on its way into the document: find it, then the text inside it
    volumes = shelf.named(piece.document or "") or shelf.volumes
    for around in _find(piece.paragraph, volumes):
        whole = next(volume.document for volume in volumes if volume.document.id == around.document)
        part = Document(whole.id, whole.text[around.start : around.end])
        share = piece.offset / len(piece.paragraph)
        spans = [Span(whole.id, at.start, at.end) for at in _every(piece.text, Volume(part), cut=True)]
        if spans:
            nearest = min(spans, key=lambda span: abs(span.start - share * len(part.text)))
            return [Span(whole.id, around.start + nearest.start, around.start + nearest.end)]
    return f'the paragraph of "{_short(piece.text)}" is in no document'


def _find(text: str, volumes: Sequence[Volume]) -> list[Span]:
    """The spans of a text in the first document that holds it, by the strictest way that finds it."""
    for volume in volumes:
        document = volume.document
        if (start := _whole_word(document.text, text)) is not None:
            return [Span(document.id, start, start + len(text))]
    wanted = normalise(text).text
    if not wanted:
        return []
    for volume in volumes:
        if span := next(_every(text, volume), None):
            return [span]
    for volume in volumes:
        if spans := _in_two_parts(wanted, volume):
            return spans
    return _most_similar(text, wanted, volumes)


def _whole_word(text: str, wanted: str) -> int | None:
    """Where the wanted characters stand, if possible not inside a word."""
    first = start = text.find(wanted)
    while start >= 0:
        if not _cuts_a_word(text, start, start + len(wanted)):
            return start
        start = text.find(wanted, start + 1)
    # a text of one word must not be found inside another: "Ray" is not in "arrays"
    return first if first >= 0 and len(wanted.split()) > 1 else None


def _cuts_a_word(text: str, start: int, end: int) -> bool:
    cut_before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    return cut_before or (end < len(text) and text[end - 1].isalnum() and text[end].isalnum())


def _every(text: str, volume: Volume, cut: bool = False) -> Iterator[Span]:
    """The places of a text in normal form; those that cut a word only if that is allowed."""
    wanted, normal = normalise(text).text, volume.normal
    start = normal.text.find(wanted) if wanted else -1
    while start >= 0:
        begin, end = normal.original(start, start + len(wanted))
        if cut or not _cuts_a_word(volume.document.text, begin, end):
            yield Span(volume.document.id, begin, end)
        start = normal.text.find(wanted, start + 1)


def _in_two_parts(wanted: str, volume: Volume) -> list[Span]:
    """A text with a page's end inside it: its longest beginning that is there, then the rest."""
    normal = volume.normal
    if len(wanted) < 2 * _SHORTEST_PART or wanted[:_SHORTEST_PART] not in normal.text:
        return []
    # any part of a text that is there is there as well, so the longest can be found by halving
    longest, too_long = _SHORTEST_PART, len(wanted)
    while too_long - longest > 1:
        middle = (longest + too_long) // 2
        longest, too_long = (middle, too_long) if wanted[:middle] in normal.text else (longest, middle)
    start = normal.text.find(wanted[:longest])
    # the footer may begin with the character that the text goes on with, so the cut may be a little earlier
    for cut in range(longest, max(longest - 8, _SHORTEST_PART - 1), -1):
        if len(wanted) - cut < _SHORTEST_PART:
            continue
        rest = normal.text.find(wanted[cut:], start + cut, start + len(wanted) + _LONGEST_BREAK)
        if rest >= 0:
            parts = [(start, start + cut), (rest, rest + len(wanted) - cut)]
            return [Span(volume.document.id, *normal.original(*part)) for part in parts]
    return []


def _most_similar(text: str, wanted: str, volumes: Sequence[Volume]) -> list[Span]:
    from rapidfuzz import fuzz

    if len(wanted) < _SHORTEST_SIMILAR:
        return []
    words = words_of(text)
    best: Span | None = None
    best_score = SIMILARITY
    for volume in volumes:
        normal = volume.normal
        # a place that is similar to nine tenths shares most words; comparing characters is slow
        if len(normal.text) < len(wanted) or len(words & volume.words) < len(words) / 2:
            continue
        at = fuzz.partial_ratio_alignment(wanted, normal.text, score_cutoff=best_score)
        if at is not None and at.dest_end > at.dest_start and (best is None or at.score > best_score):
            best_score = at.score
            best = _to_word_ends(volume.document, *normal.original(at.dest_start, at.dest_end))
    return [best] if best else []


def _to_word_ends(document: Document, start: int, end: int) -> Span:
    text = document.text
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return Span(document.id, start, end)


def _short(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= 60 else said[:57] + "…"
