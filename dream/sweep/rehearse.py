"""Rehearses a study: the generation of its questions, its indexes, and every arm on its questions."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from dream.errors import DreamError
from dream.golden import GoldenDataset
from dream.golden import build_golden as build
from dream.golden.generate import Progress, testset_inputs
from dream.golden.load import spread_evenly
from dream.golden.plan import plan_batches
from dream.ledger import Ledger
from dream.metrics import Judge, find_metric, score_answer
from dream.records import Corpus, Document, Question
from dream.retrieval.index import build_index, contents_of, index_is_whole, open_index
from dream.study import Study
from dream.sweep.arms import method_of
from dream.sweep.rehearsal import (
    Notes,
    Overlay,
    StandIn,
    recorded_dimensions,
    silent,
    stand_in_embedders,
    stand_ins,
)
from dream.sweep.result import Arm
from dream.sweep.setting import Setting
from dream.sweep.trial import IndexSearch, answer_question, know
from dream.waiting import wait_for

# More pairs of arm and question than these are rehearsed by a sample of the questions.
MOST_PAIRS = 480
# Of more tasks that generate questions, and of longer corpora without an index, a part stands for all.
MOST_TASKS = 3
MOST_LETTERS = 1_000_000
AT_ONCE = 8


@dataclass
class Embedding:
    """What embedding takes: texts, and requests and tokens of each embedding over HTTP."""

    texts: float = 0.0
    requests: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Round:
    """Arms that are asked the same questions: of a grid all of both, of a race a part, or the holdout's.

    Attributes:
        setting: the study with these and all earlier questions of its phase.
        arms: that take part, or of which some will.
        questions: those that no earlier round asked.
        sure: whether all of the arms take part; else the scores will tell which do, one at least.
    """

    setting: Setting
    arms: tuple[Arm, ...]
    questions: tuple[Question, ...]
    sure: bool = True

    @property
    def share(self) -> float:
        """Of the arms that take part, most likely: half of those of which it is not known yet."""
        return 1.0 if self.sure or len(self.arms) < 2 else 0.5

    @property
    def spread(self) -> tuple[float, float]:
        """Factors of that share, where one arm takes part and where all do."""
        return (1.0, 1.0) if self.share == 1.0 else (1 / len(self.arms) / self.share, 1 / self.share)


class Rehearsal:
    """A ledger in memory over the real one, the stand-ins, and what they noted.

    Attributes:
        ledger: reads what is recorded, keeps what a run would record.
        notes: the chat calls.
        embedding: what embedding takes.
        sampled: share of the questions that were rehearsed.
    """

    def __init__(self, study: Study, ledger: Ledger, progress: Progress | None = None) -> None:
        self.progress = progress
        self.study, self.notes, self.embedding, self.sampled = study, Notes(), Embedding(), 1.0
        self.ledger = Ledger(Overlay(ledger.storage))
        self.chats: dict[str, StandIn] = stand_ins(study, self.notes)
        self.embedders = stand_in_embedders(study, self.notes)
        self._before: dict[str, float] = {}

    def golden(self, corpus: Corpus) -> tuple[GoldenDataset, int]:
        """The golden dataset as it is built or was rehearsed, and how many questions it will have."""
        study, unseen = self.study, 0
        if (generate := study.golden.generate) is not None:
            batches, _ = plan_batches(corpus.documents, generate.questions, generate.documents_per_task)
            waiting = [one for one in batches if not self.ledger.holds("testset", testset_inputs(study, one))]
            rehearsed = spread_evenly(waiting, MOST_TASKS)
            self.notes.weight = len(waiting) / max(1, len(rehearsed))
            judge, embedder = self.chats[study.models.judge], self.embedders[study.judge_embedding]
            for batch in waiting:
                made = []
                if batch in rehearsed:
                    from dream.golden.ask import rehearse_asking  # brings ragas

                    try:
                        with silent():
                            made = rehearse_asking(study, batch, self.ledger, judge, embedder)
                    except Exception as error:  # noqa: BLE001 - ragas raises whatever an odd answer leads to
                        self.notes.untold["task of questions", _said(error)] += 1
                if not made:
                    unseen += batch.questions
                self.ledger.record("testset", testset_inputs(study, batch), made)
            self._note_embedding(self.notes.weight)
            self.notes.weight = 1.0
        golden = build(study, corpus, self.ledger, recorded_only=True)
        return golden, len(golden.questions) + unseen

    def arms(
        self, round_: Round, documents: Sequence[Document], questions: float, exact: bool, pairs: float = 1.0
    ) -> None:
        """The round's arms on its questions, or on as many as MOST_PAIRS allows, spread evenly.

        Args:
            round_: with the questions that are known.
            documents: the corpus.
            questions: how many there will be.
            exact: take all questions.
            pairs: share of MOST_PAIRS that is this round's.
        """
        setting, arms = round_.setting, round_.arms
        most = max(1, round(pairs * max(5, MOST_PAIRS // max(1, len(arms)))))
        chosen = spread_evenly(round_.questions, len(round_.questions) if exact else most)
        part, letters = _part(documents)
        sampled = len(chosen) / max(1.0, questions)
        self.sampled = min(self.sampled, sampled)
        self.notes.weight = round_.share / sampled if chosen else round_.share
        self.notes.spread = round_.spread
        with tempfile.TemporaryDirectory() as cache:
            setting = replace(setting, cache=Path(cache))
            self._learn_dimensions(setting, arms)
            for number, arm in enumerate(arms, start=1):
                with silent():
                    search = self._search(setting, part, letters, arm)
                    wait_for(self._arm(setting, arm, search, chosen))
                self._note_embedding(self.notes.weight)
                if self.progress:  # outside, or it would be silent too
                    self.progress(number, len(arms))

    def _learn_dimensions(self, setting: Setting, arms: Sequence[Arm]) -> None:
        """Read how long recorded vectors are, for a stand-in's are compared with them."""
        asked = [question.question for question in setting.questions]
        single = [*(question.reference for question in setting.questions), *asked]
        for name, embedder in self.embedders.items():
            if name not in self.notes.dimensions:
                found = recorded_dimensions(self.ledger, embedder, [asked], single)
                if found is not None:
                    self.notes.dimensions[name] = found
        for arm in arms:
            inputs = setting.index_of(method_of(arm), arm.embedding)
            if arm.embedding not in self.notes.dimensions and index_is_whole(self.ledger, inputs):
                index = open_index(self.ledger, inputs, setting.cache)
                self.notes.dimensions[arm.embedding] = index.vectors.shape[1]

    def _search(self, setting: Setting, part: list[Document], share: float, arm: Arm) -> IndexSearch:
        method, embedder = method_of(arm), self.embedders[arm.embedding]
        inputs = setting.index_of(method, arm.embedding)
        if not index_is_whole(self.ledger, inputs):
            if share < 1:
                setting = replace(setting, documents=contents_of(part))
                inputs = setting.index_of(method, arm.embedding)
            self._note_embedding(self.notes.weight)
            build_index(self.ledger, part, method.splitter(), method.split, embedder)
            self._note_embedding(1 / share)
        return IndexSearch(open_index(self.ledger, inputs, setting.cache), embedder, self.ledger)

    async def _arm(
        self, setting: Setting, arm: Arm, search: IndexSearch, questions: Sequence[Question]
    ) -> None:
        study, method = setting.study, method_of(arm)
        metrics = [found for found in map(find_metric, study.metrics) if "judge" in found.needs]
        places = asyncio.Semaphore(AT_ONCE)
        async with AsyncExitStack() as opened:
            ready = {
                name: await opened.enter_async_context(self.embedders[name].opened(None))
                for name in {arm.embedding, study.judge_embedding}
            }
            search = replace(search, embedder=ready[arm.embedding])
            await know(search, [question.question for question in setting.questions])
            self._note_embedding(1.0)
            judge = Judge(
                self.chats[study.models.judge], ready[study.judge_embedding], self.ledger, study.judgings
            )

            async def one(question: Question) -> None:
                async with places:
                    try:
                        chat = self.chats[arm.llm]
                        answer, _ = await answer_question(setting, question, method, search, chat)
                    except Exception as error:  # noqa: BLE001 - a method of any author; the plan tells it
                        self.notes.untold["answer", _said(error)] += 1
                        return
                    asked = (score_answer(each, question, answer, study.k, judge) for each in metrics)
                    for score in await asyncio.gather(*asked):
                        if score.missing:
                            self.notes.untold[f"score of {score.metric}", score.reason] += 1

            await asyncio.gather(*map(one, questions))

    def _note_embedding(self, weight: float) -> None:
        """Add what was embedded since the last time."""
        now: dict[str, float] = {"": self.ledger.made["embed"]}
        now |= {f"requests {name}": one.embedding_requests for name, one in self.notes.meters.items()}
        now |= {f"tokens {name}": one.embedding_tokens for name, one in self.notes.meters.items()}
        grown = {name: (number - self._before.get(name, 0)) * weight for name, number in now.items()}
        self._before = now
        self.embedding.texts += grown.pop("")
        for name, number in grown.items():
            what, _, model = name.partition(" ")
            sums = self.embedding.requests if what == "requests" else self.embedding.tokens
            sums[model] = sums.get(model, 0.0) + number


def _said(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return said if isinstance(error, DreamError) else f"{type(error).__name__}: {said}"


def _part(documents: Sequence[Document]) -> tuple[list[Document], float]:
    """The documents that stand for all, and their share of the letters."""
    letters = sum(len(document.text) for document in documents)
    if letters <= MOST_LETTERS:
        return list(documents), 1.0
    kept = spread_evenly(documents, max(1, int(len(documents) * MOST_LETTERS / letters)))
    return list(kept), sum(len(document.text) for document in kept) / letters


def rehearse(
    study: Study,
    ledger: Ledger,
    corpus: Corpus,
    golden: GoldenDataset | None,
    progress: Progress | None = None,
) -> tuple[Rehearsal, GoldenDataset, int]:
    """Begin a rehearsal with the golden dataset: as given, as built, or rehearsed itself."""
    rehearsal = Rehearsal(study, ledger, progress)
    if golden is not None:
        return rehearsal, golden, len(golden.questions)
    found, questions = rehearsal.golden(corpus)
    return rehearsal, found, questions
