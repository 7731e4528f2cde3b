"""Questions made by ragas in Ray tasks, over the offline server."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from dream.errors import DreamError, StorageError
from dream.golden import build_golden
from dream.golden import generate as generation
from dream.golden.generate import GENERATOR_ID, generator_sources
from dream.golden.plan import plan_batches
from dream.ledger import Ledger
from dream.models.offline import Faults, RunningServer, ServerOptions, start
from dream.records import Corpus, Document, digest_of
from dream.storage import open_storage
from dream.study import Study
from tests.sweep.shell import wait_until

pytestmark = pytest.mark.servers

SUBJECTS = {
    "ray": "Ray {n} runs tasks and actors on the nodes of a cluster, and the Raylet starts workers for them.",
    "index": "The index {n} of Milvus keeps vectors in memory, and the retriever returns the nearest chunks.",
    "cost": "A call to OpenAI costs {n} cents for each thousand tokens, and the Limiter stops it at the cap.",
    "kube": "Kubernetes restarts pod {n} on a node with free memory, and the Kubelet reports its state.",
}


def long_text(subject: str, sentences: int = 90) -> str:
    lines = []
    for number in range(sentences):
        if number % 15 == 0:
            lines.append(f"\n\nPart {number // 15 + 1} of the {subject} guide\n\n")
        lines.append(SUBJECTS[subject].format(n=number + 10) + (" " if number % 3 else "\n"))
    return "".join(lines)


DOCUMENTS = (
    *(Document(f"{subject}.txt", long_text(subject)) for subject in SUBJECTS),
    Document("broken.txt", "only twenty words " * 7),
    Document("noise.txt", "#### ---- .... 12 34 ;;;;\n" * 300),
)


def study_of(questions: int, documents_per_task: int = 2, url: str | None = None) -> Study:
    offline = {"provider": "offline"}
    hosted = {"provider": "openai", "model": "extractive", "base_url": url, "api_key": None, "retries": 0}
    return Study.model_validate(
        {
            "name": "made",
            "corpus": ".",
            "golden": {"generate": {"questions": questions, "documents_per_task": documents_per_task}},
            "models": {
                "llms": {"a": hosted if url else offline},
                "embeddings": {"h": {"provider": "hashing"}},
                "judge": "a",
            },
            "search": {"method": ["chunks"], "llm": ["a"], "embedding": ["h"]},
            "limits": {"calls_at_once": 8},
        }
    )


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    import ray

    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True
    )
    yield
    ray.shutdown()


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with start() as running:
        yield running


@pytest.mark.usefixtures("local_ray")
def test_generation_end_to_end(tmp_path: Path, server: RunningServer) -> None:
    ledger = Ledger(open_storage(tmp_path / "one"))
    told: list[tuple[int, int]] = []
    golden = build_golden(
        study_of(15),
        Corpus(DOCUMENTS),
        ledger,
        offline_url=server.url,
        progress=lambda made, expected: told.append((made, expected)),
    )
    # five documents share fifteen questions; noise.txt has a task of its own, and loses its three
    assert len(golden.questions) >= 11
    assert {question.kind for question in golden.questions} == {"single-hop", "multi-hop"}
    texts = {document.id: document.text for document in DOCUMENTS}
    for question in golden.questions:
        assert question.origin == "generated" and question.question and question.reference
        assert question.evidence, question.id
        held = "".join(texts[span.document][span.start : span.end] for span in question.evidence)
        # sentences, which a chunk can hold, and not the whole section that the question was made from
        assert all(span.end - span.start < 500 for span in question.evidence), question.id
        for piece in question.evidence_text:
            assert "".join(piece.split()) in "".join(held.split())
    assert {span.document for question in golden.questions for span in question.evidence} == {
        f"{subject}.txt" for subject in SUBJECTS
    }
    notes = [note for note in golden.notes if note.startswith(("broken.txt", "noise.txt"))]
    assert "tokens are too few to make questions from" in notes[0]
    assert "0 of 3 questions were made: ragas found nothing to ask about" in notes[1]
    assert told[0] == (0, 15) and told[-1][0] >= 11
    calls = server.calls()
    assert calls["repeats"] == 0 and calls["chat"] == ledger.made["golden"] > 0

    again = Ledger(open_storage(tmp_path / "one"))
    second = build_golden(study_of(15), Corpus(DOCUMENTS), again, offline_url=server.url)
    assert (second.digest, second.notes) == (golden.digest, golden.notes)
    assert second.failures == golden.failures == (notes[1],)
    assert server.calls()["chat"] == calls["chat"] and not again.made["golden"]


@pytest.mark.usefixtures("local_ray")
def test_a_model_that_fails_costs_questions_and_not_the_run(tmp_path: Path) -> None:
    ledger = Ledger(open_storage(tmp_path))
    corpus = Corpus(DOCUMENTS[:4])
    faults = Faults(failing=0.01, attempts=1000)
    with start(ServerOptions(faults=faults)) as server:
        study = study_of(12, 1, url=server.url)
        golden = build_golden(study, corpus, ledger)
    failed = [note for note in golden.notes if "questions were made" in note]
    assert golden.failures == tuple(failed)
    # a report shows what this run made, failures and all, and neither asks nor repairs anything
    shown = build_golden(study, corpus, ledger, recorded_only=True)
    assert (shown.digest, shown.failures) == (golden.digest, golden.failures)
    assert failed and golden.questions and len(golden.questions) < 12
    assert all("the call failed" in note for note in failed)
    port = urllib.parse.urlsplit(server.url).port or 0
    with start(ServerOptions(port=port)) as healthy:
        whole = build_golden(study, corpus, ledger)
        made = healthy.calls()["chat"]
    # only what failed, and what comes after it, is asked; the rest is in the ledger
    assert 0 < made < ledger.made["golden"] and len(whole.questions) >= len(golden.questions)
    assert not [note for note in whole.notes if "questions were made" in note] and not whole.failures
    assert build_golden(study, corpus, ledger, recorded_only=True).digest == whole.digest


def test_what_is_not_generated_yet_is_told_without_asking_anything(tmp_path: Path) -> None:
    said = r"study golden: the golden dataset is not built yet; run: dream golden build STUDY"
    with pytest.raises(DreamError, match=said):
        build_golden(study_of(4), Corpus(DOCUMENTS[:1]), Ledger(open_storage(tmp_path)), recorded_only=True)


@pytest.mark.usefixtures("local_ray")
def test_a_storage_that_cannot_be_written_ends_the_run(tmp_path: Path, server: RunningServer) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "golden").write_text("a file where the answers would go")
    ledger = Ledger(open_storage(tmp_path))
    with pytest.raises(StorageError, match=r"ledger/golden/.*: cannot write"):
        build_golden(study_of(4), Corpus(DOCUMENTS[:2]), ledger, offline_url=server.url)


def test_every_source_that_makes_questions_is_in_the_ledgers_key() -> None:
    package = Path(__file__).parents[2] / "dream"
    waiting, reached = ["golden/ask"], set()
    while waiting:
        name = waiting.pop()
        reached.add(name)
        named = re.findall(r"^from dream\.(golden\.\w+) import", (package / f"{name}.py").read_text(), re.M)
        waiting += [each.replace(".", "/") for each in named if each.replace(".", "/") not in reached]
    hashed = {path.relative_to(package).as_posix().removesuffix(".py") for path in generator_sources()}
    assert {*reached, "models/recorded"} == hashed
    digest = digest_of([[path.name, path.read_text("utf-8")] for path in generator_sources()])
    assert GENERATOR_ID.endswith(digest[:16]) and f"ragas {version('ragas')}" in GENERATOR_ID
    [batch], _ = plan_batches(DOCUMENTS[:1], 4, 2)
    assert generation.testset_inputs(study_of(4), batch)["generator"] == GENERATOR_ID


SCRIPT = """
import sys
import ray
from dream.golden import build_golden
from dream.ledger import Ledger
from dream.records import Corpus
from dream.storage import open_storage
from tests.golden.test_generate import DOCUMENTS, study_of
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
ledger = Ledger(open_storage(sys.argv[1]))
golden = build_golden(study_of(12), Corpus(DOCUMENTS[:4]), ledger, offline_url=sys.argv[2])
print(golden.digest)
"""


def below(process: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    listed = Path("/proc", str(process), "task").glob("*/children")
    children = [int(child) for threads in listed for child in threads.read_text().split()]
    return [one for child in children for one in [*below(child), child]]


@pytest.mark.usefixtures("local_ray")
def test_after_a_kill_only_calls_in_flight_are_repeated(tmp_path: Path) -> None:
    # hash seeds differ, so that an order which comes from a set would show
    one, other = {**os.environ, "PYTHONHASHSEED": "1"}, {**os.environ, "PYTHONHASHSEED": "2"}
    with start(ServerOptions(faults=Faults(latency=0.15))) as server:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), server.url]
        child = subprocess.Popen(command, env=one, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: server.calls()["chat"] >= 30, "30 calls")
        finally:
            # the driver and, below it, Ray's own processes and workers
            for process in [*below(child.pid), child.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            child.wait()
        settled = -1
        while (now := server.calls()["chat"]) != settled:
            settled = now
            time.sleep(1)
        resumed = subprocess.run(command, env=other, capture_output=True, text=True, timeout=300, check=True)
        after = server.calls()
    with start() as server:
        ledger = Ledger(open_storage(tmp_path / "clean"))
        clean = build_golden(study_of(12), Corpus(DOCUMENTS[:4]), ledger, offline_url=server.url)
        whole = server.calls()
    assert settled < whole["chat"], "the run was over before it was killed"
    assert resumed.stdout.strip() == clean.digest
    assert after["repeats"] <= 8
    assert after["chat"] - after["repeats"] == whole["chat"]
