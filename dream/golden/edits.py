"""Questions as a person left them: dropped, reworded, added; kept beside the generated ones.

What was generated stays in the ledger. The edited questions are stored under the digest of those they
came from, and every later build of the same questions gives the edited ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dream.errors import CorruptObject, DreamError
from dream.golden.dataset import GoldenDataset, digest_questions
from dream.records import Question, from_json, to_json
from dream.storage import Storage

_TEXTS = ("question", "reference")


def edited(golden: GoldenDataset, rows: Sequence[Mapping[str, Any]]) -> GoldenDataset:
    """The dataset with the rows' questions and nothing else, in the rows' order.

    Args:
        golden: what the rows were made from.
        rows: each with ``id``, ``question`` and ``reference``, as in ``golden.frame()``. A known id keeps
            its evidence; a new one is a question without.

    Raises:
        DreamError: no row is left, an id stands twice, or a text is empty.

    >>> golden = GoldenDataset((Question("a", "Why?", "So."), Question("b", "Who?", "We.")), "0")
    >>> found = edited(golden, [{"id": "b", "question": "Who is it?", "reference": "We."}])
    >>> found.questions[0].question, found.notes
    ('Who is it?', ('By hand, questions were changed: 1 removed, 1 reworded, 0 added.',))
    """
    known = {question.id: question for question in golden.questions}
    kept: dict[str, Question] = {}
    for row in rows:
        name, texts = str(row["id"]), {field: str(row[field]).strip() for field in _TEXTS}
        if name in kept:
            raise DreamError("two questions have one id", f"question {name}", "give each an id of its own")
        if not all(texts.values()):
            raise DreamError("a text is empty", f"question {name}", "fill it in, or drop the row")
        before = known.get(name) or Question(name, "", "", kind="added", origin="by hand")
        kept[name] = replace(before, question=texts["question"], reference=texts["reference"])
    if not kept:
        raise DreamError("no question is left", "golden dataset", "keep one at least")
    removed, added = len(known.keys() - kept.keys()), len(kept.keys() - known.keys())
    reworded = sum(kept[name] != question for name, question in known.items() if name in kept)
    questions = tuple(kept.values())
    if questions == golden.questions:
        return golden
    note = f"By hand, questions were changed: {removed} removed, {reworded} reworded, {added} added."
    return replace(
        golden, questions=questions, digest=digest_questions(questions), notes=(*golden.notes, note)
    )


def write_edits(storage: Storage, study: str, golden: GoldenDataset, after: GoldenDataset) -> None:
    """Keep the edited questions for all later builds; unedited ones remove what was kept."""
    key = _key(study, golden.digest)
    if after.digest == golden.digest:
        storage.delete(key)
    else:
        storage.put(key, json.dumps([to_json(question) for question in after.questions]).encode())


def with_edits(storage: Storage, study: str, golden: GoldenDataset) -> GoldenDataset:
    """The dataset as a person left it, or as it is where nobody has edited it.

    Raises:
        CorruptObject: what is kept is no list of questions.
    """
    key = _key(study, golden.digest)
    if not storage.exists(key):
        return golden
    try:
        questions = [from_json(Question, row) for row in json.loads(storage.get(key))]
    except (ValueError, TypeError):
        raise CorruptObject("is no list of questions", f"{storage.url}/{key}", "delete it") from None
    after = edited(golden, [to_json(question) for question in questions])
    return replace(after, questions=tuple(questions), digest=digest_questions(tuple(questions)))


def _key(study: str, digest: str) -> str:
    return f"golden/{study}/edits/{digest[:12]}.json"
