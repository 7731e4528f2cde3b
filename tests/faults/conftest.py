"""The study that all faults meet, and what it gives when nothing goes wrong: run once a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dream.models.offline import Faults, ServerOptions, start
from tests.sweep.shell import numbers, run, served, small_study

CALLS_AT_ONCE = 8
BATCH = 4  # texts of an embedding request
SLOW = ServerOptions(faults=Faults(latency=0.1))  # slow enough to be caught in the middle

MakeStudy = Callable[[Path, str], Path]


@dataclass(frozen=True)
class Undisturbed:
    """The study when nothing goes wrong.

    Attributes:
        numbers: of its leaderboard.
        calls: the server's own counts.
    """

    numbers: dict[str, Any]
    calls: dict[str, Any]


def make_study(folder: Path, url: str) -> Path:
    """Four arms, six questions, every metric, chat and embedding over HTTP."""
    model = f'model: hashing-256, base_url: "{url}", api_key: null, batch_size: {BATCH}'
    remote = f"remote: {{provider: openai, {model}}}"
    return small_study(
        folder,
        models=served(url).replace("  embeddings:\n", f"  embeddings:\n    {remote}\n"),
        search="{method: [chunks, sentence_window], llm: [good, poor], embedding: [remote]}",
        more=f"limits: {{calls_at_once: {CALLS_AT_ONCE}, trials_at_once: 4}}",
    )


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    with start() as models:
        ended = run(make_study(folder, models.url), folder / "store")
        assert ended.code == 0, ended.errors
        calls = models.calls()
    assert calls["repeats"] == 0
    return Undisturbed(numbers(ended), calls)
