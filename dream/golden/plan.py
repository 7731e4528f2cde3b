"""Which documents are asked about together, and how many questions each task makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dream.golden.tokens import count_tokens
from dream.records import Document

# ragas' own limits: default_transforms refuses documents up to the first, and splits those above the second.
TOO_SHORT, LONG = 100, 500


@dataclass(frozen=True)
class Batch:
    """What one task reads and makes.

    Attributes:
        documents: all long, or all short, since ragas fails on a mix of them.
        questions: how many to make.
        long: whether the documents are split into sections.
    """

    documents: tuple[Document, ...]
    questions: int
    long: bool


def plan_batches(
    documents: Sequence[Document], questions: int, documents_per_task: int
) -> tuple[list[Batch], list[str]]:
    """The tasks, and a sentence for each document that no questions can be made from.

    Questions are shared out by the number of documents; with fewer questions than tasks some tasks have
    none and are left out.

    >>> texts = {"a": "word " * 600, "b": "word " * 700, "c": "word " * 200, "d": "too short"}
    >>> batches, notes = plan_batches([Document(id, text) for id, text in texts.items()], 6, 2)
    >>> [([document.id for document in batch.documents], batch.questions) for batch in batches]
    [(['a', 'b'], 4), (['c'], 2)]
    >>> notes
    ['d: 2 tokens are too few to make questions from; ragas needs more than 100.']
    """
    groups: dict[bool, list[Document]] = {True: [], False: []}
    notes = []
    for document in documents:
        tokens = count_tokens(document.text)
        if tokens <= TOO_SHORT:
            notes.append(
                f"{document.id}: {tokens} tokens are too few to make questions from; "
                f"ragas needs more than {TOO_SHORT}."
            )
        else:
            groups[tokens > LONG].append(document)
    parts = [
        (tuple(group[start : start + documents_per_task]), long)
        for long, group in groups.items()
        for start in range(0, len(group), documents_per_task)
    ]
    total = sum(map(len, groups.values()))
    batches, before = [], 0
    for part, long in parts:
        after = before + len(part)
        share = after * questions // total - before * questions // total
        if share:
            batches.append(Batch(part, share, long))
        before = after
    return batches, notes
