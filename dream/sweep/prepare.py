"""Builds what all arms need before any of them starts: each distinct index once, as a Ray task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dream.errors import DreamError
from dream.ledger import Ledger
from dream.models.embedding import embed_document
from dream.records import Document, digest_of
from dream.retrieval.index import build_index, index_is_whole
from dream.sweep.arms import method_of
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
    """Build the missing indexes, and embed the questions, as Ray tasks.

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
    stored = ray.put(tuple(documents))
    build = ray.remote(num_cpus=1, max_retries=3)(_build)
    embed = ray.remote(num_cpus=1, max_retries=3)(_embed_questions)
    failed: dict[str, str] = {}
    with watched(tally, watcher, "prepare", len(missing), "indexes"):
        questions = [embed.remote(setting, name, tally) for name in embeddings]
        building = {build.remote(setting, task, stored, tally): task for task in missing}
        for reference, task in building.items():
            reason = _outcome(reference)
            if reason:
                failed[digest_of(task.inputs)] = reason
        for reference in questions:
            _outcome(reference)  # an embedding that fails here fails its arms with the same reason
    return failed


def _outcome(reference: ObjectRef[None]) -> str:
    """Why the task failed, or nothing."""
    import ray

    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        return str(cause) if isinstance(cause, DreamError) else f"{type(cause).__name__}: {cause}"
    except ray.exceptions.RayError as error:
        return f"the worker was lost: {type(error).__name__}"
    return ""


def _build(setting: Setting, task: IndexTask, documents: tuple[Document, ...], tally: Any) -> None:
    tell_logs(tally)
    ledger = setting.open_ledger()
    method = method_of(task.arm)
    embedder = setting.embedder(task.arm.embedding)
    build_index(ledger, documents, method.splitter(), method.split, embedder)
    tally.add.remote({**ledger_counts(ledger), **embedder.meter.sums(), "indexes": 1})


def _embed_questions(setting: Setting, embedding: str, tally: Any) -> None:
    tell_logs(tally)
    ledger = setting.open_ledger()
    embedder = setting.embedder(embedding)
    embed_document(ledger, embedder, [question.question for question in setting.questions])
    tally.add.remote({**ledger_counts(ledger), **embedder.meter.sums()})
