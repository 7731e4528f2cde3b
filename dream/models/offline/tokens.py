"""Counts tokens as OpenAI's cl100k encoding does, from the copy of it that llama-index-core carries."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from dream.models.offline.ragas_prompt import split_prompt


class Encoding(Protocol):
    """The part of tiktoken's encoding that is used here."""

    def encode_ordinary(self, text: str) -> list[int]:
        """Token numbers of a text."""

    def decode(self, tokens: list[int]) -> str:
        """Text of token numbers."""


@functools.cache
def encoding() -> Encoding:
    """The cl100k encoding, or pieces of words where its file is not at hand: nothing is downloaded.

    >>> len(encoding().encode_ordinary("Ray runs tasks."))
    4
    """
    # a namespace package: finding the parent of core runs no code of LlamaIndex
    found = importlib.util.find_spec("llama_index.core")
    cache = Path(found.origin).parent / "_static" / "tiktoken_cache" if found and found.origin else None
    if "TIKTOKEN_CACHE_DIR" not in os.environ:
        if cache is None or not cache.is_dir():
            return _Pieces()
        os.environ["TIKTOKEN_CACHE_DIR"] = str(cache)  # tiktoken has no other way to be told
    import tiktoken

    return tiktoken.get_encoding("cl100k_base")


def count_tokens(text: str) -> int:
    """Number of tokens of a text; the head that all ragas prompts of a kind share is counted once.

    >>> count_tokens("Ray runs tasks.")
    4
    """
    head, tail = split_prompt(text)
    return (_count_head(head) if tail else len(encoding().encode_ordinary(head))) + (
        len(encoding().encode_ordinary(tail)) if tail else 0
    )


def count_prompt(texts: Iterable[str]) -> int:
    """Number of tokens of chat messages: OpenAI adds 4 for each message's frame, and 3 for the answer's.

    >>> count_prompt(["Ray runs tasks."])
    11
    """
    return sum(count_tokens(text) + 4 for text in texts) + 3


def cut_tokens(text: str, most: int) -> str:
    """The first tokens of a text.

    >>> cut_tokens("Ray runs tasks.", 2)
    'Ray runs'
    """
    return encoding().decode(encoding().encode_ordinary(text)[:most])


@functools.lru_cache(maxsize=256)
def _count_head(head: str) -> int:
    return len(encoding().encode_ordinary(head))


class _Pieces:
    """Words and marks in place of tokens, remembered so that they can be turned back."""

    _split = re.compile(r"\s*(?:\w{1,8}|[^\w\s]|\s$)")

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._pieces: list[str] = []

    def encode_ordinary(self, text: str) -> list[int]:
        return [self._number(piece) for piece in self._split.findall(text)]

    def decode(self, tokens: list[int]) -> str:
        return "".join(self._pieces[token] for token in tokens)

    def _number(self, piece: str) -> int:
        if piece not in self._numbers:
            self._numbers[piece] = len(self._pieces)
            self._pieces.append(piece)
        return self._numbers[piece]
