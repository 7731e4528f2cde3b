"""Questions as a file or a generator gave them, before their evidence is found in the documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A piece of evidence that has yet to be found.

    Attributes:
        text: the words that hold what the answer needs.
        document: id, file name or stem of the document that they stand in; ``None`` if it is not told.
        paragraph: the paragraph around them, where it is known, as in SQuAD.
        offset: where in the paragraph the text starts.
    """

    text: str
    document: str | None = None
    paragraph: str | None = None
    offset: int = 0


@dataclass(frozen=True)
class RawQuestion:
    """A question as it was given.

    Attributes:
        question: what a user asks.
        reference: the answer that is held to be right.
        pieces: its evidence.
        id: as in the file, or made from its row.
        kind: single-hop, multi-hop, numeric, table, unanswerable, or the source's own word.
        origin: name of the file, or of the generator.
        answerable: whether the documents are said to hold an answer.
    """

    question: str
    reference: str
    pieces: tuple[Piece, ...] = ()
    id: str = ""
    kind: str = "single-hop"
    origin: str = ""
    answerable: bool = True
