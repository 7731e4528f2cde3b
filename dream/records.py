"""The nouns of DREAM: frozen records that travel between the floors, and into files.

Every record turns into plain JSON types with ``to_json`` and comes back with ``from_json``,
so that the ledger, Ray and the report read the same thing.

>>> Span("a.pdf", 10, 14)
Span(document='a.pdf', start=10, end=14)
>>> from_json(Span, to_json(Span("a.pdf", 10, 14)))
Span(document='a.pdf', start=10, end=14)
"""

from __future__ import annotations

import functools
import hashlib
import html
import json
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter

Record = TypeVar("Record")

# A chunk that holds this share of a piece of evidence counts as holding it, whatever the chunking.
COVERED = 0.5


@dataclass(frozen=True)
class Span:
    """The characters ``start`` up to, not including, ``end`` of a document's text."""

    document: str
    start: int
    end: int

    def overlap(self, other: Span) -> int:
        """Number of characters that both spans hold.

        >>> Span("a", 0, 10).overlap(Span("a", 8, 20)), Span("a", 0, 10).overlap(Span("b", 0, 10))
        (2, 0)
        """
        if self.document != other.document:
            return 0
        return max(0, min(self.end, other.end) - max(self.start, other.start))


@dataclass(frozen=True)
class Document:
    """A text with its origin.

    Attributes:
        id: the path under the corpus folder or prefix, with ``/`` between parts; unique in a corpus.
        text: the whole text; spans count its characters.
        pages: where each page starts in ``text``, empty where the format has no pages.
        origin: the file or ``s3://`` address it was read from.
        digest: SHA-256 of the bytes that were read.
    """

    id: str
    text: str
    pages: tuple[int, ...] = ()
    origin: str = ""
    digest: str = ""

    def page_at(self, position: int) -> int | None:
        """Number of the page, from 1, that holds the character at ``position``.

        >>> Document("a", "one two", pages=(0, 4)).page_at(5)
        2
        """
        if not self.pages:
            return None
        return sum(1 for start in self.pages if start <= position) or 1


@dataclass(frozen=True)
class Chunk:
    """A piece of a document, as a retriever returns it (LlamaIndex: node).

    Attributes:
        id: unique within its index.
        text: what the language model is shown.
        span: where the text stands in its document; ``None`` where it does not stand there verbatim.
        page: number of the page, from 1, on which it starts.
        embedded_text: what is embedded, where that is not ``text`` (sentence window).
        parent: id of the chunk that holds this one (auto-merging).
        score: similarity to the question, once retrieved.
    """

    id: str
    text: str
    span: Span | None = None
    page: int | None = None
    embedded_text: str | None = None
    parent: str | None = None
    score: float | None = None

    def covers(self, span: Span) -> bool:
        """Whether it holds enough of the span: COVERED of its characters, half.

        >>> chunk = Chunk("1", "…", Span("a", 0, 100))
        >>> chunk.covers(Span("a", 90, 110)), chunk.covers(Span("a", 91, 111))
        (True, False)
        """
        if self.span is None or span.end <= span.start:
            return False
        return self.span.overlap(span) >= COVERED * (span.end - span.start)


@dataclass(frozen=True)
class Reach:
    """How far one piece of evidence can come with an index.

    Attributes:
        chunked: whether a chunk covers it.
        rank: place, from 1, that the first chunk leading to it has among all chunks by similarity to the
            question; ``None`` where no chunk does, or the place is not known.
    """

    chunked: bool
    rank: int | None = None


@dataclass(frozen=True)
class Question:
    """One row of the golden dataset.

    Attributes:
        id: unique in the golden dataset.
        question: what a user asks.
        reference: the answer that a person, or the generating model, holds to be right.
        evidence: spans that hold what the answer needs; empty where it is unknown or does not exist.
        evidence_text: the same pieces as they were given, verbatim.
        kind: single-hop, multi-hop, numeric, table, unanswerable, or the generator's own word.
        origin: the file or generator that the question came from.
        answerable: whether the corpus holds an answer.
    """

    id: str
    question: str
    reference: str
    evidence: tuple[Span, ...] = ()
    evidence_text: tuple[str, ...] = ()
    kind: str = "single-hop"
    origin: str = ""
    answerable: bool = True


@dataclass(frozen=True)
class Answer:
    """What an arm answered, from which chunks, and what that took.

    Attributes:
        text: the answer.
        contexts: the retrieved chunks, best first.
        input_tokens: tokens of the prompt, as the model's server counted them.
        output_tokens: tokens of the answer.
        dollars: price of the call by the study's prices; 0 where no price is known.
        seconds: from question to whole answer, as measured when it was first computed.
    """

    text: str
    contexts: tuple[Chunk, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Score:
    """One number for (arm, question, metric), or the reason why there is none.

    Attributes:
        metric: name of the metric.
        value: the number; ``None`` where there is none.
        reason: the judge's words for the number, or why it is missing.
        applicable: False where the metric has no meaning for the question, which is not a failure.
        judgings: each number, where the judge was asked more than once; ``value`` is their mean.
    """

    metric: str
    value: float | None = None
    reason: str = ""
    applicable: bool = True
    judgings: tuple[float, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether there should be a number and is none."""
        return self.value is None and self.applicable


@dataclass(frozen=True)
class Problem:
    """A file that could not be read, or not wholly, and why.

    Attributes:
        id: the file, as a document of it would be called.
        kind: corrupt, encrypted, empty, image-only, encoding, duplicate or unsupported.
        reason: one sentence: what is wrong and what to do.
        skipped: whether the file gave no document at all.
    """

    id: str
    kind: str
    reason: str
    skipped: bool = True


@dataclass(frozen=True)
class Corpus:
    """All documents that could be read, and a problem for each that could not.

    Attributes:
        documents: in order of their ids.
        problems: in order of their ids.
        digest: of all documents' ids and contents: the same files give the same digest anywhere.
    """

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...] = ()
    digest: str = field(default="")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What was read and what was not, as a notebook shows it; never the texts themselves."""
        read = [(each.id, len(each.pages) or "", f"{len(each.text):,} characters") for each in self.documents]
        not_read = [
            (each.id, "", f"{'not read' if each.skipped else 'read in part'}, {each.kind}: {each.reason}")
            for each in self.problems
        ]
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in [*read, *not_read]
        )
        head = f"<p>{len(read)} documents read, {len(not_read)} problems</p>"
        table = f"<table><tr><th>file</th><th>pages</th><th>what was found</th></tr>{rows}</table>"
        said = f"{len(read)} documents read, {len(not_read)} problems"
        return {"text/html": head + table, "text/plain": said}


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_json(record: Any) -> Any:
    """A record as plain JSON types.

    >>> to_json(Score("mrr", 0.5))
    {'metric': 'mrr', 'value': 0.5, 'reason': '', 'applicable': True, 'judgings': []}
    """
    return json.loads(json.dumps(asdict(record)))


def from_json(kind: type[Record], value: Any) -> Record:
    """The record that ``to_json`` wrote.

    Raises:
        pydantic.ValidationError: the value does not have the record's fields.
    """
    # every record is frozen and made of plain types, so pydantic rebuilds nested ones by their annotations
    named: Any = kind
    made: Record = _adapter(named).validate_python(value)
    return made


def digest_of(value: Any) -> str:
    """SHA-256, in hex, of a value made of plain JSON types; equal values give equal digests.

    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
