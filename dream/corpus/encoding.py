"""From bytes to text: UTF-8 where it fits, the best guess where it does not, and it is said which.

>>> decode("naïve".encode("utf-8-sig"))
('naïve', None)
>>> text, note = decode("Le café est fermé. La crème brûlée était délicieuse.".encode("cp1252"))
>>> text
'Le café est fermé. La crème brûlée était délicieuse.'
>>> note.reason
'it is not UTF-8 and was read as cp1252, which is a guess; look at its accented letters, or save it as UTF-8'
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dream.corpus.registry import Note, UnreadableError

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch, CharsetMatches

# Characters that no text holds in numbers: controls other than white space and escape.
_JUNK = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")

_WIDE = ["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"]


def decode(data: bytes, declared: str | None = None) -> tuple[str, Note | None]:
    """The text of some bytes, with line feeds between lines, and a note where it took a guess.

    Args:
        data: the bytes of a file.
        declared: the encoding that the file itself names (HTML); believed where it fits.

    Raises:
        UnreadableError: the bytes are no text in any encoding that is known.
    """
    # UTF-16 of plain letters is valid UTF-8 too, full of NUL, which is why each must also look like text
    for encoding in ("utf-8-sig", declared):
        if encoding and (text := _decoded(data, encoding)) is not None:
            return _clean(text), None
    if damaged := _damaged_utf8(data):
        return damaged
    return _guessed(data)


def _decoded(data: bytes, encoding: str) -> str | None:
    """The text, if the bytes are in that encoding and look like text."""
    # Browsers read what calls itself Latin-1 or ASCII as Windows-1252: https://encoding.spec.whatwg.org/
    if encoding.lower() in {"iso-8859-1", "iso8859-1", "latin-1", "latin1", "us-ascii", "ascii"}:
        encoding = "cp1252"
    try:
        text = data.decode(encoding)
    except (UnicodeError, LookupError):
        return None
    return None if _is_junk(text) else text


def _damaged_utf8(data: bytes) -> tuple[str, Note] | None:
    """UTF-8 in which some bytes are broken: a guess would turn all the whole letters into rubbish."""
    text = data.decode("utf-8-sig", errors="replace")
    broken = text.count("\ufffd")
    whole = sum(1 for letter in text if letter > "\x7f") - broken
    # in other encodings hardly any two bytes happen to be a letter in UTF-8
    if whole < 2 * broken or _is_junk(text):
        return None
    reason = (
        f"it is UTF-8 with {broken} broken characters, which were read as \ufffd; "
        "write or copy the file again as UTF-8"
    )
    return _clean(text), Note("encoding", reason)


def _guessed(data: bytes) -> tuple[str, Note]:
    from charset_normalizer import from_bytes

    # every space of a text takes two or four bytes there, some of them zero
    unlikely = [] if b"\0" in data else _WIDE
    match = _most_usual(from_bytes(data, cp_exclusion=unlikely))
    text = "" if match is None else str(match)
    if match is None or _is_junk(text):
        reason = "no text encoding fits its bytes; save it as UTF-8, or remove it if it is no text"
        raise UnreadableError("encoding", reason)
    name = "cp1252" if "cp1252" in match.could_be_from_charset else match.encoding
    sure = "as its first bytes say; save it as UTF-8 to be rid of this note"
    guess = "which is a guess; look at its accented letters, or save it as UTF-8"
    reason = f"it is not UTF-8 and was read as {name}, {sure if match.bom else guess}"
    return _clean(text.removeprefix("\ufeff")), Note("encoding", reason)


def _most_usual(matches: CharsetMatches) -> CharsetMatch | None:
    """The best match; Windows-1252 where others are only as good, for it is by far the most usual."""
    best = matches.best()
    if best is None:
        return None
    for match in matches:
        if "cp1252" in match.could_be_from_charset and (match.chaos, match.coherence) == (
            best.chaos,
            best.coherence,
        ):
            return match
    return best


def _is_junk(text: str) -> bool:
    return len(_JUNK.findall(text)) * 100 > len(text)


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
