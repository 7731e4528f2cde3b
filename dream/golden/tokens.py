"""Counts tokens as ragas does, without downloading anything."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def use_shipped_encodings() -> None:
    """Let tiktoken read its encodings from the copy that llama-index-core carries.

    Call it before tokens are counted, by ragas or here.
    """
    # a namespace package: finding the parent of core runs no code of LlamaIndex
    found = importlib.util.find_spec("llama_index.core")
    if found and found.origin:
        shipped = Path(found.origin).parent / "_static" / "tiktoken_cache"
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(shipped))  # tiktoken has no other way to be told


def count_tokens(text: str) -> int:
    """Tokens of a text in cl100k, the encoding by which ragas tells short documents from long ones.

    >>> count_tokens("Ray runs tasks.")
    4
    """
    use_shipped_encodings()
    import tiktoken

    return len(tiktoken.get_encoding("cl100k_base").encode_ordinary(text))
