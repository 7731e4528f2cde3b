"""Builds what all arms need before any of them starts: each distinct index once.

A pipeline puts chunks and vectors of all documents into the ledger; a Ray task for each index then puts
together what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dream.errors import told
from dream.ledger import Ledger
from dream.models.embedding import embed_document
from dream.records import Document, digest_of
from dream.retrieval.index import build_index, index_is_whole
from dream.sweep.arms import method_of
from dream.sweep.ingest import ingest, splitting_key, splittings_of
from dream.sweep.progress import Watcher, ledger_counts, tell_logs, watched
from dream.sweep.result import Arm
from dream.sweep.setting import Setting

if TYPE_CHECKING:
    from ray import ObjectRef


@dataclass(frozen=True)
class IndexTask:
    """A distinct index that the arms need.

    Attributes:
        arm: one that needs it. Workers make the method from its name: a class out of a user's own file
            cannot travel to a process that has not loaded the file yet.
        inputs: its key in the ledger.
    """

    arm: Arm
    inputs: Any


def distinct_indexes(setting: Setting, arms: Sequence[Arm]) -> list[IndexTask]:
    """The indexes that the arms need, each once; arms that differ in LLM or at-query knobs share one."""
    tasks: dict[str, IndexTask] = {}
    for arm in arms:
        inputs = setting.index_of(method_of(arm), arm.embedding)
        tasks.setdefault(digest_of(inputs), IndexTask(arm, inputs))
    return list(tasks.values())


def missing_indexes(setting: Setting, arms: Sequence[Arm], ledger: Ledger) -> list[IndexTask]:
    """Those that are not built yet, or whose files are damaged."""
    return [task for task in distinct_indexes(setting, arms) if not index_is_whole(ledger, task.inputs)]


def prepare(
    setting: Setting,
    documents: Sequence[Document],
    arms: Sequence[Arm],
    ledger: Ledger,
    tally: Any,
    watcher: Watcher | None = None,
) -> dict[str, str]:
    """Build the missing indexes, and embed the questions.

    Args:
        setting: the study.
        documents: the corpus.
        arms: those that will be tried.
        ledger: of the driver.
        tally: the run's Tally actor.
        watcher: is shown the progress.

    Returns:
        For each index that could not be built, by the digest of its inputs: why.
    """
    import ray

    missing = missing_indexes(setting, arms, ledger)
    embeddings = sorted({arm.embedding for arm in arms})
    embed = ray.remote(num_cpus=1, max_retries=3)(_embed_questions)
    questions = [embed.remote(setting, name, tally) for name in embeddings]
    failed: dict[str, str] = {}
    if missing:
        with watched(tally, watcher, "embed", len(documents), "documents"):
            failed = _ingested(setting, documents, missing, tally)
    with watched(tally, watcher, "prepare", len(missing), "indexes"):
        stored: Any = ray.put(tuple(documents)) if missing else None
        build = ray.remote(num_cpus=1, max_retries=3)(_build)
        whole = [task for task in missing if digest_of(task.inputs) not in failed]
        building = {build.remote(setting, task, stored, tally): task for task in whole}
        for reference, task in building.items():
            reason = _outcome(reference)
            if reason:
                failed[digest_of(task.inputs)] = reason
        for reference in questions:
            _outcome(reference)  # an embedding that fails here fails its arms with the same reason
    return failed


def _ingested(
    setting: Setting, documents: Sequence[Document], missing: Sequence[IndexTask], tally: Any
) -> dict[str, str]:
    """Put all that the indexes are made of into the ledger; gives why an index lacks something."""
    import ray

    splittings = splittings_of(task.arm for task in missing)
    try:
        failed = ingest(setting, documents, splittings, tally)
    except ray.exceptions.RayError as error:
        lost = f"the worker was lost: {type(error).__name__}"
        failed = {(each.key, name): lost for each in splittings for name in each.embeddings}
    reasons = {digest_of(task.inputs): (splitting_key(task.arm), task.arm.embedding) for task in missing}
    return {digest: failed[key] for digest, key in reasons.items() if key in failed}


def _outcome(reference: ObjectRef[None]) -> str:
    """Why the task failed, or nothing."""
    import ray

    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        return told(error.cause)
    except ray.exceptions.RayError as error:
        return f"the worker was lost: {type(error).__name__}"
    return ""


def _build(setting: Setting, task: IndexTask, documents: tuple[Document, ...], tally: Any) -> None:
    tell_logs(tally)
    ledger = setting.open_ledger()
    method = method_of(task.arm)
    embedder = setting.embedder(task.arm.embedding)
    build_index(ledger, documents, method.splitter(), method.split, embedder)
    made = {"embedded_texts": ledger.made["embed"]}  # what it found was made and counted by the pipeline
    tally.add.remote({**made, **embedder.meter.sums(), "indexes": 1})


def _embed_questions(setting: Setting, embedding: str, tally: Any) -> None:
    tell_logs(tally)
    ledger = setting.open_ledger()
    embedder = setting.embedder(embedding)
    embed_document(ledger, embedder, [question.question for question in setting.questions])
    tally.add.remote({**ledger_counts(ledger), **embedder.meter.sums()})
