"""Removes questions that ask the same as an earlier one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from dream.golden.raw import RawQuestion

SIMILARITY = 95.0

# Every question is compared with every other, which takes a second at this size and minutes at 10,000.
MOST_COMPARED = 3000

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def remove_duplicates(questions: Sequence[RawQuestion]) -> tuple[list[RawQuestion], list[str]]:
    """The questions without those that repeat an earlier one, and a note for each that went.

    Questions repeat one another if their texts are equal apart from case, white space and punctuation.
    Up to ``MOST_COMPARED`` questions are also compared for small differences: rapidfuzz' ``ratio`` of the
    texts at 95 of 100 or more, unless they name different numbers. Larger sets are not: that many
    questions come from a data set, in which "born in May" and "born in March" are different questions.

    >>> one, other = RawQuestion("What runs?", "Ray", id="a"), RawQuestion("what  runs", "Ray", id="b")
    >>> kept, notes = remove_duplicates([one, other])
    >>> [question.id for question in kept], notes
    (['a'], ['b: removed, it asks the same as a.'])
    """
    first: dict[str, RawQuestion] = {}
    notes = []
    for question in questions:
        earlier = first.setdefault(plain(question.question), question)
        if earlier is not question:
            notes.append(f"{question.id}: removed, it asks the same as {earlier.id}.")
    kept = list(first.values())
    if len(kept) > MOST_COMPARED:
        return kept, notes
    gone = _nearly_equal(list(first))
    for later, nearly in sorted(gone.items()):
        notes.append(f"{kept[later].id}: removed, it asks nearly the same as {kept[nearly].id}.")
    return [question for place, question in enumerate(kept) if place not in gone], notes


def plain(text: str) -> str:
    """A question's words alone.

    >>> plain("What  is “Ray”?")
    'what is ray'
    """
    form = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"[\w.,%+#/-]*\w[%+#]*", form)) or form.strip()


def _nearly_equal(texts: Sequence[str]) -> dict[int, int]:
    """For each text that is nearly equal to an earlier one that stays, the place of that one."""
    from rapidfuzz import fuzz, process

    gone: dict[int, int] = {}
    # each distinct set of numbers on its own: "in 1998" and "in 1999" are nearly equal texts
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, text in enumerate(texts):
        groups.setdefault(tuple(sorted(_NUMBER.findall(text))), []).append(place)
    for places in groups.values():
        group = [texts[place] for place in places]
        scores = process.cdist(group, group, scorer=fuzz.ratio, score_cutoff=SIMILARITY)
        for later in range(1, len(places)):
            for earlier in scores[later, :later].nonzero()[0]:
                if places[earlier] not in gone:
                    gone[places[later]] = places[earlier]
                    break
    return gone
