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
    from dream.audits import audit_golden
    from dream.cluster.connect import connect
    from dream.corpus.push import push_corpus
    from dream.datasets import read_dataset, write_dataset
    from dream.report.answers import answers, hardest
    from dream.report.live import live_progress
    from dream.study_file import load_study
    from dream.verbs import (
        build_golden,
        edit_golden,
        gather_corpus,
        plan,
        publish,
        read_results,
        run_sweep,
    )

__all__ = [
    "answers", "audit_golden", "build_golden", "connect", "edit_golden", "gather_corpus", "hardest",
    "live_progress", "load_study", "plan", "publish", "push_corpus", "read_dataset", "read_results",
    "run_sweep", "write_dataset",
]  # fmt: skip

_HOMES = {
    "answers": "dream.report.answers",
    "audit_golden": "dream.audits",
    "connect": "dream.cluster.connect",
    "hardest": "dream.report.answers",
    "live_progress": "dream.report.live",
    "load_study": "dream.study_file",
    "push_corpus": "dream.corpus.push",
    "read_dataset": "dream.datasets",
    "write_dataset": "dream.datasets",
}


def __getattr__(name: str) -> Any:
    # Late, so that importing one floor, as workers and tests do, does not import all of them.
    if name not in __all__:
        raise AttributeError(f"module 'dream' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES.get(name, "dream.verbs")), name)
