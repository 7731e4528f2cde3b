"""The rows of a CSV, JSONL or Parquet file, each with the place that a message names."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from dream.errors import StudyError


@dataclass(frozen=True)
class Row:
    """One row: its values by column, and where it stands, such as ``questions.csv:12``."""

    values: dict[str, Any]
    where: str


def read_csv(data: bytes, name: str) -> list[Row]:
    r"""Rows under a header line; separated by commas, or by semicolons or tabs if the header has no comma.

    >>> read_csv(b"question,reference\nWhy?,Because.\n", "q.csv")
    [Row(values={'question': 'Why?', 'reference': 'Because.'}, where='q.csv:2')]

    Raises:
        StudyError: the file is no UTF-8, has no header, or a row has more fields than the header.
    """
    text = decoded(data, name)
    header = text.split("\n", 1)[0]
    separator = "," if "," in header else ";" if ";" in header else "\t" if "\t" in header else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows = []
    try:
        columns = reader.fieldnames or []
        if len(set(columns)) < len(columns):
            twice = next(column for column in columns if list(columns).count(column) > 1)
            raise StudyError(f"the column '{twice}' stands twice", f"{name}:1", "rename one of them")
        line = reader.line_num + 1
        for values in reader:
            where, line = f"{name}:{line}", reader.line_num + 1
            if None in values:
                raise StudyError(
                    f"the row has more fields than the header's {len(columns)}",
                    where,
                    f"put texts that hold a '{separator}' in double quotes",
                )
            rows.append(Row(values, where))
    except csv.Error as error:
        where = f"{name}:{reader.line_num}"
        raise StudyError(f"is not valid CSV ({error})", where, "mend the line") from None
    return rows


def read_jsonl(data: bytes, name: str) -> list[Row]:
    """One JSON object a line; empty lines are passed over.

    Raises:
        StudyError: a line is no JSON object.
    """
    rows = []
    for number, line in enumerate(decoded(data, name).split("\n"), start=1):
        if line.strip():
            where = f"{name}:{number}"
            try:
                values = json.loads(line)
            except ValueError as error:
                raise StudyError(f"is not valid JSON ({error})", where, "write one object a line") from None
            if not isinstance(values, dict):
                raise StudyError(
                    f"{line.strip()[:40]!r} is no JSON object", where, 'write one {"question": …} a line'
                )
            rows.append(Row(values, where))
    return rows


def read_parquet(data: bytes, name: str) -> list[Row]:
    """Rows of a Parquet file, numbered from 1.

    Raises:
        StudyError: the file is no Parquet, or is damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0]
        raise StudyError(f"is not readable as Parquet ({said})", name, "write it again") from None
    return [Row(values, f"{name} row {number}") for number, values in enumerate(table.to_pylist(), start=1)]


def decoded(data: bytes, name: str) -> str:
    """The bytes as text.

    Raises:
        StudyError: they are no UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise StudyError(
            f"byte 0x{data[error.start]:02x} is not UTF-8", f"{name}:{line}", "save it as UTF-8"
        ) from None
