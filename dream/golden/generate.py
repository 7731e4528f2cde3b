"""Makes questions from documents: Ray tasks of a few documents each, over ragas' TestsetGenerator."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from dream.errors import DreamError
from dream.golden.plan import Batch, plan_batches
from dream.golden.raw import Piece, RawQuestion
from dream.ledger import Ledger
from dream.models.chat import chat_identity
from dream.models.embedding import embedding_identity
from dream.records import Document, digest_of
from dream.study import Generate, Study

# Part of the ledger's key: change it when the same documents would lead to other questions.
GENERATOR_ID = f"ragas {version('ragas')} dream 1"

ORIGIN = "generated"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Generated:
    """What the tasks made.

    Attributes:
        questions: in the order of the documents.
        notes: a sentence for each document or task that gave none, or not all.
        dollars: what this run's calls cost; answers from the ledger cost nothing.
    """

    questions: tuple[RawQuestion, ...]
    notes: tuple[str, ...] = ()
    dollars: float = 0.0


def generate_questions(
    study: Study,
    generate: Generate,
    documents: Sequence[Document],
    ledger: Ledger,
    *,
    offline_url: str | None,
    progress: Progress | None = None,
) -> Generated:
    """Questions about the documents, each task's result recorded in the ledger.

    Whatever goes wrong in a task costs the task's questions and is told in a note. What a failed task
    has asked is recorded as well, so that running again asks only for what is missing. Ray must have been
    initialised, unless all tasks are in the ledger.

    Args:
        study: its judge makes the questions.
        generate: how many questions, and how many documents a task reads.
        documents: of the corpus.
        ledger: gets the counts of what the tasks made and reused.
        offline_url: where the offline server listens, if the judge is offline.
        progress: called with questions made and questions expected.
    """
    batches, notes = plan_batches(documents, generate.questions, generate.documents_per_task)
    expected = sum(batch.questions for batch in batches)
    results: dict[int, dict[str, Any]] = {}
    for place, batch in enumerate(batches):
        if (recorded := ledger.find("testset", testset_inputs(study, batch))) is not None:
            ledger.reused["testset"] += 1
            results[place] = {"questions": recorded}

    def tell() -> None:
        if progress:
            progress(sum(len(result["questions"]) for result in results.values()), expected)

    tell()
    waiting = {place: batch for place, batch in enumerate(batches) if place not in results}
    if waiting:
        for place, result in _run(study, waiting, ledger, offline_url):
            results[place] = result
            ledger.made.update(result.get("made", {}))
            ledger.reused.update(result.get("reused", {}))
            tell()
    questions: list[RawQuestion] = []
    for place, batch in enumerate(batches):
        result = results[place]
        names = ", ".join(document.id for document in batch.documents)
        if reason := result.get("reason"):
            number = len(result["questions"])
            notes.append(f"{names}: {number} of {batch.questions} questions were made: {reason}.")
        # the same question about the same section, which ragas may make twice
        questions += {raw.id: raw for raw in map(_raw, result["questions"])}.values()
    dollars = sum(result.get("dollars", 0.0) for result in results.values())
    return Generated(tuple(questions), tuple(notes), dollars)


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


def run_task(
    study: Study, batch: Batch, storage: Any, offline_url: str | None, calls_at_once: int
) -> dict[str, Any]:
    """What one Ray task does; never raises for what is wrong with its documents or answers.

    Returns:
        questions, dollars, the ledger's counts made and reused, and the reason if not all went well.
    """
    from dream.golden.ask import IncompleteError, ask_about

    ledger = Ledger(storage)
    spent: list[float] = []
    questions: Any = []
    reason = ""

    def compute() -> Any:
        return ask_about(study, batch, ledger, offline_url, calls_at_once, spent)

    try:
        # ragas draws progress bars for each of its steps, and warns of each embedding
        with contextlib.redirect_stderr(io.StringIO()):
            questions = ledger.remember("testset", testset_inputs(study, batch), compute)
    except IncompleteError as incomplete:
        questions, reason = incomplete.made, str(incomplete)
    except Exception as error:  # noqa: BLE001 - the document may upset anything in ragas
        said = " ".join(str(error).split())[:300]
        reason = said if isinstance(error, DreamError) else f"{type(error).__name__}: {said}".rstrip(": ")
    return {
        "questions": questions,
        "reason": reason,
        "dollars": sum(spent),
        "made": dict(ledger.made),
        "reused": dict(ledger.reused),
    }


def _run(study: Study, batches: dict[int, Batch], ledger: Ledger, offline_url: str | None) -> Any:
    """Each batch's place and result, as they are done."""
    import ray

    # a task mostly waits for models, so the study's limit is shared by all that can run at once
    cluster: Any = ray
    processors = max(1, int(cluster.cluster_resources().get("CPU", 1)))
    calls_at_once = max(1, study.limits.calls_at_once // min(processors, len(batches)))
    task = ray.remote(run_task).options(num_cpus=1, max_retries=1)
    places = {
        task.remote(study, batch, ledger.storage, offline_url, calls_at_once): place
        for place, batch in batches.items()
    }
    try:
        while places:
            done, _ = ray.wait(list(places), num_returns=1)
            for reference in done:
                place = places.pop(reference)
                try:
                    yield place, ray.get(reference)
                except ray.exceptions.RayError as error:
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
