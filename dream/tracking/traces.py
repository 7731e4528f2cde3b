"""Single questions as MLflow traces: what was retrieved, what was answered, and how it was judged.

Only the arms that may be the best have them, for those are what a person looks into. A trace is written
once: its key is the hash of all that it shows.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dream.records import Question, digest_of, to_json
from dream.sweep.result import ArmResult, Row
from dream.verdict.result import SweepResult

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "dream.trace"  # the tag that holds the hash

SPANS_AT_ONCE = 256  # in one request, about a megabyte; MLflow would send five
BATCH_SIZE = "MLFLOW_ASYNC_TRACE_LOGGING_MAX_SPAN_BATCH_SIZE"

MOST = 300  # traces of one study: each is an upload of its own

ARMS = 4  # of a tie set, which few questions make large


def log_traces(
    client: MlflowClient, store: str, experiment: str, result: SweepResult, runs: Mapping[str, str]
) -> int:
    """Write the traces that are not there yet, best arm first; how many were written.

    Args:
        client: of the store.
        store: the tracking URI, which MLflow's exporter takes from the process alone.
        experiment: its id.
        result: whose tie set is traced; without one, its best arm.
        runs: the arms' MLflow runs by the arms' ids.
    """
    arms = traced(result)
    wanted = [(arm, row) for row_of in zip(*(arm.rows for arm in arms), strict=False)
              for arm, row in zip(arms, row_of, strict=False)][:MOST]  # fmt: skip
    if not wanted:
        return 0
    known = _known(client, experiment)
    questions = {question.id: question for question in result.questions}
    missing = [
        (arm, row, key)
        for arm, row in wanted
        if (key := digest_of([arm.arm.id, runs[arm.arm.id], to_json(row)])[:32]) not in known
    ]
    if not missing:
        return 0
    with _exported_to(store):
        for arm, row, key in missing:
            if question := questions.get(row.question):
                _write(client, experiment, runs[arm.arm.id], arm, row, question, key)
    return len(missing)


@contextlib.contextmanager
def _exported_to(store: str) -> Iterator[None]:
    """What is traced meanwhile goes to that store, many spans in one request; afterwards all of it is there.

    MLflow's exporter takes its settings from the environment when it is made: when the store becomes another
    one, and with the process's first trace.
    """
    import mlflow

    # MLflow sets the variable too. Its own answer to where it was before would be the default, mlflow.db in
    # the folder that one happens to stand in, and whatever a notebook publishes next would go there.
    before, size = os.environ.get("MLFLOW_TRACKING_URI"), os.environ.get(BATCH_SIZE)
    os.environ[BATCH_SIZE] = str(SPANS_AT_ONCE)
    try:
        mlflow.set_tracking_uri(store)
        yield
        # An exporter that goes on is asked twice whether there is more, and waits for a second each time. One
        # that was made for this store ends here; where it was that of the process, its owner may need it.
        mlflow.flush_trace_async_logging(terminate=before != store)
    finally:
        os.environ.pop(BATCH_SIZE)
        if size is not None:
            os.environ[BATCH_SIZE] = size
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None takes the variable away


def traced(result: SweepResult) -> Sequence[ArmResult]:
    """The arms that cannot be told from the best, the best few of them, best first."""
    tied = {standing.arm for standing in result.verdict().tied}
    return [arm for arm in result.ranked() if arm.rows and arm.arm.id in tied][:ARMS]


def _known(client: MlflowClient, experiment: str) -> set[str]:
    found: set[str] = set()
    token = None
    while True:
        page = client.search_traces(
            locations=[experiment], max_results=500, page_token=token, include_spans=False
        )
        found |= {trace.info.tags.get(KEY, "") for trace in page}
        token = page.token
        if not token:
            return found


def _write(
    client: MlflowClient, experiment: str, run: str, arm: ArmResult, row: Row, asked: Question, key: str
) -> None:
    import time

    answer = row.answer
    ended = time.time_ns()
    # the spans are shown by their start, so no two may have the same: a nanosecond between them
    started = ended - int((answer.seconds if answer else 0.0) * 1e9) - 3
    tags = {KEY: key, "dream.arm": arm.arm.name, "dream.question": row.question}
    root = client.start_trace(
        asked.question[:100],
        span_type="CHAIN",
        inputs={"question": asked.question, "reference": asked.reference},
        attributes={**{name: str(value) for name, value in arm.arm.parameters.items()}},
        tags=tags,
        experiment_id=experiment,
        start_time_ns=started,
        run_id=run,
    )

    def span(name: str, kind: str, inputs: Any, outputs: Any, since: int, until: int) -> None:
        made = client.start_span(
            name, root.trace_id, root.span_id, span_type=kind, inputs=inputs, start_time_ns=since
        )
        client.end_span(root.trace_id, made.span_id, outputs=outputs, end_time_ns=until)

    if answer:
        chunks = [
            {
                "page_content": chunk.text,
                "id": chunk.id,
                "metadata": {
                    "doc_uri": chunk.span.document if chunk.span else "",
                    "page": chunk.page,
                    "score": chunk.score,
                },
            }
            for chunk in answer.contexts
        ]
        span("retrieve", "RETRIEVER", {"question": asked.question}, chunks, started + 1, started + 1)
        prompt = {"question": asked.question, "passages": len(chunks)}
        span("generate", "CHAT_MODEL", prompt, {"answer": answer.text}, started + 2, ended)
        scores = {
            score.metric: score.value if score.value is not None else score.reason for score in row.scores
        }
        judged = {"answer": answer.text, "reference": asked.reference}
        span("judge", "EVALUATOR", judged, scores, ended, ended)
    client.end_trace(
        root.trace_id,
        outputs={"answer": answer.text} if answer else {"error": row.error},
        status="OK" if answer else "ERROR",
        end_time_ns=ended,
    )
