"""From documents to indexes: a document more costs that document, whatever is there already."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dream import sweeping, verbs
from dream.corpus import SourceFile, read_corpus, read_corpus_once
from dream.corpus.spread import parse_by_workers
from dream.ledger import Ledger
from dream.models.offline import Faults, RunningServer, ServerOptions, start
from dream.records import Corpus
from dream.retrieval.index import build_index, leaf_texts
from dream.storage import open_storage
from dream.study import Study
from dream.study_file import load_study
from dream.sweep import prepare
from dream.sweep.arms import list_arms, method_of
from dream.sweep.prepare import Awaited, order_arms, preparing
from dream.sweep.progress import Tally
from tests.sweep.shell import wait_until
from tests.workers import kill_newest, workers_of

pytestmark = pytest.mark.servers

DOCUMENTS = 200  # benchmarks/warm_document.py takes 1,000


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    import ray

    from dream.cluster.connect import connect

    connect("local")
    yield
    ray.shutdown()


@pytest.fixture(params=["by pipelines", "alone"])
def worth(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the work is taken for much, so that pipelines do it, or for little."""
    monkeypatch.setattr(prepare, "WORTH_PIPELINES", 0 if request.param == "by pipelines" else 10**9)
    return str(request.param)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with start(ServerOptions()) as running:
        yield running


def write_document(folder: Path, number: int) -> None:
    """Two sentences that no other document has; three chunks for the two methods together."""
    text = f"Machine {number} stands in hall {number % 7}. It was oiled on day {number * 3} of the year."
    (folder / f"machine-{number:04}.txt").write_text(text)


def study_of(folder: Path, url: str, documents: int, search: str = "[chunks, sentence_window]") -> Study:
    (folder / "corpus").mkdir()
    for number in range(documents):
        write_document(folder / "corpus", number)
    (folder / "questions.jsonl").write_text(
        json.dumps({"question": "Where does machine 3 stand?", "reference": "In hall 3."})
    )
    path = folder / "study.yaml"
    path.write_text(
        f"""
name: machines
corpus: corpus
golden: questions.jsonl
models:
  llms:
    good: {{provider: openai, model: extractive, base_url: "{url}", api_key: null}}
  embeddings:
    remote: {{provider: openai, model: hashing-64, base_url: "{url}", api_key: null, retries: 0}}
  judge: good
search: {{method: {search}, llm: [good], embedding: [remote]}}
metrics: [f1]
objective: f1
"""
    )
    return load_study(path)


@contextmanager
def preparations(
    study: Study, storage: Path, at_once: int
) -> Iterator[tuple[Corpus, Ledger, list[Awaited], Any]]:
    """Parse, and begin to prepare, as a run does that tries so many arms at once."""
    where = verbs.place(str(storage))
    ledger = verbs.open_ledger(study, where.storage)
    corpus = verbs.gather_corpus(study, ledger=ledger)
    golden = verbs.build_golden(study, ledger=ledger, corpus=corpus)
    setting = verbs._setting(study, where, corpus, golden, None)
    tally: Any = sweeping._start(study, setting, ledger, {})
    order = order_arms(setting, list_arms(study), corpus.documents, ledger, at_once)
    with preparing(setting, corpus.documents, order, tally) as awaited:
        yield corpus, ledger, awaited, tally


def prepared(study: Study, storage: Path) -> tuple[Corpus, Ledger, dict[str, str], dict[str, float]]:
    """Prepare to the end; the driver's ledger, what failed, and what the workers counted."""
    import ray

    with preparations(study, storage, at_once=8) as (corpus, ledger, awaited, tally):
        failed = {each.arm.id: reason for each in awaited if (reason := each.reason())}
        wait_until(lambda: all(each.ready() for each in awaited), "the questions", 60)
        # each builder tells of its index last, and is not waited for
        indexes = len({each.index for each in awaited if each.index})
        wait_until(lambda: ray.get(tally.read.remote()).get("indexes", 0) == indexes, "all was told", 10)
    return corpus, ledger, failed, ray.get(tally.read.remote())


def with_another(study: Study, folder: Path, embeddings: str) -> Study:
    """The study with an embedding that needs no server, and these in its search."""
    path = folder / "study.yaml"
    both = study.text.replace("  judge: good", "    here: {provider: hashing, dimensions: 64}\n  judge: good")
    path.write_text(both.replace("[remote]", embeddings))
    return load_study(path)


def records(storage: Path) -> dict[str, int]:
    """How many pieces of work the ledger holds."""
    stages = ("parse", "chunk", "embed", "index")
    return {
        stage: sum(path.is_file() for path in (storage / "ledger" / stage).rglob("*")) for stage in stages
    }


