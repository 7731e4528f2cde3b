"""What a study looks like in MLflow, on an SQLite file and on a real server with Postgres and S3."""

from __future__ import annotations

import json
import logging
import math
import os
import shlex
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from dream.errors import DreamError
from dream.tracking.experiment import Tracked, log_result
from tests.report.sample import sample_result
from tests.servers.process import free_port
from tests.tracking.results import GOLDEN_DIGEST, result, with_failed_arm


@dataclass(frozen=True)
class Store:
    """A place to write to, and its bucket if it has one."""

    uri: str | None
    folder: Path
    server: Any = None

    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.uri or f"sqlite:///{self.folder}/mlflow.db")

    def children(self, tracked: Tracked) -> list[Any]:
        condition = f"tags.`mlflow.parentRunId` = '{tracked.run_id}'"
        return list(self.client().search_runs([tracked.experiment_id], condition, max_results=1000))

    def everything(self, tracked: Tracked) -> dict[str, Any]:
        """All that can be seen of every run, by run id."""
        runs = self.client().search_runs([tracked.experiment_id], max_results=1000)
        return {
            run.info.run_id: (
                run.info.status,
                run.info.end_time,
                run.data.to_dictionary(),
                run.inputs.to_dictionary(),
            )
            for run in runs
        }

    def artifact(self, run_id: str, path: str, to: Path) -> str:
        return Path(self.client().download_artifacts(run_id, path, str(to))).read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an SQLite file, shared because making one takes a second; studies are not shared."""
    return tmp_path_factory.mktemp("tracking") / "a folder"


@pytest.fixture(params=["sqlite", pytest.param("server", marks=pytest.mark.servers)])
def store(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return Store(None, folder)
    server = request.getfixturevalue("mlflow_server")
    return Store(server.url, tmp_path, server)


@pytest.fixture
def study(request: pytest.FixtureRequest) -> str:
    return f"study of {request.node.name}"


def test_a_parent_and_twelve_children_hold_everything(store: Store, study: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<h1>hello</h1>")
    tracked = log_result(result(study), store.uri, {"report.html": page}, store.folder)

    parent = store.client().get_run(tracked.run_id)
    assert parent.info.status == "FINISHED"
    assert parent.info.end_time - parent.info.start_time == 3000
    tags = parent.data.tags
    assert tags["dream.study"] == study
    assert tags["dream.corpus_digest"] == "c" * 64
    assert tags["dream.golden_digest"] == GOLDEN_DIGEST
    assert json.loads(tags["dream.versions"]) == {"ragas": "0.4.3"}
    assert parent.data.metrics["arms"] == 12
    assert store.artifact(tracked.run_id, "study.yaml", tmp_path) == "name: small study\n"
    assert store.artifact(tracked.run_id, "report.html", tmp_path) == "<h1>hello</h1>"
    assert json.loads(store.artifact(tracked.run_id, "lineage.json", tmp_path))["seed"] == 7

    children = store.children(tracked)
    assert len(children) == 12
    first = next(run for run in children if run.info.run_name == "chunks · small · minilm")
    assert first.data.params == {
        "method": "chunks",
        "llm": "small",
        "embedding": "minilm",
        "method.top_k": "4",
        "method.chunk_size": "256",
        "method.chunk_overlap": "32",
    }
    metrics = first.data.metrics
    assert metrics["answer_correctness"] == pytest.approx(0.375)
    assert metrics["answer_correctness_stderr"] == pytest.approx(0.0322749, rel=1e-5)
    assert metrics["mrr_coverage"] == 0.75
    assert metrics["dollars"] == pytest.approx(0.004)
    assert (metrics["seconds_p50"], metrics["seconds_p95"]) == (1.2, 3.2)
    assert first.data.tags["dream.offline"] == "true"

    table = json.loads(store.artifact(first.info.run_id, "questions.json", tmp_path))
    row = dict(zip(table["columns"], table["data"][0], strict=True))
    assert row["question"] == "What is 0 and 0?"
    assert row["sources"] == "a.pdf p. 3"
    assert (row["answer_correctness"], row["mrr"], row["problems"]) == (0.3, None, "mrr: no vote")
    if store.server is None:
        assert not (Path.cwd() / "mlruns").exists()


def test_every_run_names_the_golden_dataset_by_its_digest(store: Store, study: str) -> None:
    tracked = log_result(result(study), store.uri, {}, store.folder)
    for run in [store.client().get_run(tracked.run_id), *store.children(tracked)]:
        [given] = run.inputs.dataset_inputs
        assert given.dataset.digest == GOLDEN_DIGEST[:36]
        assert {tag.key: tag.value for tag in given.tags}["dream.golden_digest"] == GOLDEN_DIGEST
        assert json.loads(given.dataset.source)["uri"] == "/data/my golden/questions.csv"


def test_running_again_changes_nothing(store: Store, study: str) -> None:
    first = log_result(result(study), store.uri, {}, store.folder)
    before = store.everything(first)
    again = log_result(replace(result(study)), store.uri, {}, store.folder)
    assert again == first
    assert store.everything(again) == before
    assert len(before) == 13


def test_what_is_the_same_is_not_written_again(folder: Path, study: str) -> None:
    first = log_result(result(study), None, {}, folder)
    store = Store(None, folder)
    files = {path: path.stat().st_mtime_ns for path in (folder / "mlartifacts").rglob("*.*")}
    log_result(result(study), None, {}, folder)
    assert {path: path.stat().st_mtime_ns for path in (folder / "mlartifacts").rglob("*.*")} == files
    log_result(result(study, shift=0.2), None, {}, folder)
    histories = {
        run.info.run_name: len(store.client().get_metric_history(run.info.run_id, "mrr"))
        for run in store.children(first)
    }
    assert histories.pop("chunks · small · minilm") == 2  # all of an arm whose scores changed, in their order
    assert set(histories.values()) == {1}


def test_a_changed_score_is_brought_up_to_date(store: Store, study: str, tmp_path: Path) -> None:
    first = log_result(result(study), store.uri, {}, store.folder)
    before = store.everything(first)
    log_result(result(study, shift=0.2), store.uri, {}, store.folder)
    after = store.everything(first)
    assert after.keys() == before.keys()
    changed = {run_id for run_id in after if after[run_id] != before[run_id]}
    assert first.run_id in changed  # the verdict tells of the changed score
    (arm,) = changed - {first.run_id}
    run = store.client().get_run(arm)
    assert run.data.metrics["answer_correctness"] == pytest.approx(0.575)
    table = json.loads(store.artifact(arm, "questions.json", tmp_path))
    assert [row[6] for row in table["data"]] == pytest.approx(
        [0.5, 0.55, 0.6, 0.65]
    )  # replaced, not added to


def test_a_failed_arm_is_a_failed_run_and_may_recover(store: Store, study: str) -> None:
    good = result(study)
    reason = "small: the key is not valid"
    tracked = log_result(with_failed_arm(good, 0, reason), store.uri, {}, store.folder)
    arm = good.arms[0].arm.id
    [failed] = [run for run in store.children(tracked) if run.data.tags["dream.arm"] == arm]
    assert (failed.info.status, failed.data.tags["dream.error"]) == ("FAILED", reason)
    assert failed.data.metrics == {}
    assert failed.info.run_id not in tracked.compare_link
    assert store.client().get_run(tracked.run_id).data.metrics["arms_failed"] == 1

    log_result(good, store.uri, {}, store.folder)
    mended = store.client().get_run(failed.info.run_id)
    assert (mended.info.status, mended.data.tags["dream.error"]) == ("FINISHED", "")
    assert mended.data.metrics["answer_correctness"] == pytest.approx(0.375)

    log_result(with_failed_arm(good, 0, reason), store.uri, {}, store.folder)
    broken = store.client().get_run(failed.info.run_id)
    assert broken.info.status == "FAILED"
    assert math.isnan(broken.data.metrics["answer_correctness"])  # no number of another day stays behind


def test_an_arm_that_left_the_study_is_marked_and_may_return(store: Store, study: str) -> None:
    whole = result(study)
    first = log_result(whole, store.uri, {}, store.folder)
    log_result(replace(whole, arms=whole.arms[1:]), store.uri, {}, store.folder)
    marked = [run for run in store.children(first) if run.data.tags["dream.superseded"] == "true"]
    assert [run.data.tags["dream.arm"] for run in marked] == [whole.arms[0].arm.id]
    log_result(whole, store.uri, {}, store.folder)
    assert {run.data.tags["dream.superseded"] for run in store.children(first)} == {"false"}


def test_other_questions_make_another_parent(store: Store, study: str) -> None:
    first = log_result(result(study), store.uri, {}, store.folder)
    other = replace(result(study), lineage={"golden_digest": "f" * 64})
    second = log_result(other, store.uri, {}, store.folder)
    assert second.run_id != first.run_id
    assert len(store.children(first)) == len(store.children(second)) == 12
    assert store.client().get_run(first.run_id).data.tags["dream.superseded"] == "true"


def test_a_run_that_was_cut_off_is_completed(store: Store, study: str) -> None:
    first = log_result(result(study), store.uri, {}, store.folder)
    whole = store.everything(first)
    cut = store.children(first)[0].info.run_id
    store.client().delete_tag(cut, "dream.written")
    store.client().set_terminated(cut, "RUNNING")
    log_result(result(study), store.uri, {}, store.folder)
    status, _, data, _ = store.everything(first)[cut]
    assert (status, data) == (whole[cut][0], whole[cut][2])


@pytest.mark.servers
def test_artifacts_of_a_server_lie_in_its_bucket(
    mlflow_server: Any, s3: Any, tmp_path: Path, study: str
) -> None:
    tracked = log_result(result(study), mlflow_server.url, {}, tmp_path)
    keys = [key for key in s3.keys(mlflow_server.bucket) if f"/{tracked.experiment_id}/" in key]
    assert len([key for key in keys if key.endswith("/artifacts/questions.json")]) == 12
    assert [key for key in keys if f"/{tracked.run_id}/artifacts/study.yaml" in key]
    assert tracked.command == ""
    assert not (tmp_path / "mlflow.db").exists()


def test_names_that_mlflow_dislikes_are_written(folder: Path) -> None:
    odd = result('résumé\'s "study" / 50 %')
    odd = replace(odd, metrics=("hit@3", *odd.metrics))
    tracked = log_result(odd, None, {}, folder)
    assert len(Store(None, folder).children(tracked)) == 12
    assert log_result(odd, None, {}, folder) == tracked


def test_a_result_with_gaps_failures_and_hostile_texts_is_written(folder: Path) -> None:
    tracked = log_result(sample_result(), None, {}, folder)
    store = Store(None, folder)
    assert len(store.children(tracked)) == len(sample_result().arms)
    before = store.everything(tracked)
    assert log_result(sample_result(), None, {}, folder) == tracked
    assert store.everything(tracked) == before


def test_the_printed_link_and_command_fit_together(folder: Path) -> None:
    tracked = log_result(result(), None, {}, folder)
    assert tracked.compare_link.startswith("http://127.0.0.1:5000/#/compare-runs?")
    assert not set(tracked.compare_link) & set(' "[]<>')  # a terminal would end the link there
    query = parse_qs(tracked.compare_link.split("?", 1)[1])
    assert len(json.loads(query["runs"][0])) == 12
    assert json.loads(query["experiments"][0]) == [tracked.experiment_id]
    assert f"sqlite:///{folder}/mlflow.db" in shlex.split(tracked.command)


def test_nothing_answering_is_told_at_once_and_without_the_password(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DreamError, match="no MLflow server answers") as told:
        log_result(result(), f"http://me:swordfish@127.0.0.1:{free_port()}", {}, tmp_path)
    assert time.monotonic() - started < 30  # MLflow itself tries for minutes
    assert "swordfish" not in str(told.value)


def test_a_database_that_cannot_be_opened_is_told_at_once_and_without_the_password(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DreamError, match="the database cannot be opened") as told:
        log_result(result(), f"postgresql://me:swordfish@127.0.0.1:{free_port()}/x", {}, tmp_path)
    assert time.monotonic() - started < 30  # MLflow itself tries for more than half an hour
    assert "swordfish" not in str(told.value) and "\n" not in str(told.value)
    (tmp_path / "text.db").write_text("no database at all" * 100)
    with pytest.raises(DreamError, match="file is not a database"):
        log_result(result(), f"sqlite:///{tmp_path / 'text.db'}", {}, tmp_path)
    with pytest.raises(DreamError, match="the folder cannot be made"):
        log_result(result(), f"sqlite:///{tmp_path / 'text.db' / 'below' / 'mlflow.db'}", {}, tmp_path)


def test_an_unusable_address_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(DreamError, match="no address of an MLflow server"):
        log_result(result(), "ftp://somewhere", {}, tmp_path)


def test_writing_is_quiet_and_leaves_no_settings_behind(
    store: Store, study: str, capfd: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    new = store.folder / "new" if store.server is None else store.folder
    before = (mlflow.get_tracking_uri(), dict(os.environ))
    capfd.readouterr()  # what starting the server said
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        log_result(result(study), store.uri, {}, new)  # a new database has the most to say
    assert mlflow.active_run() is None
    assert (mlflow.get_tracking_uri(), dict(os.environ)) == before
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("mlflow.store.db.utils").level == logging.NOTSET


def test_a_run_is_written_in_at_most_150_statements(folder: Path) -> None:
    from sqlalchemy import Engine, event

    statements = []

    def note(*told: object) -> None:
        statements.append(told[2])

    log_result(result("warm up"), None, {}, folder)  # the new database is not what is meant
    event.listen(Engine, "before_cursor_execute", note)
    try:
        log_result(result("measured"), None, {}, folder)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert 0 < len(statements) / 13 <= 150, len(statements)  # twelve arms and their study, traces included
