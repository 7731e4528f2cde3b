"""The documents of a corpus, ready to be searched for evidence."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from dream.golden.normal import Normal, normalise
from dream.records import Document

_WORD = re.compile(r"\w{4,}")


@dataclass(frozen=True)
class Volume:
    """A document whose normal form is made once, when it is first needed."""

    document: Document

    @cached_property
    def normal(self) -> Normal:
        """Its text in normal form."""
        return normalise(self.document.text)

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words of four letters and more, to tell quickly what cannot stand in it."""
        return words_of(self.document.text)


class Shelf:
    """Documents that can be found by id, file name or stem, whatever the case of letters.

    >>> shelf = Shelf([Document("guides/Ray.pdf", "Ray runs tasks.")])
    >>> [len(shelf.named(name)) for name in ("guides/Ray.pdf", "ray.pdf", "ray", "rays")]
    [1, 1, 1, 0]
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self.volumes = tuple(Volume(document) for document in documents)
        # one table for each way to name a document, the most exact first
        self._tables: tuple[dict[str, list[Volume]], ...] = tuple(defaultdict(list) for _ in range(3))
        for volume in self.volumes:
            path = PurePosixPath(volume.document.id)
            for table, name in zip(self._tables, (str(path), path.name, path.stem), strict=True):
                table[name.casefold()].append(volume)
        self.paragraphs: dict[str, tuple[str, int] | None] = {}

    def named(self, name: str) -> list[Volume]:
        """The documents of that name; several if only their folders or suffixes differ."""
        for table in self._tables:
            if found := table.get(name.removeprefix("./").casefold()):
                return found
        return []


def words_of(text: str) -> frozenset[str]:
    """The words of four letters and more.

    >>> sorted(words_of("The Ray tasks"))
    ['tasks']
    """
    return frozenset(_WORD.findall(text.casefold()))
