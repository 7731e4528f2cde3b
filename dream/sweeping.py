"""Arms through the phases of a sweep: all on the questions for choosing, the tie set on the holdout."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dream.cluster.connect import Connection
from dream.cluster.offline import offline_server
from dream.cluster.shared import connect_for
from dream.corpus import SourceFile, read_corpus_once
from dream.corpus.spread import parse_by_workers
from dream.golden.dataset import digest_questions
from dream.golden.holdout import split_questions
from dream.ledger import Ledger
from dream.models.chat import provider_of
from dream.models.limits import bounds_of, start_actors
from dream.modules import read_modules
from dream.records import Corpus, Document, Question
from dream.study import Study
from dream.sweep.prepare import order_arms, preparing
from dream.sweep.progress import Stage, Status, Tally, Watcher, beside, watched
from dream.sweep.rehearse import Round
from dream.sweep.result import Arm, ArmResult
from dream.sweep.run import recorded, run_trials, trials_at_once, whole
from dream.sweep.setting import Setting
from dream.verdict.looks import looks_at, note_look
from dream.verdict.race import Stop, rounds_of
from dream.verdict.racing import stops_after
from dream.verdict.result import Holdout, SweepResult

WORTH_SHOWING = 2.0  # seconds of reading, from which on its progress is shown

Trying = Callable[[Setting, Sequence[Arm]], list[ArmResult]]


@dataclass(frozen=True)
class Phases:
    """A study's golden dataset as its two phases ask it.

    Attributes:
        choosing: the study with the questions for choosing.
        holdout: the same with the questions kept from choosing; ``None`` if the study keeps none.
    """

    choosing: Setting
    holdout: Setting | None


def phases_of(setting: Setting) -> Phases:
    """Split a setting with the whole golden dataset; each phase's results have their own keys."""
    share = setting.study.golden.holdout
    split = split_questions(setting.questions, share, setting.study.seed)
    if not split.holdout:
        return Phases(setting, None)
    return Phases(_asking(setting, split.choosing), _asking(setting, split.holdout))


def _asking(setting: Setting, questions: tuple[Question, ...]) -> Setting:
    return replace(setting, questions=questions, golden=digest_questions(questions))


