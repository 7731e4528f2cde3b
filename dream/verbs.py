"""The verbs of a notebook and of the shell: each does one step, and everything before it if need be."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dream.claims import claims_beside
from dream.cluster.jobs import run_job
from dream.cluster.offline import offline_server
from dream.cluster.shared import connect_for
from dream.corpus import parse_once, read_corpus
from dream.golden import GoldenDataset
from dream.ledger import Ledger
from dream.modules import load_modules, read_modules
from dream.records import Corpus
from dream.report.html import write_report
from dream.retrieval.index import contents_of
from dream.storage import Folder, open_storage
from dream.study import Study
from dream.study_file import unpriced_models
from dream.sweep.arms import list_arms
from dream.sweep.plan import Plan, plan_study
from dream.sweep.progress import Status, Watcher, ledger_counts, usage_of
from dream.sweep.rehearse import Round, rehearse
from dream.sweep.result import ArmResult
from dream.sweep.run import whole
from dream.sweep.setting import Setting, pack_notebook
from dream.sweeping import (
    OnlyJobs,
    Phases,
    answer,
    phases_of,
    read_documents,
    reading,
    recorded_holdout,
    rounds_ahead,
    score_holdout,
    trying,
)
from dream.tracking.client import make_ready
from dream.tracking.experiment import Tracked, log_result
from dream.verdict.power import power_of_plan
from dream.verdict.race import Stop
from dream.verdict.result import Holdout, SweepResult
from dream.verdict.rows import write_results

DEFAULT_STORAGE = ".dream"

PACKAGES = ("dream-rag", "ray", "llama-index-core", "ragas", "mlflow", "openai", "pypdf", "pandas")


@dataclass(frozen=True)
class Place:
    """Where a run keeps things: the ledger in a folder or a bucket, pages and caches in a folder.

    Attributes:
        storage: address of the ledger: a folder, or ``s3://bucket/prefix``.
        folder: of this machine: reports, the MLflow database, copies of what is in a bucket.
    """

    storage: str
    folder: Path

    @property
    def cache(self) -> Path:
        """For files that each machine keeps; one of a cluster has its own home."""
        return self.folder / "cache" if "://" not in self.storage else Path("~/.cache/dream")

    def report(self, study: str) -> Path:
        """Where the study's page is written."""
        return self.folder / study / "report.html"


@dataclass(frozen=True)
class Published:
    """Where people find a result.

    Attributes:
        page: the HTML report.
        tracked: its runs in MLflow.
    """

    page: Path
    tracked: Tracked

    def _repr_html_(self) -> str:
        """The page itself, below a link to the plot in MLflow."""
        from html import escape

        link, page = escape(self.tracked.compare_link), escape(self.page.read_text("utf-8"))
        shown = f" (first run: <code>{escape(self.tracked.command)}</code>)" if self.tracked.command else ""
        frame = f'<iframe srcdoc="{page}" style="width:100%;height:720px;border:1px solid #ccc"></iframe>'
        return f'<p><a href="{link}" target="_blank">the arms side by side in MLflow</a>{shown}</p>{frame}'


def place(storage: str | None = None) -> Place:
    """The place at a storage address; DREAM_STORAGE, or ``.dream`` in the current folder, if not given."""
    address = storage or os.environ.get("DREAM_STORAGE") or DEFAULT_STORAGE
    opened = open_storage(address)
    if isinstance(opened, Folder):
        return Place(opened.url, opened.root)
    # In the cluster the notebooks' folder is read-only; a user's home is not.
    here = Path.cwd() if os.access(Path.cwd(), os.W_OK) else Path.home()
    return Place(opened.url, here / DEFAULT_STORAGE)


def open_ledger(study: Study, storage: str | None = None) -> Ledger:
    """The ledger at that place, with the study's own modules loaded."""
    load_modules(read_modules([study.path(path) for path in study.modules]))
    return Ledger(open_storage(place(storage).storage))


def gather_corpus(
    study: Study,
    storage: str | None = None,
    ledger: Ledger | None = None,
    watcher: Watcher | None = None,
) -> Corpus:
    """Read the study's documents; files that cannot be read are listed with their reasons."""
    ledger = ledger or open_ledger(study, storage)
    return read_corpus(study.path(study.corpus), parse_once(ledger), _shown(watcher, "corpus", "files"))


def build_golden(
    study: Study,
    storage: str | None = None,
    *,
    ledger: Ledger | None = None,
    corpus: Corpus | None = None,
    watcher: Watcher | None = None,
) -> GoldenDataset:
    """Load or generate the study's golden dataset, and write it to storage as CSV and Parquet."""
    from dream.golden import build_golden as build

    ledger = ledger or open_ledger(study, storage)
    corpus = corpus or gather_corpus(study, ledger=ledger)
    if study.golden.generate is None:
        return build(study, corpus, ledger, offline_url=None)
    connection = connect_for(ledger.storage.url)
    if connection.kind == "jobs":
        run_job(connection.address, ["golden", "build"], study, ledger.storage.url, watcher=watcher)
        return recorded_golden(study, ledger, corpus)
    with offline_server(study, connection) as url:
        return build(study, corpus, ledger, offline_url=url, progress=_shown(watcher, "golden", "questions"))


