"""The main job, run as a user runs it: `dream run`, on a real local Ray, against the offline models."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dream.models.offline import Faults, RunningServer, ServerOptions, start
from tests.servers.mlflow import MlflowServer
from tests.servers.s3 import S3Server
from tests.sweep.shell import (
    OFFLINE,
    SEARCH,
    Ended,
    dream,
    numbers,
    run,
    served,
    small_study,
    started,
    wait_until,
)

pytestmark = pytest.mark.servers

CALLS_AT_ONCE = 8
LIMITS = f"limits: {{calls_at_once: {CALLS_AT_ONCE}}}"


@pytest.fixture
def models() -> Iterator[RunningServer]:
    """Slow enough that a run can be caught in the middle."""
    with start(ServerOptions(faults=Faults(latency=0.05))) as server:
        yield server


@dataclass(frozen=True)
class OnTheLaptop:
    """A small study that ran with nothing but embedded defaults.

    Attributes:
        study: its file; nothing else than the models differs in the studies below.
        ended: how its run ended.
    """

    study: Path
    ended: Ended


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> OnTheLaptop:
    study = small_study(tmp_path_factory.mktemp("laptop"), models=OFFLINE, search=SEARCH)
    return OnTheLaptop(study, run(study, study.parent / "store"))


def test_a_study_gives_every_arm_every_score_and_a_second_run_makes_no_call(laptop: OnTheLaptop) -> None:
    first = laptop.ended

    assert first.code == 0, first.errors
    assert first.said["questions"] == 6
    assert len(first.said["arms"]) == 4
    for arm in first.said["arms"]:
        assert arm["offline"] is True
        assert arm["seconds_p50"] <= arm["seconds_p95"]
        for name, metric in arm["metrics"].items():
            assert (metric["scored"], metric["missing"]) == (6, 0), (arm["name"], name)
            assert -1 <= metric["mean"] <= 1
    assert first.said["model_calls"] == sum(first.said["calls"].values()) > 0
    assert first.said["input_tokens"] > 10 * first.said["output_tokens"] > 0
    assert 0 < first.said["asking_seconds"] < first.said["seconds"]
    assert first.said["embedded_texts"] > 0
    assert Path(first.said["report"]).is_file()
    for arm in first.said["losses"]:
        assert arm["traced"] == 6 and sum(arm["per_hundred"].values()) == pytest.approx(100, abs=0.1)
    assert len(first.said["losses"]) == 4 and first.said["matters"]["arms"] == 4
    assert first.said["verdict"]["recommended"]

    again = run(laptop.study, laptop.study.parent / "store")

    assert numbers(again) == numbers(first)
    assert (again.said["model_calls"], again.said["embedded_texts"]) == (0, 0)
    assert again.said["reused"] > 0
    assert again.said["mlflow_run"] == first.said["mlflow_run"]


def test_after_kill_9_the_leaderboard_is_the_same_and_only_calls_in_flight_are_paid_twice(
    tmp_path: Path, models: RunningServer, laptop: OnTheLaptop
) -> None:
    study = small_study(tmp_path, models=served(models.url), search=SEARCH, more=LIMITS)
    whole = laptop.ended.said["model_calls"]

    for share in (0.3, 0.7):
        with started(study, tmp_path / "store") as process:
            wait_until(
                lambda share=share: models.calls()["chat"] > share * whole, f"{share:.0%} of the calls"
            )
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    resumed = run(study, tmp_path / "store")

    assert resumed.code == 0, resumed.errors
    assert numbers(resumed) == numbers(laptop.ended)
    paid = models.calls()
    assert paid["repeats"] <= 2 * CALLS_AT_ONCE
    assert paid["chat"] - paid["repeats"] == whole


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path: Path, models: RunningServer) -> None:
    study = small_study(tmp_path, models=served(models.url), search=SEARCH, more=LIMITS)

    with started(study, tmp_path / "store") as process:
        wait_until(lambda: models.calls()["chat"] > 60, "the first calls")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in errors
    assert f"dream run {study} --storage {tmp_path / 'store'}" in errors
    before = models.calls()
    after = run(study, tmp_path / "store")
    assert after.code == 0, after.errors
    assert models.calls()["repeats"] - before["repeats"] <= CALLS_AT_ONCE


def test_two_runs_at_once_on_one_ledger_pay_once_and_agree(tmp_path: Path, models: RunningServer) -> None:
    study = small_study(tmp_path, models=served(models.url), search=SEARCH, more=LIMITS)

    with started(study, tmp_path / "store") as one, started(study, tmp_path / "store") as two:
        codes = [process.wait(timeout=300) for process in (one, two)]

    assert codes == [0, 0]
    assert models.calls()["repeats"] == 0


def test_an_arm_that_fails_leaves_the_others_and_its_reason(tmp_path: Path, models: RunningServer) -> None:
    broken = '{provider: openai, model: x, base_url: "http://127.0.0.1:9/v1", api_key: null, retries: 0}'
    study = small_study(
        tmp_path,
        models=served(models.url, dead=broken),
        search="{method: [chunks, sentence_window], llm: [good, dead], embedding: [hashing]}",
        more=LIMITS,
    )

    ended = run(study, tmp_path / "store")

    assert ended.code == 1
    good = [arm for arm in ended.said["arms"] if arm["arm"]["llm"] == "good"]
    dead = [arm for arm in ended.said["arms"] if arm["arm"]["llm"] == "dead"]
    assert all(arm["metrics"]["faithfulness"]["scored"] == 6 for arm in good)
    assert all("cannot be reached" in arm["error"] for arm in dead)


def test_on_s3_and_an_mlflow_server_the_numbers_are_those_of_the_laptop(
    tmp_path: Path, s3: S3Server, mlflow_server: MlflowServer, laptop: OnTheLaptop
) -> None:
    study = small_study(tmp_path, models=OFFLINE, search=SEARCH)
    bucket = s3.bucket()
    pushed = dream("corpus", "push", tmp_path / "corpus", f"s3://{bucket}/documents", "--json", cwd=tmp_path,
                   env=s3.environment())  # fmt: skip
    assert pushed.said["uploaded"] == 2, pushed.errors
    study.write_text(study.read_text().replace("corpus: corpus", f"corpus: s3://{bucket}/documents"))

    cluster = {**s3.environment(), "MLFLOW_TRACKING_URI": mlflow_server.url}
    remote = run(study, f"s3://{bucket}/dream", cluster)

    assert remote.code == 0, remote.errors
    assert numbers(remote) == numbers(laptop.ended)
    assert remote.said["mlflow_link"].startswith(mlflow_server.url)
    again = run(study, f"s3://{bucket}/dream", cluster)
    assert (again.said["model_calls"], again.said["embedded_texts"]) == (0, 0)


def test_a_method_and_a_metric_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        """
from dream.methods import Method, Search, at_query, method
from dream.metrics import metric
from dream.records import Chunk, Span

