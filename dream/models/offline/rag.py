"""Reads the question and the retrieved passages out of a RAG prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(r"(?:^|\n)[ \t]*\[(\d+)\][ \t]*")
_RULE = "---------------------"


@dataclass(frozen=True)
class RagPrompt:
    """What a RAG prompt asks, and from what.

    Attributes:
        question: the user's question.
        passages: the retrieved chunks, best first.
    """

    question: str
    passages: tuple[str, ...]


def read_rag_prompt(prompt: str) -> RagPrompt | None:
    r"""The question and passages of DREAM's own prompt or LlamaIndex's default one; None for any other.

    >>> read_rag_prompt("Answer from the context.\n\nContext:\n[1] A.\n\n[2] B.\n\nQuestion: Why?")
    RagPrompt(question='Why?', passages=('A.', 'B.'))
    """
    return _read_dream(prompt) or _read_llama_index(prompt)


def _read_dream(prompt: str) -> RagPrompt | None:
    before, question_mark, question = ("\n" + prompt).rpartition("\nQuestion:")
    _, context_mark, context = before.partition("\nContext:")
    if not question_mark or not context_mark:
        return None
    return RagPrompt(question.strip(), _numbered(context))


def _read_llama_index(prompt: str) -> RagPrompt | None:
    before, query_mark, query = ("\n" + prompt).rpartition("\nQuery:")
    if not query_mark or before.count(_RULE) < 2:
        return None
    context = before[before.index(_RULE) + len(_RULE) : before.rindex(_RULE)]
    passages = tuple(part.strip() for part in context.split("\n\n") if part.strip())
    return RagPrompt(query.rpartition("\nAnswer:")[0].strip() or query.strip(), passages)


def _numbered(context: str) -> tuple[str, ...]:
    """Passages after ``[1]``, ``[2]``, …; a mark out of turn is part of a passage, a footnote say."""
    starts: list[tuple[int, int]] = []
    for mark in _MARK.finditer(context):
        if int(mark[1]) == len(starts) + 1:
            starts.append((mark.start(), mark.end()))
    if not starts:
        return (context.strip(),) if context.strip() else ()
    ends = [start for start, _ in starts[1:]] + [len(context)]
    return tuple(context[start:end].strip() for (_, start), end in zip(starts, ends, strict=True))
