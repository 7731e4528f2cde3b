"""Makes questions from documents: Ray tasks of a few documents each, over ragas' TestsetGenerator."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dream import logs
from dream.errors import DreamError, StorageError
from dream.golden.plan import Batch, plan_batches
from dream.golden.raw import Piece, RawQuestion
from dream.ledger import Ledger
from dream.models.chat import chat_identity
from dream.models.embedding import embedding_identity
from dream.models.limits import bounds_of
from dream.models.meter import added
from dream.records import Document, digest_of
from dream.study import Generate, Study


def generator_sources() -> list[Path]:
    """The files of ours that decide which questions the same documents lead to."""
    package = Path(__file__).parent
    # what plans and keeps the tasks, or comes after them, does not change what is asked
    others = {
        "__init__",
        "build",
        "dataset",
        "duplicates",
        "edits",
        "generate",
        "holdout",
        "locate",
        "normal",
        "shelf",
    }
    own = [path for path in sorted(package.glob("*.py")) if path.stem not in others]
    return [*own, package.parent / "models" / "recorded.py"]


def _generator_id() -> str:
    own = digest_of([[path.name, path.read_text("utf-8")] for path in generator_sources()])
    return f"ragas {version('ragas')} dream.golden {own[:16]}"


GENERATOR_ID = _generator_id()
"""Version of ragas and a hash of our own sources: part of the ledger's key for what a task made."""

log = logging.getLogger("dream.worker")

ORIGIN = "generated"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Generated:
    """What the tasks made.

    Attributes:
        questions: in the order of the documents.
        notes: a sentence for each document or task that gave none, or not all.
        failures: those of the notes that tell of a task that failed.
        used: sums of the meters of this run's calls; answers from the ledger are not among them.
    """

    questions: tuple[RawQuestion, ...]
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    used: Mapping[str, float] = field(default_factory=dict)


def generate_questions(
    study: Study,
    generate: Generate,
    documents: Sequence[Document],
    ledger: Ledger,
    *,
    offline_url: str | None,
    progress: Progress | None = None,
    recorded_only: bool = False,
) -> Generated:
    """Questions about the documents, each task's result recorded in the ledger.

    Whatever goes wrong in a task costs the task's questions and is told in a note; only a storage that
    cannot be used ends the run. What a failed task has asked is recorded as well, so that running again
    asks only for what is missing. Ray must have been initialised, unless all tasks are in the ledger.

    Args:
        study: its judge makes the questions.
        generate: how many questions, and how many documents a task reads.
        documents: of the corpus.
        ledger: gets the counts of what the tasks made and reused.
        offline_url: where the offline server listens, if the judge is offline.
        progress: called with questions made and questions expected.
        recorded_only: run no task; take the last result of a task that failed.

    Raises:
        DreamError: ``recorded_only``, and a task has not been run.
        StorageError: the storage cannot be reached, or is full.
    """
    batches, notes = plan_batches(documents, generate.questions, generate.documents_per_task)
    expected = sum(batch.questions for batch in batches)
    results: dict[int, dict[str, Any]] = {}
    for place, batch in enumerate(batches):
        if (found := _recorded(study, batch, ledger, unfinished=recorded_only)) is not None:
            ledger.reused["testset"] += 1
            results[place] = found

    def tell() -> None:
        if progress:
            progress(sum(len(result["questions"]) for result in results.values()), expected)

    tell()
    waiting = {place: batch for place, batch in enumerate(batches) if place not in results}
    if waiting and recorded_only:
        raise DreamError(
            "the golden dataset is not built yet", study.where("golden"), "run: dream golden build STUDY"
        )
    if waiting:
        for place, result in _run(study, waiting, ledger, offline_url):
            results[place] = result
            for level, line in result.pop("said", ()):
                log.log(level, line)
            if reason := result["reason"]:
                kept = {"questions": result["questions"], "reason": reason}
                ledger.record("testset", _unfinished(testset_inputs(study, batches[place])), kept)
            ledger.made.update(result.get("made", {}))
            ledger.reused.update(result.get("reused", {}))
            tell()
    questions: list[RawQuestion] = []
    failures = []
    for place, batch in enumerate(batches):
        result = results[place]
        names = ", ".join(document.id for document in batch.documents)
        if reason := result.get("reason"):
            number = len(result["questions"])
            failures.append(f"{names}: {number} of {batch.questions} questions were made: {reason}.")
        # the same question about the same section, which ragas may make twice
        questions += {raw.id: raw for raw in map(_raw, result["questions"])}.values()
    used = added(result.get("used", {}) for result in results.values())
    return Generated(tuple(questions), (*notes, *failures), tuple(failures), used)


