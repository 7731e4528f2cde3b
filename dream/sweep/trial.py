"""One arm over the golden dataset: retrieve, generate, judge, each question on its own.

A trial is a wait for models: all its questions are under way at once, as far as the
study's limits go. Whatever is finished is in the ledger, so a trial that is run again only
does what is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from dream.errors import DreamError, StorageError
from dream.ledger import Ledger
from dream.methods import Method
from dream.methods.prompt import answer_prompt
from dream.metrics import Judge, find_metric, score_answer
from dream.models.chat import ChatModel, open_chat, provider_of
from dream.models.embedding import Embedder, Vectors, embed_texts
from dream.models.limits import Bounds, Gate
from dream.models.meter import added
from dream.records import Answer, Chunk, Question, Reach, Score, from_json, to_json
from dream.retrieval.index import Index, open_index
from dream.retrieval.reach import reach_of
from dream.study import OfflineChat
from dream.sweep.arms import method_of
from dream.sweep.progress import ledger_counts
from dream.sweep.result import Arm, ArmResult, Row
from dream.sweep.setting import Setting

# An arm in which questions from all over the golden dataset fail is broken; the rest would only cost time.
PROBES = 5

Telling = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True)
class IndexSearch:
    """A method's way into an index: texts are embedded once, then compared with every chunk."""

    index: Index
    embedder: Embedder
    ledger: Ledger
    known: dict[str, Vectors] = field(default_factory=dict)

    async def nearest(self, text: str, k: int) -> list[Chunk]:
        """The ``k`` chunks whose vectors are nearest to the text's, best first."""
        return self.index.nearest(await self._embedded(text), k)

    async def reach(self, question: Question) -> tuple[Reach, ...]:
        """How far each piece of the question's evidence comes in the index."""
        if not question.evidence:
            return ()
        vector = await self._embedded(question.question)
        return await asyncio.to_thread(reach_of, self.index, vector, question.evidence)

    async def _embedded(self, text: str) -> Vectors:
        if text not in self.known:
            vectors = await asyncio.to_thread(embed_texts, self.ledger, self.embedder, [text])
            self.known[text] = vectors[0]
        return self.known[text]


class BrokenArm(DreamError):
    """Nothing of an arm works; holds the reason of its first failure."""


async def run_arm(setting: Setting, arm: Arm, ledger: Ledger, bounds: Bounds, tell: Telling) -> ArmResult:
    """Answer and score every question with one arm.

    Args:
        setting: the study and its golden dataset.
        arm: what to try.
        ledger: open in this process.
        bounds: calls, rates and dollars that the study allows.
        tell: is called with the sums so far whenever a question is done.

    Raises:
        BrokenArm: questions from all over the golden dataset failed.
        StorageError: the ledger cannot be written any more.
    """
    names = (arm.llm, setting.study.models.judge)
    providers = {name: provider_of(setting.study.models.llms[name]) for name in names}
    gates = {provider: bounds.gate(provider) for provider in providers.values()}
    chat, judging = (_chat(setting, name, gates[providers[name]]) for name in names)
    comparing, embedder = (setting.embedder(each) for each in (setting.study.judge_embedding, arm.embedding))
    judge = Judge(judging, comparing, ledger, setting.study.judgings)
    method = method_of(arm)
    index = open_index(ledger, setting.index_of(method, arm.embedding), setting.cache)
    search = IndexSearch(index, embedder, ledger)
    rows: dict[str, Row] = {}
    # Enough questions under way that the gate is always full, few enough that answers come in order.
    places = asyncio.Semaphore(2 * bounds.rules.calls_at_once)

    async def one(question: Question) -> None:
        async with places:
            row = await _row(setting, question, method, search, chat, judge)
        rows[question.id] = row
        used = added(model.meter.sums() for model in (chat, judging, comparing, embedder))
        tell({**ledger_counts(ledger), **used, "questions": len(rows)})

    try:
        async with AsyncExitStack() as opened:
            for gate in gates.values():
                await opened.enter_async_context(gate)
            for model in (chat, judging):
                await opened.enter_async_context(model.client)
            probes, others = _probes(setting.questions)
            await _all(one, probes)
            if all(row.error for row in rows.values()):
                raise BrokenArm(rows[probes[0].id].error)
            await _all(one, others)
    except* StorageError as unusable:
        raise unusable.exceptions[0] from None
    offline = setting.offline or isinstance(setting.study.models.llms[arm.llm], OfflineChat)
    counts = {stage: ledger.made[stage] + ledger.reused[stage] for stage in ("generate", "judge")}
    return ArmResult(arm, tuple(rows[question.id] for question in setting.questions), "", offline, counts)


