"""How much of one text another text holds, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dream.models.offline.words import is_number, terms

SUPPORTED = 0.75
"""Share of a statement's content words that must be found for it to count as supported."""


@dataclass(frozen=True)
class Overlap:
    """What was looked for in a text, and what was not there.

    Attributes:
        wanted: number of distinct content words looked for.
        missing: those not found, as they were written.
        numbers: those of the missing that are numbers.
    """

    wanted: int
    missing: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def found(self) -> int:
        """Number of content words that were found."""
        return self.wanted - len(self.missing)

    @property
    def share(self) -> float:
        """Found words of wanted words, 0 where nothing was wanted."""
        return self.found / self.wanted if self.wanted else 0.0

    @property
    def supported(self) -> bool:
        """Whether enough words and every number were found: a wrong number makes a statement wrong."""
        return self.share >= SUPPORTED and not self.numbers

    @property
    def reason(self) -> str:
        """One sentence for a person.

        >>> overlap("The chunk holds 512 tokens.", "A chunk holds 256 tokens.").reason
        '3 of 4 content words found; missing: 512.'
        """
        if not self.wanted:
            return "There are no content words to look for."
        if not self.missing:
            return f"All {self.wanted} content words found."
        shown = ", ".join(self.missing[:6]) + (", …" if len(self.missing) > 6 else "")
        return f"{self.found} of {self.wanted} content words found; missing: {shown}."


def overlap(statement: str, text: str, beyond: str = "") -> Overlap:
    """Looks for the content words of a statement in a text.

    Args:
        statement: what should be found.
        text: where it is looked for.
        beyond: words of this text, such as the question, prove nothing and are left out, unless the
            statement has no other.

    >>> overlap("The chunk size is 512.", "It is 512 tokens.", beyond="What is the chunk size?").share
    1.0
    """
    wanted = terms(statement)
    if beyond:
        given = terms(beyond)
        wanted = {term: word for term, word in wanted.items() if term not in given} or wanted
    return _compare(wanted, terms(text))


def _compare(wanted: Mapping[str, str], held: Iterable[str]) -> Overlap:
    missing = [(term, word) for term, word in wanted.items() if term not in held]
    return Overlap(
        wanted=len(wanted),
        missing=tuple(word for _, word in missing),
        numbers=tuple(word for term, word in missing if is_number(term)),
    )
