"""Traces of single questions, in a real MLflow store: what was retrieved, answered and judged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dream.tracking import traces
from dream.tracking.experiment import log_result
from dream.tracking.traces import traced
from dream.verbs import publish
from tests.tracking.results import result

pytestmark = pytest.mark.servers


def traces_in(store: str, experiment: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(store)
    return list(client.search_traces(locations=[experiment], max_results=500))


@pytest.mark.parametrize("kind", ["sqlite", "server"])
def test_the_tie_sets_questions_are_traced_once(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue("mlflow_server").url if kind == "server" else None
    store = address or f"sqlite:///{tmp_path}/mlflow.db"
    given = result("traced questions")
    arms = traced(given)
    assert len(arms) == 4
    tracked = log_result(given, address, {}, tmp_path)
    found = traces_in(store, tracked.experiment_id)
    assert len(found) == len(arms) * len(given.questions)
    assert {trace.info.tags["dream.arm"] for trace in found} == {arm.arm.name for arm in arms}
    assert all(len(trace.data.spans) == 4 for trace in found)
    one = next(trace for trace in found if trace.info.tags["dream.question"] == "q1")
    spans = {span.name: span for span in one.data.spans}
    assert list(spans) == ["What is 1 and 1?", "retrieve", "generate", "judge"]
    assert spans["retrieve"].span_type == "RETRIEVER"
    assert spans["retrieve"].outputs[0]["page_content"] == "some text"
    assert spans["retrieve"].outputs[0]["metadata"]["doc_uri"] == "a.pdf"
    assert spans["judge"].outputs["mrr"] == 1.0
    assert one.info.execution_duration == pytest.approx(1200, abs=5)  # as the answer took

    log_result(given, address, {}, tmp_path)
    assert len(traces_in(store, tracked.experiment_id)) == len(found)


def test_spans_are_sent_many_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracing.client import TracingClient

    sent, send = [], TracingClient.log_spans
    monkeypatch.setattr(traces, "SPANS_AT_ONCE", 24)

    def seen(client: TracingClient, location: str, spans: list[Any]) -> Any:
        sent.append(len(spans))
        return send(client, location, spans)

    monkeypatch.setattr(TracingClient, "log_spans", seen)
    tracked = log_result(result(), None, {}, tmp_path)
    found = traces_in(f"sqlite:///{tmp_path}/mlflow.db", tracked.experiment_id)
    assert sum(sent) == sum(len(trace.data.spans) for trace in found) == 64
    assert len(sent) <= 4, sent  # MLflow's own 5 at a time would be 13


@pytest.mark.parametrize("variable", [None, "http://127.0.0.1:9", "the same"])
def test_what_a_process_publishes_next_goes_where_the_first_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = f"sqlite:///{tmp_path}/store/mlflow.db"
    if variable == "the same":
        variable = store
    if variable:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    before, address = dict(os.environ), store if variable else None

    first, second = (publish(result(shift=shift), "store", address).tracked for shift in (0.0, 0.5))

    assert second.run_id == first.run_id
    assert len(traces_in(store, first.experiment_id)) > len(traced(result())) * len(result().questions)
    assert dict(os.environ) == before
    assert not (tmp_path / "mlflow.db").exists()
