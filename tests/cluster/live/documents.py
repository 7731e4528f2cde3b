"""The commands of a document, as its reader would type them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .cluster import ROOT

README, OPERATIONS = ROOT / "README.md", ROOT / "docs" / "operations.md"


@dataclass(frozen=True)
class Command:
    """One command of a page.

    Attributes:
        text: as it stands there, without the comment behind it.
        heading: the headings above it, outermost first.
        line: its line in the page.
    """

    text: str
    heading: tuple[str, ...]
    line: int


def commands(page: Path, under: str = "") -> list[Command]:
    """The commands in a page's code blocks, in order.

    Args:
        page: a Markdown file.
        under: only those below a heading of this name; all if empty.
    """
    return [one for one in _commands(page.read_text()) if not under or under in one.heading]


def _commands(text: str) -> Iterator[Command]:
    fence, headings = "", []
    for number, line in enumerate(text.splitlines(), start=1):
        if opened := re.match(r"\s*```(\w*)$", line):
            fence = "" if fence else opened[1] or "text"
        elif not fence and (heading := re.match(r"(#+) (.*)", line)):
            headings = [*headings[: len(heading[1]) - 1], heading[2]]
        elif fence in ("sh", "bash", "text") or (not fence and re.match(r"    \S", line)):
            command = re.split(r"\s+#\s", line.strip())[0]
            if re.match(r"(kubectl|helm|make|docker|infra/|\.venv/|dream |argocd )", command):
                yield Command(command, tuple(headings), number)
