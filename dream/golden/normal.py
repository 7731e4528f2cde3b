"""Texts without what readers of PDFs and people write differently, and the way back to their characters.

White space is dropped, for it differs most: line breaks, non-breaking spaces, spaces around tables.
So are soft hyphens, and hyphens between letters, which may come from a line's end. Ligatures, quotes,
dashes and case are made equal.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from dataclasses import dataclass
from functools import cache

_HYPHEN = "-\u2010\u2011"
_BETWEEN_LETTERS = re.compile(rf"(?<=[^\W\d_])[{_HYPHEN}](?=\s*[^\W\d_])")
_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033"


@dataclass(frozen=True)
class Normal:
    """A normalised text.

    Attributes:
        text: what is compared.
        places: for each of its characters, the position of the one it came from.
    """

    text: str
    places: array[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where the normalised characters ``start`` up to ``end`` stand in the original text."""
        return self.places[start], self.places[end - 1] + 1


def normalise(text: str) -> Normal:
    r"""The text in its normal form, with the positions to go back by.

    >>> made = normalise("Of\ufb01ce  informa-\ntion")
    >>> made.text, made.original(6, 17)
    ('officeinformation', (7, 20))
    """
    dropped = {found.start() for found in _BETWEEN_LETTERS.finditer(text)}
    parts: list[str] = []
    places = array("L")
    for place, character in enumerate(text):
        form = _form(character)
        if form and place not in dropped:
            parts.append(form)
            if len(form) == 1:
                places.append(place)
            else:
                places.extend([place] * len(form))
    return Normal("".join(parts), places)


@cache
def _form(character: str) -> str:
    """What a character becomes; empty if it is dropped."""
    if character in _QUOTES:
        return "'"
    category = unicodedata.category(character)
    if category == "Pd" or character == "\u2212":
        return "-"
    if character.isspace() or category in {"Cf", "Cc", "Zs"}:
        return ""
    form = unicodedata.normalize("NFKC", character).casefold()
    return "".join(part for part in form if not part.isspace())
