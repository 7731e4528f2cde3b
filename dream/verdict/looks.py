"""How often a holdout has been looked at: every look at it makes what it says a little more optimistic."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from dream.golden.dataset import digest_questions
from dream.records import Question, digest_of
from dream.storage import Storage


def note_look(storage: Storage, holdout: Sequence[Question], arms: Iterable[str]) -> int:
    """Note that these arms, by their ids, were scored on the holdout; gives how many sets were so far.

    The same set again is no new look: it learns nothing that was not known.

    >>> import tempfile
    >>> from dream.storage import open_storage
    >>> storage, held = open_storage(tempfile.mkdtemp()), [Question("q1", "?", "!")]
    >>> [note_look(storage, held, arms) for arms in (["a", "b"], ["b", "a"], ["c"])]
    [1, 1, 2]
    """
    looked = sorted(arms)
    key = f"{_folder(holdout)}/{digest_of(looked)[:24]}.json"
    if not storage.exists(key):
        storage.put(key, json.dumps(looked).encode())
    return looks_at(storage, holdout)


def looks_at(storage: Storage, holdout: Sequence[Question]) -> int:
    """How many different sets of arms were scored on the holdout."""
    return sum(1 for _ in storage.list(f"{_folder(holdout)}/"))


def _folder(holdout: Sequence[Question]) -> str:
    return f"holdout/{digest_questions(tuple(holdout))[:24]}"
