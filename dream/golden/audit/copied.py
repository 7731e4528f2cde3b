"""Questions worded as the passage they were made from: any search by words finds that passage.

The figure is the *extractive fragment coverage* of Grusky, Naaman and Artzi (Newsroom, 2018), with runs of
``RUN`` words and more: the share of the question's words that stand in the evidence in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dream.golden.audit.finding import COPIED, Finding
from dream.golden.audit.passages import around, sentences_of
from dream.records import Document, Question, Span

RUN = 4
"""Words in a row that count as copied; three in a row are often just a name."""

COPIED_SHARE = 0.5
"""A question with this share of its words copied is flagged."""

_WORD = re.compile(r"\w+(?:[.,'’-]\w+)*")


def find_copied(questions: Sequence[Question], documents: Mapping[str, Document]) -> list[Finding]:
    """Questions of which half the words or more are copied from the sentences of their evidence.

    >>> document = Document("a", "The head node keeps the tables of all actors.")
    >>> asked = "Where does the head node keep the tables?", "What keeps the tables of all actors?"
    >>> asked = [Question(text, text, "", (Span("a", 0, 45),)) for text in asked]
    >>> [(found.question, round(found.figure, 2)) for found in find_copied(asked, {"a": document})]
    [('What keeps the tables of all actors?', 0.86)]
    """
    sentences: dict[str, list[Span]] = {}
    found = []
    for question in questions:
        shares = [0.0]
        for name in dict.fromkeys(span.document for span in question.evidence):
            document = documents[name]
            if name not in sentences:
                sentences[name] = sentences_of(document)
            evidence = around(document.text, question.evidence, sentences[name])
            shares.append(copied_share(question.question, evidence))
        if (share := max(shares)) >= COPIED_SHARE:
            found.append(
                Finding(
                    question.id,
                    COPIED.name,
                    f"{share:.0%} of its words are copied from the evidence, {RUN} or more in a row.",
                    "Ask it in a user's own words: as it stands, any search by words finds the passage.",
                    round(share, 3),
                )
            )
    return found


def copied_share(question: str, passage: str) -> float:
    """Share of the question's words that stand in the passage in runs of ``RUN`` or more.

    >>> copied_share("Which node keeps the tables of actors?", "The head keeps the tables of actors.")
    0.71...
    """
    asked, held = _words(question), _words(passage)
    runs = {tuple(held[place : place + RUN]) for place in range(len(held) - RUN + 1)}
    copied = {
        place + step
        for place in range(len(asked) - RUN + 1)
        if tuple(asked[place : place + RUN]) in runs
        for step in range(RUN)
    }
    return len(copied) / len(asked) if asked else 0.0


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
