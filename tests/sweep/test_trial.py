"""One arm in one event loop, without Ray: how many clients it makes, and what it asks together."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dream import verbs
from dream.models.capacity import Rules
from dream.models.limits import Bounds
from dream.models.offline import Faults, RunningServer, ServerOptions, start
from dream.retrieval.index import build_index
from dream.study_file import load_study
from dream.sweep.arms import list_arms, method_of
from dream.sweep.result import ArmResult
from dream.sweep.trial import run_arm
from tests.sweep.shell import served, small_study

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
QUESTIONS = 6
LATENCY = 0.2
SEARCH = "{method: [chunks], llm: [good], embedding: [hashing]}"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with start(ServerOptions(faults=Faults(latency=LATENCY))) as running:
        yield running


def tried(folder: Path, url: str, calls_at_once: int = 64) -> ArmResult:
    """The only arm of a small study whose judge compares answers by an embedding over HTTP."""
    models = served(url).replace(
        "  judge: good",
        f'    served: {{provider: openai, model: hashing-128, base_url: "{url}", api_key: null}}\n'
        "  judge: good\n  judge_embedding: served",
    )
    study = load_study(small_study(folder, models=models, search=SEARCH, questions=QUESTIONS))
    where = verbs.place(str(folder / "store"))
    ledger = verbs.open_ledger(study, where.storage)
    corpus = verbs.gather_corpus(study, ledger=ledger)
    golden = verbs.build_golden(study, ledger=ledger, corpus=corpus)
    setting = verbs._setting(study, where, corpus, golden, None)
    (arm,) = list_arms(study)
    method = method_of(arm)
    build_index(ledger, corpus.documents, method.splitter(), method.split, setting.embedder("hashing"))
    bounds = Bounds(Rules(calls_at_once=calls_at_once))
    return asyncio.run(run_arm(setting, arm, ledger, bounds, lambda sums: None))


def test_a_trial_makes_a_client_for_each_model_and_none_for_a_call(
    tmp_path: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aiohttp
    import httpx
    import openai

    made: Counter[str] = Counter()
    for kind in (openai.AsyncOpenAI, openai.OpenAI, httpx.AsyncClient, httpx.Client, aiohttp.ClientSession):

        def counted(self, *given, _kind=kind, _made=kind.__init__, **named) -> None:
            made[_kind.__name__] += 1
            _made(self, *given, **named)

        monkeypatch.setattr(kind, "__init__", counted)
    loops: Counter[str] = Counter()
    new_loop = asyncio.new_event_loop
    monkeypatch.setattr(asyncio.events, "new_event_loop", lambda: (loops.update(["loop"]), new_loop())[1])

    result = tried(tmp_path, server.url)

    assert not any(row.error or any(score.missing for score in row.scores) for row in result.rows)
    assert server.calls()["chat"] > 10 * QUESTIONS
    # the arm's model, the judge, and the embedding that compares
    assert made == {"AsyncOpenAI": 3, "AsyncClient": 3, "ClientSession": 3}
    assert loops["loop"] == 1


IMPORTING = """
import time
started = time.monotonic()
import dream.models.recorded, ragas.metrics.collections
print(time.monotonic() - started)
"""

TRYING = """
import sys
from pathlib import Path
from tests.sweep.test_trial import tried
print(max(row.answer.seconds for row in tried(Path(sys.argv[1]), sys.argv[2], calls_at_once=2).rows))
"""


def seconds_told(code: str, *words: str) -> float:
    """The number that a new process prints, in which nothing is imported yet."""
    command = [sys.executable, "-c", code, *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return float(ended.stdout)


def test_what_judges_need_is_not_imported_while_answers_are_waited_for(
    tmp_path: Path, server: RunningServer
) -> None:
    importing = seconds_told(IMPORTING)
    longest = seconds_told(TRYING, str(tmp_path), server.url)
    assert LATENCY < longest < LATENCY + importing / 2


def test_texts_that_are_asked_for_in_one_moment_are_one_request(
    tmp_path: Path, server: RunningServer
) -> None:
    tried(tmp_path, server.url)

    counts = server.calls()
    assert counts["embedded_texts"] >= 4 * QUESTIONS  # question, answer, reference, questions from the answer
    assert counts["embeddings"] <= counts["embedded_texts"] / 3
    assert counts["repeats"] == 0