@contextmanager
def trying(
    study: Study,
    documents: Sequence[Document],
    ledger: Ledger,
    counts: dict[str, float],
    watcher: Watcher | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[Trying]:
    """A function that gives arms' results on a setting's questions, and runs those that have none yet.

    Ray and the offline server are started when something must be run for the first time, and serve all
    phases. At the end ``counts`` holds what all processes did. While the first trials wait for their models,
    a thread does what will be needed after them.
    """
    with ExitStack() as opened:
        started: dict[str, Any] = {}

        def results_of(setting: Setting, arms: Sequence[Arm]) -> list[ArmResult]:
            results = {
                arm.id: found for arm in arms if (found := recorded(setting, arm, ledger)) and whole(found)
            }
            reused = sum(sum(found.calls.values()) for found in results.values())
            pending = [arm for arm in arms if arm.id not in results]
            if "tally" in started:
                started["tally"].add.remote({"reused": reused})
            else:
                counts["reused"] = counts.get("reused", 0) + reused
            if pending:
                if not started:
                    connection = _connected(setting)
                    started["tally"] = _start(study, setting, ledger, counts)
                    started["url"] = opened.enter_context(offline_server(study, connection))
                    opened.enter_context(
                        beside(partial(_once_a_question_is_done, started["tally"], meanwhile))
                    )
                at_work = replace(setting, offline_url=started["url"])
                tally = started["tally"]
                wanted = {"trials_wanted": len(pending)}
                wanted["questions_wanted"] = len(pending) * len(setting.questions)
                tally.add.remote(wanted)
                at_once = trials_at_once(at_work, len(pending))
                order = order_arms(at_work, pending, documents, ledger, at_once)
                stages = (
                    Stage("embed", len(documents) * len(order.parts) * order.streamed, "documents"),
                    Stage("prepare", sum(map(len, order.parts)), "indexes"),
                    Stage("sweep", wanted["questions_wanted"], "questions"),
                )
                with (
                    watched(tally, watcher, *stages),
                    preparing(at_work, documents, order, tally) as awaited,
                ):
                    results |= run_trials(at_work, awaited, ledger, tally)
            return [results[arm.id] for arm in arms]

        yield results_of
        if started:
            import ray

            counts |= ray.get(started["tally"].read.remote())


def _once_a_question_is_done(tally: Any, then: Callable[[], None]) -> bool:
    """Do it if a question is answered, for from then on processors have time; whether it was done."""
    import ray

    try:
        if not ray.get(tally.read.remote()).get("questions"):
            return False
    except ray.exceptions.RayError:
        return True  # nothing is lost if it is not done
    then()
    return True


def read_documents(study: Study, ledger: Ledger, watcher: Watcher | None = None) -> Corpus:
    """The study's documents, of which Ray's workers parse what is new where that is much."""

    def spread(files: Sequence[SourceFile]) -> None:
        if connect_for(ledger.storage.url).kind == "jobs":
            return  # nothing of this process can be sent there
        import ray

        modules = read_modules([study.path(path) for path in study.modules])
        tally = ray.remote(num_cpus=0)(Tally).remote(study.name)
        with watched(tally, watcher, Stage("corpus", len(files), "files")):
            parse_by_workers(files, study.path(study.corpus), ledger.storage.url, modules, tally)

    def show(done: int, total: int) -> None:
        if watcher:
            watcher(Status("corpus", done, total, "files"))

    corpus = read_corpus_once(study.path(study.corpus), ledger, spread, show)
    if watcher:
        watcher(Status("corpus", len(corpus.documents), len(corpus.documents), "documents"))
    return corpus


class OnlyJobs(Exception):
    """The cluster takes whole commands as jobs and nothing else."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(address)


def _connected(setting: Setting) -> Connection:
    connection = connect_for(setting.storage)
    if connection.kind == "jobs":
        raise OnlyJobs(connection.address)
    return connection


def _start(study: Study, setting: Setting, ledger: Ledger, counts: dict[str, float]) -> Any:
    import ray

    # its machine may be lost; then the counts so far are, and nothing else
    tally: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tally).remote(study.name)
    tally.add.remote({**counts, "dollars_allowed": study.limits.dollars or 0.0})
    llms = [study.models.llms[name] for name in {study.models.judge, *study.search.llm}]
    start_actors(bounds_of(study, setting.storage), map(provider_of, llms))
    return tally


def reading(ledger: Ledger, watcher: Watcher | None = None) -> Trying:
    """A function like that of ``trying`` that runs nothing: arms without results say so."""

    def results_of(setting: Setting, arms: Sequence[Arm]) -> list[ArmResult]:
        found, started = [], time.monotonic()
        for arm in arms:
            found.append(recorded(setting, arm, ledger) or ArmResult(arm, error="not run yet"))
            if watcher and time.monotonic() - started > WORTH_SHOWING:
                watcher(Status("read", len(found), len(arms), "arms"))
        return found

    return results_of


def answer(
    setting: Setting, arms: Sequence[Arm], results_of: Trying
) -> tuple[list[ArmResult], dict[str, Stop]]:
    """Every arm's results on the questions for choosing, and which arms a race stopped before the last.

    In a race the arms are asked in rounds, and after each those stop that cannot win any more. A round is the
    same trials over more questions: what earlier rounds asked is in the ledger.
    """
    if setting.study.search.mode == "grid":
        return results_of(setting, arms), {}
    running, results = list(arms), dict[str, ArmResult]()
    stops: dict[str, Stop] = {}
    for questions in rounds_of(setting.questions, setting.study.seed):
        last = len(questions) == len(setting.questions)
        found = results_of(setting if last else _asking(setting, questions), running)
        results |= {arm.arm.id: arm for arm in found}
        if not last:
            answering = [arm for arm in found if not arm.error]
            stops |= stops_after(answering, questions, setting.study.objective, len(arms))
            running = [arm for arm in running if arm.id not in stops]
    return [results[arm.id] for arm in arms], stops


def rounds_ahead(setting: Setting, arms: Sequence[Arm], ledger: Ledger) -> list[Round]:
    """The rounds of a run of these arms, and who takes part in them as far as the ledger tells.

    A grid is one round. Who is still in a race after a round that was not wholly run is not known.
    """
    if setting.study.search.mode == "grid":
        return [Round(setting, tuple(arms), setting.questions)]
    rounds: list[Round] = []
    running, asked, sure = list(arms), set[str](), True
    for questions in rounds_of(setting.questions, setting.study.seed):
        at = setting if len(questions) == len(setting.questions) else _asking(setting, questions)
        new = tuple(question for question in questions if question.id not in asked)
        rounds.append(Round(at, tuple(running), new, sure))
        asked |= {question.id for question in new}
        found = [recorded(at, arm, ledger) for arm in running] if sure else []
        sure = sure and all(each and whole(each) for each in found)
        if sure:
            stops = stops_after(
                [each for each in found if each], questions, setting.study.objective, len(arms)
            )
            running = [arm for arm in running if arm.id not in stops]
    return rounds


def score_holdout(result: SweepResult, setting: Setting, results_of: Trying, ledger: Ledger) -> SweepResult:
    """Score the arms that may be the best on the holdout, which had no part in saying which those are."""
    tied = {standing.arm for standing in result.verdict().tied}
    arms = [arm.arm for arm in result.arms if arm.arm.id in tied]
    if not arms:
        return replace(result, holdout=Holdout(setting.questions))
    found = tuple(results_of(setting, arms))
    looks = note_look(ledger.storage, setting.questions, tied)
    return replace(result, holdout=Holdout(setting.questions, found, looks))


def recorded_holdout(result: SweepResult, setting: Setting, ledger: Ledger) -> SweepResult:
    """The same from what the ledger holds; runs nothing and counts as no look."""
    tied = {standing.arm for standing in result.verdict().tied}
    found = [recorded(setting, arm.arm, ledger) for arm in result.arms if arm.arm.id in tied]
    arms = tuple(arm for arm in found if arm is not None)
    return replace(
        result, holdout=Holdout(setting.questions, arms, looks_at(ledger.storage, setting.questions))
    )
