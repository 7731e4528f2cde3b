"""Parsing by Ray's workers: many or large files that the ledger does not hold yet, as a Ray Data pipeline."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dream.corpus.remembered import parse_once
from dream.corpus.source import SourceFile
from dream.errors import MissingObject
from dream.ledger import Ledger
from dream.modules import Module, load_modules
from dream.storage import open_storage
from dream.streaming import streamed

if TYPE_CHECKING:
    import pyarrow as pa

FILES_A_BLOCK = 8

log = logging.getLogger(__name__)


def parse_by_workers(
    files: Sequence[SourceFile], corpus: str, storage: str, modules: Sequence[Module], tally: Any
) -> None:
    """Have the workers of the Ray that this process is connected to parse files into the ledger.

    What they cannot do, as with a folder that only this machine sees, is left for the caller to do.

    Args:
        files: those to parse.
        corpus: the folder or address where they lie.
        storage: address of the ledger.
        modules: the user's own, which may hold readers.
        tally: a Tally actor, which is told of every file.
    """
    import ray

    try:
        ray.get(streamed(_stream, tuple(files), corpus, storage, tuple(modules), tally))
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        log.warning("the workers could not parse every file, the others are parsed here: %s", reason)


def _stream(
    files: Sequence[SourceFile], corpus: str, storage: str, modules: tuple[Module, ...], tally: Any
) -> None:
    import ray

    names = ray.data.from_items(
        [{"id": file.id, "key": file.key, "origin": file.origin} for file in files],
        override_num_blocks=-(-len(files) // FILES_A_BLOCK),
    )
    parsed = names.map_batches(
        _parse,  # type: ignore[arg-type]  # its batches are Arrow tables, as batch_format says
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"corpus": corpus, "storage": storage, "modules": modules, "tally": tally},
    )
    for _ in parsed.iter_batches(batch_size=None):  # nothing comes back but that they are done
        pass


def _parse(
    files: pa.Table, corpus: str, storage: str, modules: Sequence[Module], tally: Any
) -> Iterator[pa.Table]:
    load_modules(modules)
    parse, source = parse_once(Ledger(open_storage(storage, proven=True))), open_storage(corpus)
    for file in files.to_pylist():
        with suppress(MissingObject):  # not seen from here
            parse(file["id"], source.get(file["key"]), file["origin"])
        tally.add.remote({"files": 1})
    yield files.select(["id"])
