"""Builds what the arms need, each distinct index once, those first that the first trials need.

A pipeline puts chunks and vectors of all documents into the ledger; a Ray task for each index then puts
together what is there. Where that is little work, the task does all of it. Trials begin when the first
indexes are whole, while the others are still made.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dream.errors import told
from dream.ledger import Ledger
from dream.models.embedding import embed_document
from dream.records import Document, digest_of
from dream.retrieval.index import build_index, index_is_whole
from dream.start_up import collect_rarely, import_sentences
from dream.sweep.arms import method_of
from dream.sweep.ingest import Failures, ingest, splitting_key, splittings_of
from dream.sweep.progress import ledger_counts, tell_logs
from dream.sweep.result import Arm
from dream.sweep.setting import Setting

if TYPE_CHECKING:
    from ray import ObjectRef

# Of a processor. With the two stages of a pipeline (0.3) and the trials (a half of all) it makes one, so that
# none of the three ever keeps another from beginning.
MAKING = 0.2
MAKING_ALONE = 0.8  # where no pipeline splits and embeds: one for each processor, beside the questions

# Letters to split and embed, over all indexes, from which on pipelines, of eight processes each, are taken
# to be worth their start. Half a million, in three indexes, took twice as long with them; where it turns is a
# guess.
WORTH_PIPELINES = 2_000_000


@dataclass(frozen=True)
class IndexTask:
    """A distinct index that the arms need.

    Attributes:
        digest: of its inputs.
        inputs: its key in the ledger.
        arms: those that need it; they differ in LLM or at-query knobs.
    """

    digest: str
    inputs: Any
    arms: tuple[Arm, ...]

    @property
    def arm(self) -> Arm:
        """One of them. Workers make the method from its name: a class out of a user's own file cannot travel
        to a process that has not loaded the file yet.
        """
        return self.arms[0]


def distinct_indexes(setting: Setting, arms: Sequence[Arm]) -> list[IndexTask]:
    """The indexes that the arms need, each once."""
    tasks: dict[str, IndexTask] = {}
    for arm in arms:
        inputs = setting.index_of(method_of(arm), arm.embedding)
        digest = digest_of(inputs)
        others = tasks[digest].arms if digest in tasks else ()
        tasks[digest] = IndexTask(digest, inputs, (*others, arm))
    return list(tasks.values())


def missing_indexes(tasks: Sequence[IndexTask], ledger: Ledger) -> list[IndexTask]:
    """Those that are not built yet, or whose files are damaged."""
    return [task for task in tasks if not index_is_whole(ledger, task.inputs)]


@dataclass(frozen=True)
class Order:
    """In what order arms are tried, and their missing indexes made.

    Attributes:
        arms: those first whose index is there, then by their index.
        needs: the digest of each arm's index, by the arms' ids.
        parts: the missing indexes in their order: those of the arms that are tried first, then those of
            twice as many arms, and so on.
        streamed: whether a pipeline for each part splits and embeds, as there is much to do.
    """

    arms: list[Arm]
    needs: dict[str, str]
    parts: list[list[IndexTask]]
    streamed: bool


@dataclass(frozen=True)
class Awaited:
    """What the trial of an arm waits for.

    Attributes:
        arm: the arm.
        index: gives why its index could not be built, or nothing; ``None`` where there was one.
        questions: done when the questions are embedded. Where that fails, the trial embeds them itself, and
            fails with the reason if it cannot.
    """

    arm: Arm
    index: ObjectRef[str] | None
    questions: ObjectRef[None]

    def ready(self, seconds: float = 0.0) -> bool:
        """Whether nothing is left to wait for, now or within so many seconds."""
        import ray

        references = [self.questions, *([self.index] if self.index else [])]
        _, waiting = ray.wait(references, num_returns=len(references), timeout=seconds)
        return not waiting

    def reason(self) -> str:
        """Why the index could not be built, or nothing; waits for it."""
        import ray

        if not self.index:
            return ""
        try:
            return ray.get(self.index)
        except ray.exceptions.RayError as error:
            cause: BaseException = error
            while isinstance(cause, ray.exceptions.RayTaskError) and cause.cause is not None:
                cause = cause.cause
            if isinstance(cause, ray.exceptions.RayError):
                return f"the worker was lost: {type(cause).__name__}"
            return told(cause)


def order_arms(
    setting: Setting, arms: Sequence[Arm], documents: Sequence[Document], ledger: Ledger, at_once: int
) -> Order:
    """The order in which trials wait least.

    Args:
        setting: the study.
        arms: those that will be tried.
        documents: the corpus.
        ledger: of the driver.
        at_once: how many are tried at the same time.
    """
    tasks = distinct_indexes(setting, arms)
    needs = {arm.id: task.digest for task in tasks for arm in task.arms}
    missing = {task.digest: task for task in missing_indexes(tasks, ledger)}
    places = {digest: place for place, digest in enumerate(missing)}
    letters = len(missing) * sum(len(document.text) for document in documents)
    ordered = sorted(arms, key=lambda arm: places.get(needs[arm.id], -1))
    parts, start, size = [], 0, at_once
    while start < len(ordered):
        wanted = dict.fromkeys(needs[arm.id] for arm in ordered[start : start + size])
        part = [missing.pop(digest) for digest in wanted if digest in missing]
        parts += [part] if part else []
        start, size = start + size, 2 * size
    return Order(ordered, needs, parts, streamed=letters > WORTH_PIPELINES)


@contextmanager
def preparing(
    setting: Setting, documents: Sequence[Document], order: Order, tally: Any
) -> Iterator[list[Awaited]]:
    """Embed the questions and build the missing indexes while the block runs; it need not wait for them.

    Where the block ends by an exception, such as Ctrl-C, what is not made yet is left: a notebook goes on.

    Args:
        setting: the study.
        documents: the corpus.
        order: the arms that will be tried, and what they lack.
        tally: the run's Tally actor.

    Yields:
        What the trial of each arm must wait for, in the order of the arms.
    """
    import ray

    embed = ray.remote(num_cpus=MAKING, max_retries=3)(_embed_questions)
    questions = {name: embed.remote(setting, name, tally) for name in {arm.embedding for arm in order.arms}}
    stored: Any = ray.put(tuple(documents)) if order.parts else None
    build = ray.remote(num_cpus=MAKING if order.streamed else MAKING_ALONE, max_retries=3)(_build)
    indexes: dict[str, ObjectRef[str]] = {}
    pipelines: list[ObjectRef[Failures]] = []
    for part in order.parts:
        if order.streamed:
            after = pipelines[-1] if pipelines else None
            splittings = splittings_of(task.arm for task in part)
            pipelines.append(ingest(setting, documents, splittings, tally, after))
        failed: Any = pipelines[-1] if order.streamed else None
        for task in part:
            indexes[task.digest] = build.remote(setting, task, stored, failed, tally)
    try:
        yield [Awaited(arm, indexes.get(order.needs[arm.id]), questions[arm.embedding]) for arm in order.arms]
    except BaseException:
        for reference in (*pipelines, *indexes.values(), *questions.values()):
            with contextlib.suppress(Exception):  # the cluster itself may be what was lost
                ray.cancel(reference, force=True)
        raise


def _build(
    setting: Setting,
    task: IndexTask,
    documents: tuple[Document, ...],
    failed: Failures | None,
    tally: Any,
) -> str:
    """Why a document could not be split or embedded, or nothing where the index is whole.

    What its pipeline failed in is given; ``None`` where there was none, so that all is done here.
    """
    collect_rarely()
    tell_logs(tally)
    ledger = setting.open_ledger()  # which loads the user's own methods
    if failed and (reason := failed.get((splitting_key(task.arm), task.arm.embedding), "")):
        tally.add.remote({"indexes": 1})
        return reason
    if failed is None and not setting.study.modules:
        import_sentences()
    method = method_of(task.arm)
    embedder = setting.embedder(task.arm.embedding)
    try:
        build_index(ledger, documents, method.splitter(), method.split, embedder)
    finally:
        # what it found was made and counted by the pipeline
        counts = ledger_counts(ledger) if failed is None else {"embedded_texts": ledger.made["embed"]}
        tally.add.remote({**counts, **embedder.meter.sums(), "indexes": 1})
    return ""


def _embed_questions(setting: Setting, embedding: str, tally: Any) -> None:
    tell_logs(tally)
    ledger = setting.open_ledger()
    embedder = setting.embedder(embedding)
    embed_document(ledger, embedder, [question.question for question in setting.questions])
    tally.add.remote({**ledger_counts(ledger), **embedder.meter.sums()})
