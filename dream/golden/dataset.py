"""The golden dataset: its questions, its digest, and its files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dream.errors import CorruptObject, DreamError
from dream.records import Question, digest_of, from_json, to_json
from dream.storage import Storage

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_DAMAGED = "delete it and build the golden dataset again"


@dataclass(frozen=True)
class GoldenDataset:
    """Questions with reference answers, and where their evidence stands.

    Attributes:
        questions: in the order of their sources.
        digest: SHA-256 of the questions: the same questions give the same digest anywhere.
        notes: sentences on what was not found, removed, or could not be made.
        failures: those of the notes that tell of questions that should have been made and were not.
        csv_key: where the CSV file is stored.
        parquet_key: where the Parquet file is stored.
        used: what the model calls of the build took, those from the ledger not counted; empty when read.
    """

    questions: tuple[Question, ...]
    digest: str
    notes: tuple[str, ...] = ()
    csv_key: str = ""
    parquet_key: str = ""
    failures: tuple[str, ...] = ()
    used: Mapping[str, float] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        """The questions to look at and to edit; ``dream.edit_golden`` takes them back."""
        import pandas as pd

        rows = [
            {
                "id": one.id,
                "question": one.question,
                "reference": one.reference,
                "kind": one.kind,
                "document": ", ".join(dict.fromkeys(span.document for span in one.evidence)),
                "evidence": " … ".join(one.evidence_text),
            }
            for one in self.questions
        ]
        return pd.DataFrame(rows)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from html import escape

        said = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        head = f"<p>{len(self.questions)} questions, digest {self.digest[:12]}</p><ul>{said}</ul>"
        shown = self.frame().drop(columns=["id", "evidence"], errors="ignore")
        table = str(shown.to_html(index=False, max_rows=20))
        return {"text/html": head + table, "text/plain": f"{len(self.questions)} questions"}


def digest_questions(questions: tuple[Question, ...]) -> str:
    """The digest of a golden dataset with these questions."""
    return digest_of([to_json(question) for question in questions])


def write_golden(storage: Storage, name: str, golden: GoldenDataset) -> GoldenDataset:
    """Store the dataset as ``golden/<name>/<first of digest>/golden.csv`` and ``.parquet``.

    ``golden/<name>/latest.json`` then names them. The CSV file can be used as a question file of another
    study.

    Returns:
        The dataset with its keys.
    """
    folder = f"golden/{name}/{golden.digest[:12]}"
    stored = replace(golden, csv_key=f"{folder}/golden.csv", parquet_key=f"{folder}/golden.parquet")
    storage.put(stored.csv_key, _as_csv(stored))
    storage.put(stored.parquet_key, _as_parquet(stored))
    pointer = {
        "digest": stored.digest,
        "csv": stored.csv_key,
        "parquet": stored.parquet_key,
        "questions": len(stored.questions),
        "notes": list(stored.notes),
        "failures": list(stored.failures),
    }
    storage.put(f"golden/{name}/latest.json", json.dumps(pointer, indent=2, ensure_ascii=False).encode())
    return stored


def read_golden(storage: Storage, key: str) -> GoldenDataset:
    """A dataset that was stored, from the key of its Parquet file or of its ``latest.json``.

    Raises:
        MissingObject: nothing is stored there.
        CorruptObject: what is stored is not what was written: the digest of its questions differs.
    """
    where = f"{storage.url}/{key}"
    wanted = ""
    if key.endswith(".json"):
        try:
            pointer = json.loads(storage.get(key))
            key, wanted = str(pointer["parquet"]), str(pointer["digest"])
        except (ValueError, KeyError, TypeError):
            raise CorruptObject("is no pointer to a golden dataset", where, _DAMAGED) from None
        where = f"{storage.url}/{key}"
    if not key.endswith(".parquet"):
        raise DreamError("is no stored golden dataset", where, "give the key of its .parquet or latest.json")
    golden = _from_parquet(storage.get(key), key, where)
    found = digest_questions(golden.questions)
    if golden.digest != found or (wanted and wanted != found):
        raise CorruptObject(
            f"its questions have the digest {found[:12]}, not {(wanted or golden.digest)[:12]}",
            where,
            _DAMAGED,
        )
    return golden


def _as_csv(golden: GoldenDataset) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["id", "question", "reference", "kind", "answerable", "origin", "evidence", "spans"])
    for one in golden.questions:
        spans = json.dumps(to_json(one)["evidence"], ensure_ascii=False)
        evidence = json.dumps(one.evidence_text, ensure_ascii=False)
        row = [one.id, one.question, one.reference, one.kind, one.answerable, one.origin, evidence, spans]
        writer.writerow(row)
    return buffer.getvalue().encode()


def golden_key(storage: Storage, name: str) -> str:
    """Where a study's newest golden dataset is stored as Parquet; empty where there is none."""
    pointer = f"golden/{name}/latest.json"
    return str(json.loads(storage.get(pointer))["parquet"]) if storage.exists(pointer) else ""


def as_table(golden: GoldenDataset) -> pa.Table:
    """The questions as an Arrow table, a row each; digest and notes stand in its schema's metadata."""
    import pyarrow as pa

    span = pa.struct([("document", pa.string()), ("start", pa.int64()), ("end", pa.int64())])
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("question", pa.string()),
            ("reference", pa.string()),
            ("evidence", pa.list_(span)),
            ("evidence_text", pa.list_(pa.string())),
            ("kind", pa.string()),
            ("origin", pa.string()),
            ("answerable", pa.bool_()),
        ],
        metadata={
            "dream": json.dumps({"digest": golden.digest, "notes": golden.notes, "failures": golden.failures})
        },
    )
    return pa.Table.from_pylist([to_json(question) for question in golden.questions], schema=schema)


def _as_parquet(golden: GoldenDataset) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(as_table(golden), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _from_parquet(data: bytes, key: str, where: str) -> GoldenDataset:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(data))
        said: Any = json.loads(table.schema.metadata[b"dream"])
        questions = tuple(from_json(Question, row) for row in table.to_pylist())
        digest, notes, failures = str(said["digest"]), tuple(said["notes"]), tuple(said["failures"])
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptObject(f"is damaged ({type(error).__name__})", where, _DAMAGED) from None
    csv_key = key.removesuffix("parquet") + "csv"
    return GoldenDataset(questions, digest, notes, csv_key, key, failures=failures)
