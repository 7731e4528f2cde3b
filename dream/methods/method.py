"""What a RAG method is: knobs, a way to split documents, and a way to retrieve.

A method of one's own is a class in a file that the study names under ``modules``::

    from dream.methods import Method, Search, at_query, method

    @method
    class WholePages(Method):
        # each page is one chunk

        top_k: int = at_query(2, description="Pages shown to the language model.")

        def split(self, document):
            ...

        async def retrieve(self, question, search):
            return await search.nearest(question, self.top_k)

The name in the study is the class's name in snake case: ``whole_pages``.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from dream.cells import from_notebook
from dream.errors import StudyError
from dream.modules import code_digest, same_file
from dream.records import Chunk, Document
from dream.retrieval.index import Index

BUILT_IN = ("chunks", "sentence_window", "auto_merging")

_methods: dict[str, type[Method]] = {}


class Search(Protocol):
    """What a method may use while it retrieves."""

    @property
    def index(self) -> Index:
        """The index of the method's chunks."""

    async def nearest(self, text: str, k: int) -> list[Chunk]:
        """The ``k`` chunks whose vectors are nearest to the text's, best first."""


class Method(BaseModel, ABC):
    """A RAG method with its knobs as fields; every field may be a search axis."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Whether `retrieve` only compares vectors, so that doing it again takes less than looking it up.
    quick: ClassVar[bool] = False

    @abstractmethod
    def split(self, document: Document) -> Sequence[Chunk]:
        """The document's chunks; ids must be unique within it, spans point into its text."""

    @abstractmethod
    async def retrieve(self, question: str, search: Search) -> Sequence[Chunk]:
        """The chunks that the language model is shown, best first."""

    @classmethod
    def label(cls) -> str:
        """The method's name in a study.

        >>> class SentenceWindow(Method): ...
        >>> SentenceWindow.label()
        'sentence_window'
        """
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def splitter(self) -> dict[str, Any]:
        """Identity of ``split``, for the ledger: knobs that only ``retrieve`` uses are left out."""
        identity = self.identity()
        knobs = {name: value for name, value in identity["knobs"].items() if not _at_query(self, name)}
        return {**identity, "knobs": knobs}

    def identity(self) -> dict[str, Any]:
        """Identity of the whole method, for the ledger."""
        return {
            "method": self.label(),
            "knobs": self.model_dump(mode="json"),
            "code": code_digest(type(self), "dream.methods.nodes"),
            "llama-index-core": version("llama-index-core"),
        }


def at_query(default: Any, *, description: str, **limits: Any) -> Any:
    """A knob that only ``retrieve`` uses, so that arms which differ in it share an index.

    Args:
        default: its value where the study gives none.
        description: shown in the study reference.
        limits: pydantic's, such as ``ge=1``.
    """
    return Field(default, description=description, json_schema_extra={"at_query": True}, **limits)


def _at_query(method: Method, knob: str) -> bool:
    extra = type(method).model_fields[knob].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("at_query"))


def method(cls: type[Method]) -> type[Method]:
    """Register a method under its class's name in snake case.

    Raises:
        StudyError: another class has that name.
    """
    known = _methods.get(cls.label())
    # DREAM's own may not be loaded yet
    ours = cls.label() in BUILT_IN and not cls.__module__.startswith("dream.methods.")
    if ours or (known is not None and not same_file(known.__module__, cls.__module__)):
        raise StudyError(f"two methods are named '{cls.label()}'", cls.__module__, "rename the class")
    _methods[cls.label()] = cls
    return cls


def find_method(name: str) -> type[Method]:
    """The registered class.

    Raises:
        KeyError: there is none.
    """
    _load_built_in()
    return _methods[name]


def method_names() -> list[str]:
    """All registered names, DREAM's own first.

    >>> method_names()[:3]
    ['chunks', 'sentence_window', 'auto_merging']
    """
    _load_built_in()
    return [*BUILT_IN, *(name for name in _methods if name not in BUILT_IN)]


def notebook_methods() -> list[type[Method]]:
    """The registered classes that were written in a notebook."""
    return [cls for cls in _methods.values() if from_notebook(cls)]


def _load_built_in() -> None:
    # Late, because LlamaIndex takes a second to import, which `dream --help` should not pay.
    for name in BUILT_IN:
        importlib.import_module(f"dream.methods.{name}")
