"""The verbs that look after what a verdict rests on: the questions, and the judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dream import verbs
from dream.cluster.connect import Connection, connect
from dream.cluster.offline import offline_server
from dream.errors import DreamError, MissingObject, StudyError
from dream.golden.audit.closed_book import judged_by, prompt_of
from dream.golden.audit.decisions import (
    Decision,
    decisions_key,
    decisions_of,
    read_decisions,
    write_decisions,
)
from dream.golden.audit.examine import Asked, Looked, ask, look, told_unconfirmed
from dream.golden.audit.finding import CHECKS
from dream.golden.dataset import GoldenDataset
from dream.ledger import Ledger
from dream.models.chat import LETTERS_PER_TOKEN, USUAL_ANSWER, Reply, provider_of
from dream.models.embedding import open_embedder
from dream.models.limits import Bounds, bounds_of, start_actors
from dream.report.labelling import Labelling, start_labelling
from dream.storage import open_storage
from dream.study import OpenAIChat, OpenAIEmbedding, Prices, Study
from dream.sweep.progress import Status, Watcher
from dream.verdict.golden_audit import Estimate, GoldenAudit, with_verdicts
from dream.verdict.label_plan import LabelPlan, plan_labels
from dream.verdict.labels import read_labels, write_rows
from dream.verdict.result import SweepResult
from dream.waiting import wait_for

JUDGE_CALLS = {"faithfulness": 2, "answer_relevancy": 3, "context_recall": 1, "answer_correctness": 3}
"""Calls of each metric for one answer."""

JUDGE_PROMPT = 1100
"""Tokens of a judge's prompt, the mean over the quickstart's 18,080."""


def audit_golden(
    study: Study,
    storage: str | None = None,
    *,
    agree: Callable[[Estimate], bool] = lambda estimate: True,
    llms: Sequence[str] = (),
    watcher: Watcher | None = None,
) -> GoldenAudit:
    """Look for faults in the golden dataset, and write a CSV in which to keep or drop each question.

    Args:
        study: from ``load_study``; its golden dataset must be built.
        storage: as given to ``run_sweep``.
        agree: is shown what asking the models takes, and says whether to ask.
        llms: the models that are asked without context; those of ``search.llm`` if none is given.
        watcher: is shown the progress.

    Raises:
        DreamError: the golden dataset is not built yet, or a model is not in the study.
    """
    llms = tuple(llms) or tuple(study.search.llm)
    for name in llms:
        if name not in study.models.llms:
            allowed = ", ".join(study.models.llms)
            raise DreamError(f"'{name}' is no model of the study", "--llm", f"allowed are {allowed}")
    where = verbs.place(storage)
    ledger = verbs.open_ledger(study, storage)
    corpus = verbs.gather_corpus(study, ledger=ledger)
    golden = verbs.recorded_golden(study, ledger, corpus)
    embedding = study.models.embeddings[study.judge_embedding]
    called = isinstance(embedding, OpenAIEmbedding)
    bounds = _bounds(study, where.storage) if called else bounds_of(study, where.storage)
    looked = look(golden, corpus, open_embedder(study.judge_embedding, embedding, bounds), ledger)
    estimate = estimate_asking(study, golden, looked, llms)
    asked = None
    if agree(estimate):
        asked = _ask(study, golden, looked, ledger, llms, where.storage, watcher)
    findings = (*looked.findings, *asked.findings) if asked else told_unconfirmed(looked)
    order = [check.name for check in CHECKS]
    audit = GoldenAudit(
        study=study.name,
        questions=golden.questions,
        findings=tuple(sorted(findings, key=lambda found: order.index(found.check))),
        estimate=estimate,
        attempts=asked.attempts if asked else (),
        asked=asked is not None,
        calls=asked.calls if asked else 0,
        dollars=asked.dollars if asked else 0.0,
        csv=f"{where.storage}/{decisions_key(study.name)}",
        refused=asked.refused if asked else 0,
    )
    _write_decisions(study, audit, ledger)
    return with_verdicts(audit, verbs.read_results(study, storage))


def estimate_asking(study: Study, golden: GoldenDataset, looked: Looked, llms: Sequence[str]) -> Estimate:
    """What the checks that ask models take at most."""
    questions = [question for question in golden.questions if question.answerable]
    judged = JUDGE_CALLS.get(judged_by(study.objective), 0) * len(questions) * len(llms)
    judged += len(looked.alternatives)
    letters = sum(len(prompt_of(question)[0]["content"]) for question in questions)
    dollars = Reply("", judged * JUDGE_PROMPT, judged * USUAL_ANSWER).dollars(
        _prices(study, study.models.judge)
    )
    for name in llms:
        answers = Reply("", letters // LETTERS_PER_TOKEN, len(questions) * USUAL_ANSWER)
        dollars += answers.dollars(_prices(study, name))
    asked = {*llms, study.models.judge} if judged else set(llms)
    priced = all(_prices(study, name) is not None for name in asked)
    return Estimate(len(questions) * len(llms) + judged, dollars, priced)


def _prices(study: Study, name: str) -> Prices | None:
    model = study.models.llms[name]
    return model.prices if isinstance(model, OpenAIChat) else Prices(input=0)


def _ask(
    study: Study,
    golden: GoldenDataset,
    looked: Looked,
    ledger: Ledger,
    llms: Sequence[str],
    storage: str,
    watcher: Watcher | None,
) -> Asked:
    bounds = _bounds(study, storage)
    start_actors(bounds, [provider_of(study.models.llms[name]) for name in (*llms, study.models.judge)])

    def tell(done: int, total: int) -> None:
        if watcher:
            watcher(Status("audit", done, total, "answers without documents"))

    # asked from this process, so the server is on this machine wherever Ray is
    with offline_server(study, Connection("local"), llms) as url:
        return wait_for(ask(study, golden, looked, ledger, bounds, llms, url, tell))


def _bounds(study: Study, storage: str) -> Bounds:
    """The study's limits as the cluster keeps them; where it lets in jobs only, this process alone counts."""
    bounds = bounds_of(study, storage)
    return replace(bounds, shared=False) if connect().kind == "jobs" else bounds