def testset_inputs(study: Study, batch: Batch) -> dict[str, Any]:
    """Everything that a task's questions depend on: the ledger's key."""
    model = study.models.llms[study.models.judge]
    return {
        "generator": GENERATOR_ID,
        "documents": [[document.id, digest_of(document.text)] for document in batch.documents],
        "questions": batch.questions,
        "model": chat_identity(model),
        "temperature": getattr(model, "temperature", 0.0),
        "embedding": embedding_identity(study.models.embeddings[study.judge_embedding]),
        "seed": study.seed,
    }


def _recorded(study: Study, batch: Batch, ledger: Ledger, *, unfinished: bool) -> dict[str, Any] | None:
    """What the ledger holds of a task: its whole result or, if asked for, the last that was not whole."""
    inputs = testset_inputs(study, batch)
    if (questions := ledger.find("testset", inputs)) is not None:
        return {"questions": questions}
    found: dict[str, Any] | None = ledger.find("testset", _unfinished(inputs)) if unfinished else None
    return found


def _unfinished(inputs: dict[str, Any]) -> dict[str, Any]:
    """Where the result of a failed task is kept: a report shows it, the next run tries again."""
    return {**inputs, "unfinished": True}


def run_task(study: Study, batch: Batch, storage: Any, offline_url: str | None) -> dict[str, Any]:
    """What one Ray task does; never raises for what is wrong with its documents or answers.

    Returns:
        questions, sums of the meters, the ledger's counts made and reused, and why not all went well.

    Raises:
        StorageError: nothing can be recorded, so nothing more may be paid for.
    """
    from dream.golden.ask import IncompleteError, ask_about

    ledger = Ledger(storage)
    used: list[dict[str, float]] = []
    questions: Any = []
    reason = ""

    def compute() -> Any:
        return ask_about(study, batch, ledger, offline_url, bounds_of(study, storage.url), used)

    try:
        # ragas draws progress bars for each of its steps, and warns of each embedding
        with contextlib.redirect_stderr(io.StringIO()):
            questions = ledger.remember("testset", testset_inputs(study, batch), compute)
    except StorageError:
        raise
    except IncompleteError as incomplete:
        questions, reason = incomplete.made, str(incomplete)
    except Exception as error:  # noqa: BLE001 - the document may upset anything in ragas
        said = " ".join(str(error).split())[:300]
        reason = said if isinstance(error, DreamError) else f"{type(error).__name__}: {said}".rstrip(": ")
    return {
        "questions": questions,
        "reason": reason,
        "used": added(used),
        "made": dict(ledger.made),
        "reused": dict(ledger.reused),
    }


def _telling_task(study: Study, batch: Batch, storage: Any, offline_url: str | None) -> dict[str, Any]:
    """``run_task`` in a worker: its result brings the task's log records too."""
    said: list[tuple[int, str]] = []
    logs.send(lambda level, line: said.append((level, line)))
    return {**run_task(study, batch, storage, offline_url), "said": said}


def _run(study: Study, batches: dict[int, Batch], ledger: Ledger, offline_url: str | None) -> Any:
    """Each batch's place and result, as they are done."""
    import ray

    task = ray.remote(_telling_task).options(num_cpus=1, max_retries=1)
    places = {
        task.remote(study, batch, ledger.storage, offline_url): place for place, batch in batches.items()
    }
    try:
        while places:
            done, _ = ray.wait(list(places), num_returns=1)
            for reference in done:
                place = places.pop(reference)
                try:
                    yield place, ray.get(reference)
                except ray.exceptions.RayError as error:
                    if isinstance(cause := getattr(error, "cause", None), StorageError):
                        raise cause from None
                    said = " ".join(str(error).split())[:200]
                    reason = f"its task broke off ({type(error).__name__}: {said})"
                    yield place, {"questions": [], "reason": reason}
    finally:
        for reference in places:  # interrupted: what is recorded is kept, the rest stops
            ray.cancel(reference, force=True)


def _raw(made: dict[str, Any]) -> RawQuestion:
    pieces = tuple(Piece(text, document) for document, text in made["evidence"])
    asked = [made["question"], [[piece.document, piece.text] for piece in pieces]]
    return RawQuestion(
        question=made["question"],
        reference=made["reference"],
        pieces=pieces,
        id=f"{ORIGIN}-{digest_of(asked)[:10]}",
        kind=made["kind"],
        origin=ORIGIN,
    )
