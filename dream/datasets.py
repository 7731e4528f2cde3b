"""Golden datasets and results as Ray Datasets: read and written by Ray's workers, in a folder or a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from dream.cluster.shared import connect_for
from dream.errors import DreamError, StorageError
from dream.golden.dataset import GoldenDataset, as_table, golden_key
from dream.storage import Bucket, open_storage
from dream.study import Study
from dream.verbs import place
from dream.verdict.result import SweepResult
from dream.verdict.rows import results_key, tables_of

if TYPE_CHECKING:
    from ray.data import Dataset


def read_dataset(
    source: Study | str, table: Literal["golden", "results"] = "results", storage: str | None = None
) -> Dataset:
    """The rows of a study's golden dataset or results, or of files that ``write_dataset`` wrote.

    Args:
        source: a study, or the address of a file or folder of ``.parquet`` or ``.jsonl`` files.
        table: of a study: ``golden``, a row for each question, or ``results``, a row for each arm, question
            and metric.
        storage: as given to ``run_sweep``.

    Returns:
        A Ray Dataset: nothing is read before it is asked for, and then by the workers.

    Raises:
        DreamError: there is no such table yet, or this process is no part of the Ray cluster.
        StorageError: the folder or bucket cannot be read.
    """
    if isinstance(source, Study):
        store = open_storage(place(storage).storage)
        key = results_key(source.name) if table == "results" else golden_key(store, source.name)
        if not key or not store.exists(key):
            raise DreamError(f"there are no {table} of it yet", source.name, "run `dream run` first")
        source = f"{store.url}/{key}"
    _connect(source)
    import ray

    filesystem, path = _place_for_arrow(source)
    with _told_shortly(source):
        if source.endswith(".jsonl") or (not source.endswith(".parquet") and _holds_jsonl(filesystem, path)):
            return ray.data.read_json(path, filesystem=filesystem)
        return ray.data.read_parquet(path, filesystem=filesystem)


def write_dataset(
    rows: GoldenDataset | SweepResult | Dataset, address: str, form: Literal["parquet", "jsonl"] = "parquet"
) -> str:
    """Write rows as files ``part-….parquet`` or ``.jsonl`` below an address, a file for each block.

    The workers write, with the credentials of their own environment.

    Args:
        rows: a golden dataset, results, or a Ray Dataset made of either.
        address: a folder or ``s3://bucket/prefix`` that holds nothing yet.
        form: of the files.

    Returns:
        The address.

    Raises:
        DreamError: there is something already, or this process is no part of the Ray cluster.
        StorageError: it cannot be written there.
    """
    store = open_storage(address)
    if next(iter(store.list()), None) is not None:
        raise DreamError("there is something already", address, "name a new folder or prefix")
    _connect(store.url)
    import ray
    from ray.data.datasource import FilenameProvider

    class Parts(FilenameProvider):
        def get_filename_for_task(self, write_uuid: str, task_index: int) -> str:
            return f"part-{write_uuid}-{task_index:06}.{form}"

    if isinstance(rows, GoldenDataset):
        rows = ray.data.from_arrow(as_table(rows))
    elif isinstance(rows, SweepResult):
        # a table at a time, so that the driver never holds all rows
        stored: list[Any] = [ray.put(table) for table in tables_of(rows)]
        rows = ray.data.from_arrow_refs(stored)
    filesystem, path = _place_for_arrow(store.url)
    with _told_shortly(address):
        write = rows.write_parquet if form == "parquet" else rows.write_json
        # in a bucket, a directory would be an empty object among the files
        write(
            path,
            filesystem=filesystem,
            filename_provider=Parts(),
            try_create_dir=not isinstance(store, Bucket),
        )
    return store.url


def _connect(address: str) -> None:
    where = address if "://" in address else str(Path(address).absolute().parent)
    connection = connect_for(where)
    if connection.kind in ("client", "jobs"):
        todo = "do this on a machine of the cluster, or read the Parquet file with pandas"
        raise DreamError("Ray gives a Dataset to processes of its cluster only", connection.address, todo)


def _place_for_arrow(address: str) -> tuple[Any, str]:
    """Arrow's file system for an address, and the path in it.

    It is sent to the workers, so it knows no key: each process finds the keys in its own environment.
    """
    from pyarrow import fs

    store = open_storage(address)
    if not isinstance(store, Bucket):
        return fs.LocalFileSystem(), store.url
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options: dict[str, Any] = {}
    if endpoint:
        parts = urlsplit(endpoint)
        options = {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region:
        options["region"] = region
    return fs.S3FileSystem(**options), store.url.removeprefix("s3://")


def _holds_jsonl(filesystem: Any, path: str) -> bool:
    from pyarrow import fs

    if filesystem.get_file_info(path).type != fs.FileType.Directory:
        return False
    return any(found.path.endswith(".jsonl") for found in filesystem.get_file_info(fs.FileSelector(path)))


@contextmanager
def _told_shortly(address: str) -> Iterator[None]:
    """What Arrow and Ray raise, with pages of text, as one sentence."""
    import pyarrow as pa
    import ray

    try:
        yield
    except (OSError, pa.ArrowException, ray.exceptions.RayError) as error:
        cause = getattr(error, "cause", None) or error
        said = " ".join(str(cause).split())[:240].rstrip(".")
        raise StorageError(said, address, "check the address and the AWS_* credentials") from None
