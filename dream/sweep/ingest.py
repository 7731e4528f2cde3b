"""Documents to chunks to vectors as one streaming Ray Data pipeline: read, split, embed, each piece once.

Both stages write what they make to the ledger, and only names and failures come from and go to the driver.
What is recorded is looked up and not done again: a document that is added to a corpus costs that document,
and a pipeline that was killed goes on where it was.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dream.corpus import parsed_document
from dream.errors import DreamError, StorageError, told
from dream.ledger import Ledger
from dream.models.embedding import Embedder, embed_documents, in_groups
from dream.models.meter import added
from dream.records import Document, digest_of
from dream.retrieval.index import leaf_texts, split_once
from dream.start_up import collect_rarely, import_sentences
from dream.streaming import streamed
from dream.sweep.arms import method_of
from dream.sweep.progress import Reporter, ledger_counts, tell_logs
from dream.sweep.result import Arm
from dream.sweep.setting import Setting

if TYPE_CHECKING:
    import pyarrow as pa
    from ray import ObjectRef

DOCUMENTS_A_BLOCK = 32  # at most: what is looked up again after a worker died
# Shares of a processor: together less than a half, so that one processor is enough for both stages and for
# what else a sweep does at the same time; unequal, or Ray Data would make one stage of the two.
SPLITTING, EMBEDDING = 0.1, 0.2

SECONDS_TO_BEGIN = 10.0

ROW = ("splitting", "embedding", "texts", "reason", "documents")
FAILURE = ("splitting", "embedding", "reason")

Failures = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Splitting:
    """A way to cut documents, and the embeddings in which its chunks are wanted.

    Attributes:
        arm: one that cuts so; workers make the method from its name.
        key: digest of the method's splitting.
        embeddings: their names.
    """

    arm: Arm
    key: str
    embeddings: tuple[str, ...]


def splitting_key(arm: Arm) -> str:
    """The same for arms that cut documents in the same way."""
    return digest_of(method_of(arm).splitter())


def splittings_of(arms: Iterable[Arm]) -> tuple[Splitting, ...]:
    """Each way to cut documents once, with all embeddings in which some arm wants its chunks."""
    first: dict[str, Arm] = {}
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    for arm in arms:
        key = splitting_key(arm)
        first.setdefault(key, arm)
        wanted[key][arm.embedding] = None
    return tuple(Splitting(arm, key, tuple(wanted[key])) for key, arm in first.items())


def ingest(
    setting: Setting,
    documents: Sequence[Document],
    splittings: Sequence[Splitting],
    tally: Any,
    after: ObjectRef[Failures] | None = None,
) -> ObjectRef[Failures]:
    """Split the documents and embed their chunks, as far as the ledger does not hold them.

    Two stages run beside each other: tasks read and split, and a pool of actors embeds, each with its
    models opened once. The pool grows with the work, from two actors to one for each processor.

    Args:
        setting: the study.
        documents: of the corpus; the workers read them from the ledger.
        splittings: what is wanted.
        tally: the run's Tally actor.
        after: it begins when that is done.

    Returns:
        A reference to this: by splitting and embedding, where some document could not be split or
        embedded, why.
    """
    names = [(document.id, document.digest) for document in documents]
    return streamed(_stream, setting, names, tuple(splittings), tally, after)


def _stream(
    setting: Setting,
    documents: Sequence[tuple[str, str]],
    splittings: tuple[Splitting, ...],
    tally: Any,
    after: Failures | None,
) -> Failures:
    import ray
    from ray.data import ActorPoolStrategy, TaskPoolStrategy

    if after is not None:
        _let_trials_begin(tally)
    processors = max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
    blocks = max(-(-len(documents) // DOCUMENTS_A_BLOCK), min(len(documents), 4 * processors))
    most = min(blocks, processors)
    names = ray.data.from_items(
        [{"id": name, "digest": digest} for name, digest in documents], override_num_blocks=blocks
    )
    stream = names.map_batches(
        _split,  # type: ignore[arg-type]  # its batches are Arrow tables, as batch_format says
        batch_size=None,
        batch_format="pyarrow",
        fn_kwargs={"setting": setting, "splittings": splittings, "tally": tally},
        compute=TaskPoolStrategy(size=processors),
        num_cpus=SPLITTING,
    ).map_batches(
        Embed,
        batch_size=None,
        batch_format="pyarrow",
        fn_constructor_kwargs={"setting": setting, "tally": tally},
        compute=ActorPoolStrategy(min_size=min(2, most), max_size=most),
        num_cpus=EMBEDDING,
    )
    try:
        return {(row["splitting"], row["embedding"]): row["reason"] for row in stream.take_all()}
    except Exception as error:  # noqa: BLE001 - whatever ends a pipeline does not end those that come after it
        lost = f"its pipeline broke off: {type(error).__name__}"
        return {(each.key, name): lost for each in splittings for name in each.embeddings}


def _let_trials_begin(tally: Any) -> None:
    """Leave the processors to the trials that can begin now, until a question of the run is done."""
    import ray

    deadline = time.monotonic() + SECONDS_TO_BEGIN
    while time.monotonic() < deadline and not ray.get(tally.read.remote()).get("questions"):
        time.sleep(0.2)


def _split(
    names: pa.Table, setting: Setting, splittings: Sequence[Splitting], tally: Any
) -> Iterator[pa.Table]:
    """First stage: a document's chunks in groups to embed, a row each; recorded before they travel on."""
    collect_rarely()
    tell_logs(tally)
    if not setting.study.modules:
        import_sentences()
    ledger: Ledger | None = None
    corpus = setting.study.path(setting.study.corpus)
    for name in names.to_pylist():
        document: Document | None = None
        rows = []
        for each in splittings:
            texts, reason = list[str](), ""
            try:
                ledger = ledger or setting.open_ledger()
                document = document or parsed_document(ledger, name["id"], name["digest"], corpus)
                method = method_of(each.arm)
                texts = leaf_texts(split_once(ledger, document, method.splitter(), method.split))
            except Exception as error:  # noqa: BLE001 - a method of the user's own may raise anything
                reason = told(error)
            for embedding in each.embeddings:
                row = {"splitting": each.key, "embedding": embedding, "reason": reason}
                try:
                    groups = in_groups(setting.embedder(embedding), texts) or [[]]
                except DreamError as error:  # its key is not set here
                    groups, row["reason"] = [[]], told(error)
                rows += [{**row, "texts": json.dumps(group)} for group in groups]
        # the last of them ends the document
        yield _table([{**row, "documents": int(row is rows[-1])} for row in rows], ROW)


