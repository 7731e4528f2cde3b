r"""Plain text and Markdown: the text is the file, and spans count its very characters.

>>> read_text(b"one\r\ntwo\n").text
'one\ntwo\n'
>>> print(read_markdown(b"---\ntitle: Limits\ndate: 2026-01-02\n---\nAt most *600* requests.\n").text)
# Limits
<BLANKLINE>
At most *600* requests.
<BLANKLINE>
"""

from __future__ import annotations

import re

import yaml

from dream.corpus.encoding import decode
from dream.corpus.registry import Parsed, reader

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)


@reader(".txt", ".text")
def read_text(data: bytes) -> Parsed:
    """The text as it stands, with a line feed between lines.

    Raises:
        UnreadableError: the bytes are no text.
    """
    text, note = decode(data)
    return Parsed(text, notes=(note,) if note else ())


@reader(".md", ".markdown")
def read_markdown(data: bytes) -> Parsed:
    """The Markdown as it stands, but for its YAML front matter, of which only the title stays.

    Raises:
        UnreadableError: the bytes are no text.
    """
    text, note = decode(data)
    return Parsed(_without_front_matter(text), notes=(note,) if note else ())


def _without_front_matter(text: str) -> str:
    found = _FRONT_MATTER.match(text)
    if not found:
        return text
    try:
        fields = yaml.safe_load(found[1])
    except (yaml.YAMLError, ValueError):  # ValueError: a date that is none
        return text
    if not isinstance(fields, dict):  # a rule at the top of the page, not front matter
        return text
    body = text[found.end() :].lstrip("\n")
    title = fields.get("title")
    # site generators draw the page's heading from this field, so the text does not repeat it
    return f"# {title}\n\n{body}" if title and not body.startswith("# ") else body
