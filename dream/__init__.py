"""DREAM finds the best retrieval-augmented generation set-up for your own documents.

import dream

study = dream.load_study("study.yaml")
dream.connect()  # RAY_ADDRESS, or a local Ray
golden = dream.build_golden(study)
result = dream.run_sweep(study, golden)
result.leaderboard()  # a pandas DataFrame
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dream.cluster.connect import connect
    from dream.study_file import load_study
    from dream.verbs import build_golden, gather_corpus, plan, publish, read_results, run_sweep

__all__ = [
    "build_golden", "connect", "gather_corpus", "load_study", "plan", "publish", "read_results", "run_sweep"
]  # fmt: skip

_HOMES = {"load_study": "dream.study_file", "connect": "dream.cluster.connect"}


def __getattr__(name: str) -> Any:
    # Late, so that importing one floor, as workers and tests do, does not import all of them.
    if name not in __all__:
        raise AttributeError(f"module 'dream' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES.get(name, "dream.verbs")), name)
