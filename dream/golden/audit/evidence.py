"""Questions whose evidence is not where it is said to be: retrieval cannot be scored on them."""

from __future__ import annotations

from collections.abc import Sequence

from dream.golden.audit.finding import EVIDENCE, Finding
from dream.golden.locate import locate
from dream.golden.raw import Piece
from dream.golden.shelf import Shelf
from dream.records import Question


def find_lost_evidence(questions: Sequence[Question], notes: Sequence[str], shelf: Shelf) -> list[Finding]:
    """Questions of which a piece of evidence was given and not found.

    Args:
        questions: as built.
        notes: of the build: one names each piece that was not found.
        shelf: the documents, to look whether the text stands in another one.

    >>> from dream.records import Document
    >>> lost = Question("q1", "What runs?", "Ray", evidence_text=("Ray runs all tasks.",))
    >>> notes = ['q1: "Ray runs all tasks." is said to be in b.pdf, which is not in the corpus.']
    >>> found = find_lost_evidence([lost], notes, Shelf([Document("a.pdf", "Ray runs all tasks.")]))
    >>> print(found[0].what, found[0].suggestion, sep=chr(10))
    "Ray runs all tasks." is said to be in b.pdf, which is not in the corpus.
    The text stands in a.pdf: name that document.
    """
    found = []
    for question in questions:
        for note in notes:
            said = note.removeprefix(f"{question.id}: ")
            if said == note or " removed, " in f" {said}":
                continue
            found.append(Finding(question.id, EVIDENCE.name, said, _suggestion(question, said, shelf), 1.0))
    return found


def _suggestion(question: Question, said: str, shelf: Shelf) -> str:
    for text in question.evidence_text:
        shown = " ".join(text.split())[:57]
        if f'"{shown}' in said:
            spans, _ = locate([Piece(text)], shelf)
            if spans:
                return f"The text stands in {spans[0].document}: name that document."
    return "Add the document, copy the passage anew, or drop the question: retrieval cannot be scored on it."
