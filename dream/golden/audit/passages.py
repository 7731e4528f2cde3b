"""Cuts documents into short passages, whole sentences each, to look for answers in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dream.records import Document, Span

WORDS = 60
"""Most words of a passage, unless a single sentence is longer: about a paragraph of a technical text."""

_SENTENCE = re.compile(r"\S.*?(?:[.!?][\"')\]”’]*(?=\s|$)|\n\s*\n|$)", re.S)


@dataclass(frozen=True)
class Passage:
    """A piece of a document.

    Attributes:
        span: where it stands.
        text: its characters, verbatim.
    """

    span: Span
    text: str


def cut_passages(document: Document, words: int = WORDS) -> list[Passage]:
    """The document as passages that follow one another, in whole sentences.

    >>> [passage.text for passage in cut_passages(Document("a", "One two. Three four. Five."), words=4)]
    ['One two. Three four.', 'Five.']
    """
    groups: list[list[Span]] = []
    held = 0
    for sentence in sentences_of(document):
        length = len(document.text[sentence.start : sentence.end].split())
        if not groups or held + length > words:
            groups.append([])
            held = 0
        groups[-1].append(sentence)
        held += length
    spans = [Span(document.id, group[0].start, group[-1].end) for group in groups]
    return [Passage(span, document.text[span.start : span.end]) for span in spans]


def sentences_of(document: Document) -> list[Span]:
    """Where each sentence stands.

    >>> sentences_of(Document("a", "One two.  Three?"))
    [Span(document='a', start=0, end=8), Span(document='a', start=10, end=16)]
    """
    return [
        Span(document.id, found.start(), found.start() + len(found.group().rstrip()))
        for found in _SENTENCE.finditer(document.text)
    ]


def around(text: str, spans: Sequence[Span], sentences: Sequence[Span]) -> str:
    """The whole sentences of one document that the spans touch, for evidence may be a single word."""
    touched = [sentence for sentence in sentences if any(sentence.overlap(span) for span in spans)]
    return " ".join(text[sentence.start : sentence.end] for sentence in touched)