async def _all(one: Callable[[Question], Coroutine[Any, Any, None]], questions: Sequence[Question]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for question in questions:
            tasks.create_task(one(question))


def _probes(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """A few questions from all over the golden dataset, and the others."""
    step = max(1, len(questions) // PROBES)
    probes = list(questions[::step][:PROBES])
    chosen = {question.id for question in probes}
    return probes, [question for question in questions if question.id not in chosen]


async def _row(
    setting: Setting,
    question: Question,
    method: Method,
    search: IndexSearch,
    chat: ChatModel,
    judge: Judge,
) -> Row:
    try:
        answer, reach = await _answer(setting, question, method, search, chat)
    except StorageError:
        raise  # what cannot be recorded must not be paid for
    except Exception as error:  # noqa: BLE001 - a user's method may raise anything; the row keeps the reason
        reason = str(error) if isinstance(error, DreamError) else f"{type(error).__name__}: {error}"
        return _unanswered(setting, question, reason)
    metrics = [find_metric(name) for name in setting.study.metrics]
    scores = await asyncio.gather(
        *(score_answer(metric, question, answer, setting.study.k, judge) for metric in metrics)
    )
    return Row(question.id, answer, tuple(scores), reach=reach)


def _unanswered(setting: Setting, question: Question, reason: str) -> Row:
    scores = tuple(Score(name, reason=f"no answer: {reason}") for name in setting.study.metrics)
    return Row(question.id, None, scores, reason)


async def _answer(
    setting: Setting, question: Question, method: Method, search: IndexSearch, chat: ChatModel
) -> tuple[Answer, tuple[Reach, ...]]:
    """Retrieve, then generate; both are remembered. Gives how far the evidence came, too."""

    async def retrieve() -> Any:
        started = time.perf_counter()
        found = await method.retrieve(question.question, search)
        seconds = time.perf_counter() - started
        reach = await search.reach(question)
        return {
            "chunks": [to_json(chunk) for chunk in found],
            "reach": [to_json(each) for each in reach],
            "seconds": seconds,
        }

    inputs = {
        "index": search.index.id,
        "method": method.identity(),
        "question": question.question,
        "evidence": [to_json(span) for span in question.evidence],
    }
    retrieved = await search.ledger.remember_call("retrieve", inputs, retrieve)
    chunks = tuple(from_json(Chunk, chunk) for chunk in retrieved["chunks"])
    messages = answer_prompt(question.question, [chunk.text for chunk in chunks])
    reply = await chat.ask_once(search.ledger, "generate", messages)
    answer = Answer(
        text=reply.text,
        contexts=chunks,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        dollars=reply.dollars(chat.prices),
        # as measured among all that was under way at the time; what a user waits for alone is less
        seconds=retrieved["seconds"] + reply.seconds,
    )
    return answer, tuple(from_json(Reach, each) for each in retrieved["reach"])


def _chat(setting: Setting, name: str, gate: Gate) -> ChatModel:
    model = setting.study.models.llms[name]
    return open_chat(name, model, seed=setting.study.seed, gate=gate, offline_url=setting.offline_url)