def edit_golden(study: Study, rows: Any, storage: str | None = None) -> GoldenDataset:
    """Keep the questions as a person left them; every later verb on this study uses them.

    Args:
        study: from ``load_study``; its golden dataset must be built.
        rows: the edited ``golden.frame()``: rows dropped, texts changed, rows added.
        storage: as given to ``build_golden``.

    Raises:
        DreamError: no question is left, a text is empty, or the golden dataset is not built.
    """
    from dream.golden.build import build_golden as build
    from dream.golden.edits import edited, write_edits

    ledger = open_ledger(study, storage)
    corpus = gather_corpus(study, ledger=ledger)
    made = build(study, corpus, ledger, recorded_only=True, as_edited=False)
    after = edited(made, rows.to_dict("records") if hasattr(rows, "to_dict") else rows)
    write_edits(ledger.storage, study.name, made, after)
    return recorded_golden(study, ledger, corpus)


def recorded_golden(study: Study, ledger: Ledger, corpus: Corpus) -> GoldenDataset:
    """The study's golden dataset as its last build left it; calls no model.

    Raises:
        DreamError: its questions are generated, and not all documents have been asked about yet.
    """
    from dream.golden import build_golden as build

    return build(study, corpus, ledger, recorded_only=True)


def plan(
    study: Study,
    golden: GoldenDataset | None = None,
    storage: str | None = None,
    *,
    exact: bool = False,
    watcher: Watcher | None = None,
) -> Plan:
    """What a run would take in calls, tokens, dollars and time, and how much of it is done; calls no model.

    Args:
        study: from ``load_study``.
        golden: from ``build_golden``; as the ledger has it, or rehearsed, if not given.
        storage: a folder or ``s3://bucket/prefix`` with the ledger.
        exact: rehearse every question; else a sample where there are very many.
        watcher: is shown the progress.

    Raises:
        DreamError: the study, its corpus or its storage cannot be used.
    """
    ledger = open_ledger(study, storage)
    arms = list_arms(study)  # a mistake in the search space is told before any work
    corpus = gather_corpus(study, ledger=ledger)
    rehearsal, golden, questions = rehearse(study, ledger, corpus, golden, _shown(watcher, "plan", "arms"))
    phases = phases_of(_setting(study, place(storage), corpus, golden, None))
    rounds = rounds_ahead(phases.choosing, arms, ledger)
    found, stops = answer(phases.choosing, arms, reading(ledger))
    done = [each for each in found if whole(each)]
    result = _result(study, corpus, golden, phases, done, stops)
    holdout = None
    if phases.holdout:
        result = replace(result, holdout=Holdout(phases.holdout.questions))
        holdout = Round(phases.holdout, tuple(arms), phases.holdout.questions, sure=False)
        if len(done) == len(arms):
            chosen = {each.arm for each in result.verdict().tied}
            holdout = replace(holdout, arms=tuple(arm for arm in arms if arm.id in chosen), sure=True)
    planned = plan_study(rehearsal, rounds, corpus, questions, ledger, exact, holdout=holdout)
    return replace(planned, shows=str(power_of_plan(planned, result)))


def run_sweep(
    study: Study,
    golden: GoldenDataset | None = None,
    storage: str | None = None,
    watcher: Watcher | None = None,
) -> SweepResult:
    """Run every arm of the study that has no result yet, and give the results of all.

    Running again is resuming: what is in the ledger is not computed, called or paid for again.

    Args:
        study: from ``load_study``.
        golden: from ``build_golden``; built if not given.
        storage: a folder or ``s3://bucket/prefix`` for the ledger.
        watcher: is shown the progress.

    Raises:
        DreamError: the study, its corpus or its storage cannot be used.
        KeyboardInterrupt: stopped by the user; run again to go on.
    """
    started = time.monotonic()
    where = place(storage)
    ledger = open_ledger(study, storage)
    arms = list_arms(study)
    corpus = read_documents(study, ledger, watcher)
    golden = golden or build_golden(study, ledger=ledger, corpus=corpus, watcher=watcher)
    phases = phases_of(_setting(study, where, corpus, golden, None))
    counts: dict[str, float] = {**ledger_counts(ledger), **golden.used}
    ready = partial(make_ready, os.environ.get("MLFLOW_TRACKING_URI"), where.folder)
    try:
        with trying(study, corpus.documents, ledger, counts, watcher, ready) as results_of:
            result = _result(study, corpus, golden, phases, *answer(phases.choosing, arms, results_of))
            if phases.holdout:
                result = score_holdout(result, phases.holdout, results_of, ledger)
    except OnlyJobs as cluster:
        run_job(cluster.address, ["run"], study, where.storage, phases.choosing.notebook, watcher)
        return read_results(study, storage)
    usage = usage_of(counts, time.monotonic() - started, unpriced_models(study))
    return replace(result, usage=usage)


