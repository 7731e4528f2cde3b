"""Sentences and content words: all that the offline rules know about language.

Everything here is cached, because a study shows the same chunks to the server hundreds of times.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

_STOP_WORDS = """
a about above after again all also although am an and any are as at be because been before being below
between both but by can cannot could did do does doing done down during each either else even ever few for
from further get had has have having he her here hers him his how however i if in into is it its itself just
least less let like made make makes many may me might more most much must my neither no nor not of off on
once one only or other our out over own per rather same she should since so some still such than that the
their them then there these they this those though through thus to too under until up upon us use used uses
using very via was we well were what when where whether which while who whom whose why will with within
without would yet you your
"""

_PRONOUNS = "it its this these that those they their he his she her such both"

_NUMBERS = "two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10 eleven=11 twelve=12 twenty=20"

STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that say nothing about what a text is about."""

PRONOUNS = frozenset(_PRONOUNS.split())
"""A sentence that begins with one of these needs the sentence before it."""

_NUMBER_WORDS = dict(pair.split("=") for pair in _NUMBERS.split())

# 1,000.5 and 3.14 are one word, 512MB is two, L6 is one
_WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+|[^\W\d_][^\W_]*")
_END = re.compile(r"[.!?][\"”’)\]]*\s+(?=\S)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|etc|cf|vs|al|approx|dr|mr|mrs|ms|prof|st|fig|figs|eq|sec|inc|ltd|jr|sr|u\.s|\w|\d{1,2})\.$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•–|#>]|\d{1,2}[.)]\s)")
_FINISHED = (".", "!", "?", ":", ";", ",", "-")


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A word without its English endings, crude but the same for all forms of a word.

    >>> [stem(word) for word in ("merge", "merges", "merged", "merging")]
    ['merg', 'merg', 'merg', 'merg']
    """
    if len(word) <= 3 or word[0].isdigit():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("ing") and len(word) > 5:
        word = word[:-3]
    elif word.endswith("ed") and len(word) > 4 and not word.endswith("eed"):
        word = word[:-2]
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word


def _number(word: str) -> str:
    plain = word.replace(",", "")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


@functools.lru_cache(maxsize=16384)
def terms(text: str) -> Mapping[str, str]:
    """The content words of a text: each stem with the word as it stands, in order of first appearance.

    Numbers are terms too, written one way: ``1,000`` is ``1000``, ``0.50`` is ``0.5``, ``three`` is ``3``.

    >>> dict(terms("The chunks overlap by 1,000 tokens."))
    {'chunk': 'chunks', 'overlap': 'overlap', '1000': '1,000', 'token': 'tokens'}
    """
    found: dict[str, str] = {}
    for word in _WORD.findall(text):
        lower = word.lower()
        if lower in STOP_WORDS or (len(lower) == 1 and not lower.isdigit()):
            continue
        key = _number(lower) if lower[0].isdigit() else _NUMBER_WORDS.get(lower) or stem(lower)
        found.setdefault(key, word)
    return found


def is_number(term: str) -> bool:
    """Whether a term, as :func:`terms` writes it, is a number.

    >>> is_number("1000"), is_number("chunk")
    (True, False)
    """
    return term[0].isdigit()


@functools.lru_cache(maxsize=8192)
def sentences(text: str) -> tuple[str, ...]:
    r"""The sentences of a text, with white space made single; headings, bullets and table rows stand alone.

    >>> sentences("Chunk size\nA chunk holds 512 tokens, e.g. three\nparagraphs. It may overlap.")
    ('Chunk size', 'A chunk holds 512 tokens, e.g. three paragraphs.', 'It may overlap.')
    """
    return tuple(sentence for block in _blocks(text) for sentence in _split(" ".join(block.split())))


def _blocks(text: str) -> Iterator[str]:
    """Runs of lines that belong together: a PDF breaks lines inside sentences, a heading ends at its line."""
    lines = text.splitlines()
    longest = max((len(line) for line in lines), default=0)
    block: list[str] = []
    for line in lines:
        stripped = line.strip()
        if block and (not stripped or _BULLET.match(line) or _stands_alone(block[-1], stripped, longest)):
            yield "\n".join(block)
            block = []
        if stripped:
            block.append(stripped)
    if block:
        yield "\n".join(block)


def _stands_alone(line: str, following: str, longest: int) -> bool:
    """Whether a line is a heading or a table row: short, unfinished, and the next one starts anew."""
    return (
        len(line) < 0.7 * longest
        and not line.endswith(_FINISHED)
        and (following[0].isupper() or following[0].isdigit())
    )


def _split(block: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(block):
        following = block[end.end()]
        if not (following.isupper() or following.isdigit() or following in "\"“‘'([") or _ABBREVIATION.search(
            block[max(start, end.start() - 8) : end.start() + 1]
        ):
            continue
        yield block[start : end.end()].rstrip()
        start = end.end()
    if start < len(block):
        yield block[start:]
