"""A study's results as one Parquet table: a row for each arm, question and metric."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dream.records import Question
from dream.storage import Storage
from dream.sweep.result import ArmResult
from dream.verdict.result import SweepResult

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS = (
    "study", "part", "arm", "name", "method", "llm", "embedding", "knobs", "question", "kind", "asked",
    "reference", "answer", "metric", "reason", "error",
)  # fmt: skip
NUMBERS = ("value", "dollars", "seconds")
COUNTS = ("input_tokens", "output_tokens")
FLAGS = ("applicable", "missing", "offline")


def rows_of(result: SweepResult) -> Iterator[dict[str, Any]]:
    """One row for each arm, question and metric; an arm that failed as a whole has none.

    ``part`` is ``choosing``, or ``holdout`` for questions that had no part in choosing; ``question`` is an
    id and ``asked`` its text; ``value`` is empty where there is no score, ``reason`` says why; what an
    answer took stands in each of its metrics' rows.
    """
    parts = [("choosing", result.questions, result.arms)]
    if result.holdout is not None:
        parts.append(("holdout", result.holdout.questions, result.holdout.arms))
    for part, questions, arms in parts:
        yield from _rows_of(result.study, part, questions, arms)


def _rows_of(
    study: str, part: str, asked_of: Sequence[Question], arms: Sequence[ArmResult]
) -> Iterator[dict[str, Any]]:
    questions = {question.id: question for question in asked_of}
    for arm in arms:
        about = {
            "study": study,
            "part": part,
            "arm": arm.arm.id,
            "name": arm.arm.name,
            "method": arm.arm.method,
            "llm": arm.arm.llm,
            "embedding": arm.arm.embedding,
            "knobs": json.dumps(dict(arm.arm.knobs), sort_keys=True),
            "offline": arm.offline,
        }
        for row in arm.rows:
            question, answer = questions[row.question], row.answer
            asked = {
                "question": row.question,
                "kind": question.kind,
                "asked": question.question,
                "reference": question.reference,
                "answer": answer.text if answer else None,
                "input_tokens": answer.input_tokens if answer else None,
                "output_tokens": answer.output_tokens if answer else None,
                "dollars": answer.dollars if answer else None,
                "seconds": answer.seconds if answer else None,
                "error": row.error,
            }
            for score in row.scores:
                yield {
                    **about,
                    **asked,
                    "metric": score.metric,
                    "value": score.value,
                    "reason": score.reason,
                    "applicable": score.applicable,
                    "missing": score.missing,
                }


def results_key(study: str) -> str:
    """Where the results of a study are stored.

    >>> results_key("quickstart")
    'results/quickstart/results.parquet'
    """
    return f"results/{study}/results.parquet"


def tables_of(result: SweepResult) -> Iterator[pa.Table]:
    """The rows as Arrow tables of one schema, a table for each part and arm."""
    import pyarrow as pa

    kinds = {TEXTS: pa.string(), NUMBERS: pa.float64(), COUNTS: pa.int64(), FLAGS: pa.bool_()}
    schema = pa.schema([(name, kind) for names, kind in kinds.items() for name in names])
    yield pa.Table.from_pylist([], schema=schema)  # a result without any row has a schema too
    for _, rows in groupby(rows_of(result), key=lambda row: (row["part"], row["arm"])):
        yield pa.Table.from_pylist(list(rows), schema=schema)


def write_results(storage: Storage, result: SweepResult) -> str:
    """Store the table, a row group for each arm, and give its key; ``dream.read_dataset`` reads it.

    Raises:
        StorageError: it cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    tables = tables_of(result)
    empty = next(tables)
    sink = pa.BufferOutputStream()
    with parquet.ParquetWriter(sink, empty.schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
    key = results_key(result.study)
    storage.put(key, sink.getvalue().to_pybytes())
    return key