def read_results(study: Study, storage: str | None = None, watcher: Watcher | None = None) -> SweepResult:
    """What the ledger holds of the study's results; calls no model. Arms without any say so.

    Args:
        study: from ``load_study``.
        storage: as given to ``run_sweep``.
        watcher: is shown the progress.

    Raises:
        DreamError: the golden dataset is not built yet.
    """
    started = time.monotonic()
    ledger = open_ledger(study, storage)
    arms = list_arms(study)
    corpus = gather_corpus(study, ledger=ledger)
    golden = recorded_golden(study, ledger, corpus)
    phases = phases_of(_setting(study, place(storage), corpus, golden, None))
    result = _result(study, corpus, golden, phases, *answer(phases.choosing, arms, reading(ledger, watcher)))
    if phases.holdout:
        result = recorded_holdout(result, phases.holdout, ledger)
    usage = usage_of({}, time.monotonic() - started, unpriced_models(study))
    return replace(result, usage=usage)


def publish(result: SweepResult, storage: str | None = None, tracking_uri: str | None = None) -> Published:
    """Write the result's page and table, and bring MLflow up to date.

    Args:
        result: from ``run_sweep``.
        storage: as given to ``run_sweep``.
        tracking_uri: an MLflow server; MLFLOW_TRACKING_URI, or else a database in the folder.

    Raises:
        DreamError: MLflow cannot be reached; the page is written all the same.
    """
    page = write_page(result, storage)
    write_table(result, storage)
    return Published(page, track(result, page, storage, tracking_uri))


def write_page(result: SweepResult, storage: str | None = None) -> Path:
    """Write the result's page into the storage's folder, and give its path.

    Raises:
        DreamError: it cannot be written there.
    """
    return write_report(result, place(storage).report(result.study))


def write_table(result: SweepResult, storage: str | None = None) -> str:
    """Write ``results/<study>/results.parquet`` to the storage, and give its address.

    It has a row for each arm, question and metric: ``pandas.read_parquet`` reads it, and Ray Data does.

    Raises:
        StorageError: it cannot be written there.
    """
    where = open_storage(place(storage).storage)
    return f"{where.url}/{write_results(where, result)}"


def track(
    result: SweepResult, page: Path, storage: str | None = None, tracking_uri: str | None = None
) -> Tracked:
    """Bring MLflow up to date; see ``publish``."""
    where = place(storage)
    study_file = page.with_name("study.yaml")
    study_file.write_text(result.study_text, encoding="utf-8")
    files = {"report.html": page, "study.yaml": study_file}
    # Two runs that end together would make two databases of one file, or two parents of one study.
    with claims_beside(open_storage(where.folder)).hold("mlflow"):
        return log_result(result, tracking_uri or os.environ.get("MLFLOW_TRACKING_URI"), files, where.folder)


def _shown(watcher: Watcher | None, stage: str, unit: str) -> Callable[[int, int], None] | None:
    if watcher is None:
        return None
    return lambda done, total: watcher(Status(stage, done, total, unit))


def _setting(study: Study, where: Place, corpus: Corpus, golden: GoldenDataset, url: str | None) -> Setting:
    return Setting(
        study=study,
        storage=where.storage,
        cache=where.cache,
        modules=read_modules([study.path(path) for path in study.modules]),
        documents=contents_of(corpus.documents),
        questions=golden.questions,
        golden=golden.digest,
        offline_url=url,
        notebook=pack_notebook(study),
    )


def _result(
    study: Study,
    corpus: Corpus,
    golden: GoldenDataset,
    phases: Phases,
    results: Sequence[ArmResult],
    stops: Mapping[str, Stop],
) -> SweepResult:
    return SweepResult(
        study=study.name,
        objective=study.objective,
        metrics=tuple(study.metrics),
        questions=phases.choosing.questions,
        arms=tuple(results),
        problems=corpus.problems,
        lineage=_lineage(study, corpus, golden),
        study_text=study.text,
        choice=study.verdict,
        stopped=stops,
        raced=study.search.mode == "racing",
    )


def _lineage(study: Study, corpus: Corpus, golden: GoldenDataset) -> dict[str, Any]:
    return {
        "golden_source": golden.csv_key,
        "corpus": study.corpus,
        "corpus_digest": corpus.digest,
        "documents": len(corpus.documents),
        "golden_digest": golden.digest,
        "golden_notes": list(golden.notes),
        "golden_failures": list(golden.failures),
        "seed": study.seed,
        "judge": study.models.judge,
        "judge_embedding": study.judge_embedding,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