@method
class Paragraphs(Method):
    top_k: int = at_query(3, description="Paragraphs shown.")

    def split(self, document):
        chunks, start = [], 0
        for number, text in enumerate(document.text.split("\\n\\n")):
            chunks.append(Chunk(f"{document.id}#{number}", text, Span(document.id, start, start + len(text))))
            start += len(text) + 2
        return [chunk for chunk in chunks if chunk.text.strip()]

    async def retrieve(self, question, search):
        return await search.nearest(question, self.top_k)

@metric
def answer_words(answer: str) -> float:
    return float(len(answer.split()))
"""
    )
    study = small_study(
        tmp_path,
        models=OFFLINE,
        search="{method: [paragraphs], llm: [good], embedding: [hashing], "
        "knobs: {paragraphs: {top_k: [1, 3]}}}",
        more="modules: [mine.py]\nmetrics: [answer_words, recall_at_k]\nobjective: recall_at_k",
    )

    ended = run(study, tmp_path / "store")

    assert ended.code == 0, ended.errors
    assert {arm["arm"]["top_k"] for arm in ended.said["arms"]} == {1, 3}
    assert all(arm["metrics"]["answer_words"]["mean"] > 1 for arm in ended.said["arms"])


def test_the_dollar_cap_holds_the_result_is_partial_and_a_higher_cap_goes_on(
    tmp_path: Path, models: RunningServer
) -> None:
    priced = served(models.url).replace(
        "model: extractive,", "model: extractive, max_tokens: 256, prices: {input: 1, output: 4},"
    )
    study = small_study(
        tmp_path, models=priced, search=SEARCH, more="limits: {dollars: 0.1, calls_at_once: 4}"
    )

    capped = run(study, tmp_path / "store")

    assert capped.code == 1
    assert 0.05 <= capped.said["dollars"] <= 0.1
    missing = sum(m["missing"] for arm in capped.said["arms"] for m in arm["metrics"].values())
    assert missing > 0
    shown = dream("report", study, "--storage", tmp_path / "store", cwd=tmp_path)
    assert "the study's dollar cap is reached" in " ".join(shown.said["text"].split())

    study.write_text(study.read_text().replace("dollars: 0.1", "dollars: 10"))
    whole = run(study, tmp_path / "store")
    assert whole.code == 0, whole.errors
    counted, said = models.calls(), [capped.said, whole.said]
    assert counted["repeats"] == 0
    assert sum(one["model_calls"] for one in said) == counted["chat"]
    assert sum(one["calls"]["generate"] for one in said) == counted["by_kind"]["generate"]