def _write_decisions(study: Study, audit: GoldenAudit, ledger: Ledger) -> None:
    """Store the CSV; what a person decided in it before, or in the study's own file, stays."""
    decided = {row.id: row for row in [*_stored(study, ledger), *decisions_of(study)]}
    data = write_decisions(audit.questions, audit.findings, tuple(decided.values()))
    ledger.storage.put(decisions_key(study.name), data)


def _stored(study: Study, ledger: Ledger) -> list[Decision]:
    try:
        return read_decisions(ledger.storage.get(decisions_key(study.name)), decisions_key(study.name))
    except MissingObject:
        return []


def open_labelling(
    study: Study, storage: str | None = None, rows: int = 30, watcher: Watcher | None = None
) -> tuple[SweepResult, LabelPlan, Labelling]:
    """A finished study, the answers that a person should label, and the labels there are.

    Args:
        study: from ``load_study``; it must have been run.
        storage: as given to ``run_sweep``.
        rows: about how many labels a person is willing to give.
        watcher: is shown the progress.

    Raises:
        DreamError: the study has no results yet.
    """
    result = verbs.read_results(study, storage, watcher)
    plan = plan_labels(result, rows, study.seed)
    store = open_storage(verbs.place(storage).storage)
    return result, plan, start_labelling(store, study.name, plan.rows)


def write_sheet(labelling: Labelling) -> str:
    """Write the rows and their labels as a CSV, for whoever labels elsewhere; gives its address."""
    key = f"labels/{labelling.study}/rows.csv"
    labelling.storage.put(key, write_rows(labelling.rows, labelling.labels))
    return f"{labelling.storage.url}/{key}"


def load_labels(labelling: Labelling, path: str) -> int:
    """Store the labels of a CSV file; gives how many there were.

    Raises:
        StudyError: the file is missing or not usable; nothing is stored then.
    """
    folder, _, name = path.rpartition("/") if "://" in path else str(Path(path).absolute()).rpartition("/")
    try:
        data = open_storage(folder or "/").get(name)
    except MissingObject:
        raise StudyError("there is no such file", path, "give the CSV that holds the labels") from None
    found = read_labels(data, name, labelling.rows)
    for id, right in found.items():
        labelling.say(id, right)
    return len(found)
