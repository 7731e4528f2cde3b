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


PROGRAMS = r"(?:kubectl|helm|make|docker|argocd|infra/[a-z/-]+(?:\.sh)?|\.venv/bin/python|python -m) "


def commands(page: Path, under: str = "", inline: bool = False) -> list[Command]:
    """The platform's commands in a page's code blocks, in order.

    Args:
        page: a Markdown file.
        under: only those below a heading of this name; all if empty.
        inline: those within sentences too, if they are whole: a program and two words or more.
    """
    found = _commands(page.read_text(), inline)
    return [one for one in found if not under or under in one.heading]


def _commands(text: str, inline: bool) -> Iterator[Command]:
    fence: str | None = None
    headings: list[str] = []
    open_code = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if opened := re.match(r"\s*```(\w*)$", line):
            fence = None if fence is not None else opened[1]
        elif fence is None and (heading := re.match(r"(#+) (.*)", line)):
            headings = [*headings[: len(heading[1]) - 1], heading[2]]
        elif fence in ("", "sh", "bash") or (fence is None and re.match(r"    \S", line)):
            command = re.split(r"\s+#\s", line.strip())[0]
            if re.match(PROGRAMS + r"|infra/\S+$", command):
                yield Command(command, tuple(headings), number)
        elif fence is None and inline:
            # A command in a sentence may go on in the next line.
            sentence, open_code = open_code + line.strip(), ""
            if sentence.count("`") % 2:
                sentence, _, rest = sentence.rpartition("`")
                open_code = f"`{rest} "
            for code in re.findall(r"`([^`]+)`", sentence):
                if re.match(PROGRAMS + r"\S+ \S|make \S+ ?", code):
                    yield Command(code, tuple(headings), number)
