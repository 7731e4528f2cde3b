"""Which sentences of a section does an answer rest on?

A generated question comes with the whole section that it was made from. A section is longer than most
chunks, so as evidence it would count every chunk as a miss; the sentences that hold the answer are what
a retriever has to find.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SENTENCE = re.compile(r"\S.*?(?:[.!?][\"')\]]*(?=\s|$)|\n\s*\n|$)", re.S)
_WORD = re.compile(r"\w+")

# A sentence that adds less than this share of the answer's words is a neighbour, not evidence.
WORTH_ADDING = 0.15


def narrow(section: str, answer: str) -> list[str]:
    """The sentences of the section that together hold the most of the answer's words, in their order.

    Greedy: first the sentence that holds the most, then each that adds WORTH_ADDING of the answer's words.
    Words count by their length, so that "the" says next to nothing.

    >>> narrow("Ray is a library. Its head runs alone. It needs 4 GiB of memory.", "The head runs alone.")
    ['Its head runs alone.']

    Returns:
        Verbatim pieces of the section; the whole section where no sentence shares a word with the answer.
    """
    sentences = [found.group().strip() for found in _SENTENCE.finditer(section) if found.group().strip()]
    words = [_words(sentence) for sentence in sentences]
    wanted = _words(answer)
    total = sum(map(len, wanted)) or 1
    chosen: list[int] = []
    while True:
        gains = [0 if place in chosen else sum(map(len, wanted & held)) for place, held in enumerate(words)]
        best = _first_best(gains, words)
        if best is None or gains[best] / total < (WORTH_ADDING if chosen else 1e-9):
            break
        chosen.append(best)
        wanted = wanted - words[best]
    return [sentences[place] for place in sorted(chosen)] or [section]


def _first_best(gains: Sequence[int], words: Sequence[frozenset[str]]) -> int | None:
    """The sentence that gains most; of equals the shortest, for it says the least else."""
    if not gains:
        return None
    return min(range(len(gains)), key=lambda place: (-gains[place], len(words[place]), place))


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text))
