"""The golden dataset of a study: loaded and generated questions, without duplicates, evidence located."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from dream.errors import DreamError
from dream.golden.audit.decisions import decisions_of, leave_out
from dream.golden.dataset import GoldenDataset, digest_questions, write_golden
from dream.golden.duplicates import remove_duplicates
from dream.golden.edits import with_edits
from dream.golden.generate import Progress, generate_questions
from dream.golden.load import load_questions
from dream.golden.locate import locate
from dream.golden.raw import RawQuestion
from dream.golden.shelf import Shelf
from dream.ledger import Ledger
from dream.records import Corpus, Question, Span
from dream.study import Study


def build_golden(
    study: Study,
    corpus: Corpus,
    ledger: Ledger,
    *,
    offline_url: str | None = None,
    progress: Progress | None = None,
    recorded_only: bool = False,
    as_edited: bool = True,
) -> GoldenDataset:
    """Load, generate, join, and store as CSV and Parquet.

    A question whose evidence is not found keeps its text and loses its spans: the metrics that need them
    do not apply to it. Only a study that generates needs Ray, initialised by the caller.

    Args:
        study: says where the questions come from.
        corpus: where the evidence is looked for, and what questions are generated from.
        ledger: records what generating takes; its storage gets the files.
        offline_url: where the offline server listens, if the study's judge is offline.
        progress: called with questions generated and questions expected.
        recorded_only: generate nothing; take what the last build left in the ledger.
        as_edited: give the questions as a person left them: edited, and without those that the study
            excludes.

    Raises:
        StudyError: a question file is not usable.
        StorageError: the storage cannot be reached, or is full.
        DreamError: there is no question at all; or some have yet to be generated and ``recorded_only``.
    """
    raw = _loaded(study)
    notes: list[str] = []
    failures: tuple[str, ...] = ()
    used: Mapping[str, float] = {}
    if study.golden.generate is not None:
        generated = generate_questions(
            study,
            study.golden.generate,
            corpus.documents,
            ledger,
            offline_url=offline_url,
            progress=progress,
            recorded_only=recorded_only,
        )
        raw += generated.questions
        notes += generated.notes
        failures, used = generated.failures, generated.used
    named = _with_unique_ids(raw)
    kept, removed = remove_duplicates(named)
    notes += removed
    if not kept:
        raise DreamError(
            "there is no question" + (f": {notes[0].rstrip('.')}" if notes else ""),
            study.where("golden"),
            "mend what is said, or give a file of questions",
        )
    shelf = Shelf(corpus.documents)
    questions = []
    for question in kept:
        spans, misses = locate(question.pieces, shelf)
        notes += [f"{question.id}: {miss}." for miss in misses]
        questions.append(_made(question, spans))
    found = tuple(questions)
    golden = GoldenDataset(found, digest_questions(found), tuple(notes), failures=failures, used=used)
    if as_edited:
        # in this order: edits belong to the questions as they were made, none left out
        golden = _without_excluded(study, with_edits(ledger.storage, study.name, golden))
    return write_golden(ledger.storage, study.name, golden)


def _without_excluded(study: Study, golden: GoldenDataset) -> GoldenDataset:
    """The dataset without the questions that the study excludes, with a note of it."""
    if study.golden.exclude is None:
        return golden
    name = PurePosixPath(study.golden.exclude).name
    kept, notes = leave_out(golden.questions, decisions_of(study), name)
    if not kept:
        raise DreamError("every question is left out", study.where("golden", "exclude"), "keep some of them")
    notes = [*golden.notes, *notes]
    return replace(golden, questions=kept, digest=digest_questions(kept), notes=tuple(notes))


def _loaded(study: Study) -> list[RawQuestion]:
    files = study.golden.files
    names = Counter(PurePosixPath(file.path).name for file in files)
    loaded: list[RawQuestion] = []
    for file in files:
        name = PurePosixPath(file.path).name
        # the file's name alone, so that the digest is the same wherever the file lies
        origin = name if names[name] == 1 else file.path
        found = load_questions(file, study.path(file.path))
        loaded += [replace(question, origin=origin) for question in found]
    return loaded


def _with_unique_ids(questions: Sequence[RawQuestion]) -> list[RawQuestion]:
    """Ids that several sources use are told apart by the source's name."""
    times = Counter(question.id for question in questions)
    named = []
    used: Counter[str] = Counter()
    for question in questions:
        id = question.id if times[question.id] == 1 else f"{question.origin}:{question.id}"
        used[id] += 1
        # the same file named twice, or a question that was generated twice
        named.append(replace(question, id=id if used[id] == 1 else f"{id}:{used[id]}"))
    return named


def _made(raw: RawQuestion, spans: tuple[Span, ...]) -> Question:
    return Question(
        id=raw.id,
        question=raw.question,
        reference=raw.reference,
        evidence=spans,
        evidence_text=tuple(piece.text for piece in raw.pieces),
        kind=raw.kind,
        origin=raw.origin,
        answerable=raw.answerable,
    )