class Embed:
    """Second stage, in an actor: embeds groups of chunks; gives the failures, a row each."""

    def __init__(self, setting: Setting, tally: Any) -> None:
        collect_rarely()
        os.nice(19)  # trials need little of a processor, and a call that waits for it is lost time
        tell_logs(tally)
        self._setting, self._tally, self._reporter = setting, tally, Reporter(tally)
        self._ledger: Ledger | None = None
        self._embedders: dict[str, Embedder] = {}
        self._failed: Failures = {}
        self._unrecorded = ""

    def __call__(self, groups: pa.Table) -> pa.Table:
        """Embed a block's groups, those of one splitting and embedding under way together."""
        together: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
        documents = 0
        for row in groups.to_pylist():
            key = row["splitting"], row["embedding"]
            if row["reason"]:
                self._failed.setdefault(key, row["reason"])
            if texts := json.loads(row["texts"]):
                together[key].append(texts)
            documents += row["documents"]
        for key, wanted in together.items():
            if key not in self._failed:  # an index lacks nothing, so one failure is enough to ask no more
                self._embed(key, wanted)
        counts = [ledger_counts(self._ledger)] if self._ledger else []
        meters = [embedder.meter.sums() for embedder in self._embedders.values()]
        self._reporter.tell(added([*counts, *meters]), now=True)
        self._tally.add.remote({"documents": documents})
        failed = [{"splitting": s, "embedding": e, "reason": why} for (s, e), why in self._failed.items()]
        return _table(failed, FAILURE)

    def _embed(self, key: tuple[str, str], groups: list[list[str]]) -> None:
        name = key[1]
        if self._unrecorded:
            self._failed[key] = self._unrecorded
            return
        try:
            self._ledger = self._ledger or self._setting.open_ledger()
            if name not in self._embedders:
                self._embedders[name] = self._setting.embedder(name)
            embed_documents(self._ledger, self._embedders[name], groups)
        except StorageError as error:  # what cannot be recorded must not be paid for, for no index
            self._failed[key] = self._unrecorded = told(error)
        except Exception as error:  # noqa: BLE001 - whatever a model raises ends its own indexes only
            self._failed[key] = told(error)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pa.Table:
    """Rows for the next stage, of the same columns even where there are none."""
    import pyarrow as pa

    kinds = {"documents": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
    return pa.Table.from_pylist(list(rows), schema=schema)
