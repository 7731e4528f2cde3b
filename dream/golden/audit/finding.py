"""What an audit says: one finding for each fault of a question, and how far each check can be trusted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a question.

    Attributes:
        name: as in ``--json`` and the CSV.
        title: what it finds, in words.
        sure: how far it can be trusted; the figures are of ``python -m benchmarks.golden_audit``.
        asks: whether it asks a language model.
    """

    name: str
    title: str
    sure: str
    asks: bool = False


@dataclass(frozen=True)
class Finding:
    """A fault of one question.

    Attributes:
        question: its id.
        check: name of the check.
        what: what was seen, in one sentence.
        suggestion: what to do about it, in one sentence.
        figure: what the check decided by, 0 to 1.
        other: id of the other question, or the place of the other passage as ``document:start-end``.
    """

    question: str
    check: str
    what: str
    suggestion: str
    figure: float
    other: str = ""


EVIDENCE = Check(
    "evidence",
    "evidence not found",
    "certain that the text is not there as it was given; 42 of 42 planted ones found, none wrong",
)
DUPLICATE = Check(
    "duplicate",
    "asks what another question asks",
    "likely; 42 of 42 planted ones found, 6 of 48 flagged were not planted",
)
COPIED = Check(
    "copied",
    "worded as the passage",
    "certain about the words, 42 of 42 planted ones found; but it is the habit of some datasets: SQuAD's "
    "own questions have it one time in nine",
)
AMBIGUOUS = Check(
    "ambiguous",
    "another passage answers too",
    "worth a look; 38 of 48 planted ones found, and of 30 others that it flags in SQuAD, 20 are right by a "
    "reader",
)
CLOSED_BOOK = Check(
    "closed_book",
    "answered without the documents",
    "as sure as your judge, and a yes or no may be guessed; proven with the offline models only, which know "
    "28 facts by heart",
    asks=True,
)

CHECKS = (EVIDENCE, DUPLICATE, COPIED, AMBIGUOUS, CLOSED_BOOK)
"""All checks, the cheapest first."""
