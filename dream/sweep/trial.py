"""One arm over the golden dataset: retrieve, generate, judge, each question on its own.

A trial is a wait for models: all its questions are under way at once, as far as the
study's limits go. Whatever is finished is in the ledger, so a trial that is run again only
does what is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from dream.errors import DreamError, StorageError, told
from dream.ledger import Ledger
from dream.methods import Method
from dream.methods.prompt import answer_prompt
from dream.metrics import Judge, find_metric, load_judging, score_answer
from dream.models.chat import ChatModel, open_chat, provider_of
from dream.models.embedding import Embedder, Vectors, embed_document, embed_soon
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
            vectors = await embed_soon(self.ledger, self.embedder, [text])
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
    load_judging(setting.study.metrics)  # later it would count as seconds that answers took
    judge_embedding = setting.study.judge_embedding
    names = (arm.llm, setting.study.models.judge)
    providers = {name: provider_of(setting.study.models.llms[name]) for name in names}
    embedders = {name: setting.embedder(name) for name in {arm.embedding, judge_embedding}}
    addresses = {*providers.values(), *(each.provider for each in embedders.values() if each.provider)}
    gates = {address: bounds.gate(address) for address in addresses}
    chat, judging = (_chat(setting, name, gates[providers[name]]) for name in names)
    method = method_of(arm)
    index = open_index(ledger, setting.index_of(method, arm.embedding), setting.cache.expanduser())
    rows: dict[str, Row] = {}
    troubles = Counter(failures=0)
    # Enough questions under way that the gate is always full, few enough that answers come in order.
    places = asyncio.Semaphore(2 * bounds.rules.calls_at_once)
    probes, others = _probes(setting.questions)
    probed = asyncio.Event()  # one of them has an answer, or all have failed

    async def one(question: Question, search: IndexSearch, judge: Judge) -> None:
        async with places:
            row = await _row(setting, question, method, search, chat, judge, probed)
        rows[question.id] = row
        troubles["failures"] += bool(row.error) or any(score.missing for score in row.scores)
        if len(rows) == len(probes):
            probed.set()
        meters = (chat.meter, judging.meter, *(each.meter for each in embedders.values()))
        used = added(meter.sums() for meter in meters)
        tell({**ledger_counts(ledger), **used, **troubles, "questions": len(rows)})

    try:
        async with AsyncExitStack() as opened:
            for gate in gates.values():
                await opened.enter_async_context(gate)
            for model in (chat, judging):
                await opened.enter_async_context(model.client)
            ready = {
                name: await opened.enter_async_context(each.opened(gates.get(each.provider or "")))
                for name, each in embedders.items()
            }
            search = IndexSearch(index, ready[arm.embedding], ledger)
            await know(search, [question.question for question in setting.questions])
            judge = Judge(judging, ready[judge_embedding], ledger, setting.study.judgings)
            async with asyncio.TaskGroup() as tasks:
                for question in probes:
                    tasks.create_task(one(question, search, judge))
                await probed.wait()
                if len(rows) == len(probes) and all(row.error for row in rows.values()):
                    raise BrokenArm(rows[probes[0].id].error)
                for question in others:
                    tasks.create_task(one(question, search, judge))
    except* StorageError as unusable:
        raise unusable.exceptions[0] from None
    except* BrokenArm as broken:
        raise broken.exceptions[0] from None
    offline = setting.offline or isinstance(setting.study.models.llms[arm.llm], OfflineChat)
    counts = {stage: ledger.made[stage] + ledger.reused[stage] for stage in ("generate", "judge")}
    return ArmResult(arm, tuple(rows[question.id] for question in setting.questions), "", offline, counts)


async def know(search: IndexSearch, texts: Sequence[str]) -> None:
    """Bring the questions' vectors, a few records for all of them, into the embedder."""
    vectors = await asyncio.to_thread(embed_document, search.ledger, search.embedder, texts)
    search.embedder.known.update(zip(texts, vectors, strict=True))


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
    answered: asyncio.Event,
) -> Row:
    try:
        answer, reach = await answer_question(setting, question, method, search, chat)
        answered.set()
    except StorageError:
        raise  # what cannot be recorded must not be paid for
    except Exception as error:  # noqa: BLE001 - a user's method may raise anything; the row keeps the reason
        return _unanswered(setting, question, told(error))
    metrics = [find_metric(name) for name in setting.study.metrics]
    scores = await asyncio.gather(
        *(score_answer(metric, question, answer, setting.study.k, judge) for metric in metrics)
    )
    return Row(question.id, answer, tuple(scores), reach=reach)


def _unanswered(setting: Setting, question: Question, reason: str) -> Row:
    scores = tuple(Score(name, reason=f"no answer: {reason}") for name in setting.study.metrics)
    return Row(question.id, None, scores, reason)


async def answer_question(
    setting: Setting, question: Question, method: Method, search: IndexSearch, chat: ChatModel
) -> tuple[Answer, tuple[Reach, ...]]:
    """Retrieve, then generate; the answer is remembered, and so is what a user's own method retrieved.

    Gives how far the evidence came, too.
    """

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

    if method.quick:
        retrieved = await retrieve()
    else:
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