def test_a_document_more_in_many_is_the_only_one_that_is_parsed_split_and_embedded(
    tmp_path: Path, ray_here: None, worth: str, server: RunningServer
) -> None:
    study, store = study_of(tmp_path, server.url, DOCUMENTS), tmp_path / "store"
    _, ledger, failed, counts = prepared(study, store)
    assert not failed
    assert ledger.made["parse"] == DOCUMENTS
    before = records(store)
    # two methods, each with a record for each document; one more holds the question
    assert before == {
        "parse": DOCUMENTS,
        "chunk": 2 * DOCUMENTS,
        "embed": 2 * DOCUMENTS + 1,
        "index": 2,
    }
    asked = server.calls()
    assert asked["embedded_texts"] == counts["embedded_texts"] == 3 * DOCUMENTS + 1
    assert asked["repeats"] == 0

    write_document(tmp_path / "corpus", DOCUMENTS)
    corpus, ledger, failed, counts = prepared(study, store)

    assert not failed
    new = corpus.documents[-1]
    methods = [method_of(arm) for arm in list_arms(study)]
    texts = sum(len(leaf_texts(method.split(new))) for method in methods)
    assert new.id == f"machine-{DOCUMENTS:04}.txt" and texts == 3
    assert (ledger.made["parse"], ledger.reused["parse"]) == (1, DOCUMENTS)
    assert server.calls()["embedded_texts"] - asked["embedded_texts"] == texts
    assert counts["embedded_texts"] == texts
    grown = {stage: count - before[stage] for stage, count in records(store).items()}
    assert grown == {"parse": 1, "chunk": 2, "embed": 2, "index": 2}


def test_workers_parse_what_is_new_and_leave_what_they_cannot_see(tmp_path: Path, ray_here: None) -> None:
    import ray

    study = study_of(tmp_path, "http://127.0.0.1:9/v1", 20)
    store, corpus = str(tmp_path / "store"), str(tmp_path / "corpus")
    tally: Any = ray.remote(num_cpus=0)(Tally).remote("machines")

    def parse(files: Sequence[SourceFile]) -> None:
        away = SourceFile("away.txt", "away.txt", 1, "away.txt")
        parse_by_workers([*files[:15], away], corpus, store, (), tally)

    ledger = verbs.open_ledger(study, store)
    found = read_corpus_once(corpus, ledger, parse, worth=1)

    assert found == read_corpus(corpus)
    # told by many processes, the last of them perhaps after the pipeline has ended
    wait_until(lambda: ray.get(tally.read.remote()).get("files") == 16, "16 files told of", 10)
    assert (ledger.made["parse"], ledger.reused["parse"]) == (5, 15)


def test_the_indexes_are_to_the_byte_those_that_are_built_alone(
    tmp_path: Path, ray_here: None, worth: str, server: RunningServer
) -> None:
    search = "[chunks, sentence_window, auto_merging]"
    study, store = study_of(tmp_path, server.url, 40, search), tmp_path / "store"
    corpus, _, failed, _ = prepared(study, store)
    assert not failed

    alone = Ledger(open_storage(tmp_path / "alone"))
    golden = verbs.build_golden(study, str(store))
    setting = verbs._setting(study, verbs.place(str(store)), corpus, golden, None)
    for method in map(method_of, list_arms(study)):
        embedder = setting.embedder("remote")
        name = build_index(alone, corpus.documents, method.splitter(), method.split, embedder)
        for file in ("chunks.json", "vectors.npy"):
            ours = (store / "index" / name / file).read_bytes()
            assert ours == (tmp_path / "alone" / "index" / name / file).read_bytes(), (method.label(), file)


def test_a_model_that_fails_ends_its_own_indexes_with_its_reason_and_no_others(
    tmp_path: Path, ray_here: None, worth: str
) -> None:
    with start(ServerOptions(faults=Faults(failing=1.0))) as broken:
        study = study_of(tmp_path, broken.url, 6)
        study = with_another(study, tmp_path, "[remote, here]")
        _, _, failed, _ = prepared(study, tmp_path / "store")

    assert len(failed) == 2
    assert all("remote: the call failed" in reason for reason in failed.values())
    assert records(tmp_path / "store")["index"] == 2


def test_the_first_index_is_ready_while_another_waits_for_its_model(
    tmp_path: Path, ray_here: None, worth: str, server: RunningServer
) -> None:
    study = with_another(study_of(tmp_path, server.url, 6, "[chunks]"), tmp_path, "[here, remote]")
    os.kill(server.pid, signal.SIGSTOP)  # it takes requests, and answers none
    try:
        with preparations(study, tmp_path / "store", at_once=1) as (_, _, (first, second), _):
            assert first.ready(seconds=120) and not first.reason()
            assert not second.ready()
            os.kill(server.pid, signal.SIGCONT)
            assert second.ready(seconds=120) and not second.reason()
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert server.calls()["repeats"] == 0


def test_an_embedding_process_that_is_killed_is_replaced_and_only_what_it_had_under_way_is_paid_again(
    tmp_path: Path, ray_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "WORTH_PIPELINES", 0)
    documents = 60
    a_block = -(-documents // 8)  # of documents, all of which are under way together
    with start(ServerOptions(faults=Faults(latency=0.3))) as slow:
        study = study_of(tmp_path, slow.url, documents)
        with preparations(study, tmp_path / "store", at_once=8) as (_, _, awaited, _):
            wait_until(lambda: slow.calls()["embedded_texts"] > 3 * documents / 4, "the first embeddings")
            kill_newest(workers_of(os.getpid(), "ray::MapWorker(MapBatches(Embed)"))
            assert not any(each.reason() for each in awaited)
            wait_until(lambda: all(each.ready() for each in awaited), "the questions", 60)
        paid = slow.calls()
    assert records(tmp_path / "store")["index"] == 2
    again = paid["embedded_texts"] - (3 * documents + 1)
    assert 0 <= again <= 3 * a_block
    assert paid["repeats"] <= 2 * a_block  # requests: two methods, each asks for a document's chunks at once
