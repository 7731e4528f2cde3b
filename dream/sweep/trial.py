"""One arm over the golden dataset: retrieve, generate, judge, each question on its own.

A trial is a wait for models: all its questions are under way at once, as far as its share of
``limits.calls_at_once`` goes. Whatever is finished is in the ledger, so a trial that is run again only
does what is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dream.errors import DreamError
from dream.ledger import Ledger
from dream.methods import Method
from dream.methods.prompt import answer_prompt
from dream.metrics import Judge, find_metric, score_answer
from dream.models.chat import ChatModel, chat_identity, open_chat
from dream.models.embedding import Embedder, embed_texts
from dream.records import Answer, Chunk, Question, Score, from_json, to_json
from dream.retrieval.index import Index, open_index
from dream.study import OfflineChat
from dream.sweep.arms import method_of
from dream.sweep.progress import ledger_counts
from dream.sweep.result import Arm, ArmResult, Row
from dream.sweep.setting import Setting

# An arm whose first answers all fail is broken, not unlucky; the rest would only cost time.
FAILURES_THAT_END_AN_ARM = 5

Telling = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True)
class IndexSearch:
    """A method's way into an index: texts are embedded once, then compared with every chunk."""

    index: Index
    embedder: Embedder
    ledger: Ledger

    async def nearest(self, text: str, k: int) -> list[Chunk]:
        """The ``k`` chunks whose vectors are nearest to the text's, best first."""
        vectors = await asyncio.to_thread(embed_texts, self.ledger, self.embedder, [text])
        return self.index.nearest(vectors[0], k)


class BrokenArm(DreamError):
    """Nothing of an arm works; holds the reason of its first failure."""


async def run_arm(setting: Setting, arm: Arm, ledger: Ledger, calls_at_once: int, tell: Telling) -> ArmResult:
    """Answer and score every question with one arm.

    Args:
        setting: the study and its golden dataset.
        arm: what to try.
        ledger: open in this process.
        calls_at_once: model calls that this arm may have under way.
        tell: is called with the sums so far whenever a question is done.

    Raises:
        BrokenArm: the first answers all failed.
    """
    gate = asyncio.Semaphore(calls_at_once)
    chat = _chat(setting, arm.llm, gate)
    judging = _chat(setting, setting.study.models.judge, gate)
    judge = Judge(judging, setting.embedder(setting.study.judge_embedding), ledger)
    method = method_of(arm)
    index = open_index(ledger, setting.index_of(method, arm.embedding), setting.cache)
    search = IndexSearch(index, setting.embedder(arm.embedding), ledger)
    answered = _Answered()
    rows: dict[str, Row] = {}
    # Enough questions under way that the gate is always full, few enough that answers come in order.
    places = asyncio.Semaphore(2 * calls_at_once)

    async def one(question: Question) -> None:
        async with places:
            row = await _row(setting, question, method, search, chat, judge, answered)
        rows[question.id] = row
        tell(_totals(ledger, (chat, judging), len(rows)))

    try:
        async with asyncio.TaskGroup() as tasks:
            for question in setting.questions:
                tasks.create_task(one(question))
    except* BrokenArm as broken:
        raise broken.exceptions[0] from None
    finally:
        await chat.client.close()
        await judging.client.close()
    offline = setting.offline or isinstance(setting.study.models.llms[arm.llm], OfflineChat)
    counts = {stage: ledger.made[stage] + ledger.reused[stage] for stage in ("generate", "judge")}
    return ArmResult(arm, tuple(rows[question.id] for question in setting.questions), "", offline, counts)


def _totals(ledger: Ledger, chats: tuple[ChatModel, ...], questions: int) -> dict[str, float]:
    calls = {"model_calls": sum(chat.calls for chat in chats), "dollars": sum(chat.spent for chat in chats)}
    return {**ledger_counts(ledger), **calls, "questions": questions}


@dataclass
class _Answered:
    """How the arm's answers went so far."""

    well: int = 0
    badly: int = 0


async def _row(
    setting: Setting,
    question: Question,
    method: Method,
    search: IndexSearch,
    chat: ChatModel,
    judge: Judge,
    answered: _Answered,
) -> Row:
    try:
        answer = await _answer(setting, question, method, search, chat)
        answered.well += 1
    except Exception as error:  # noqa: BLE001 - a user's method may raise anything; the row keeps the reason
        reason = str(error) if isinstance(error, DreamError) else f"{type(error).__name__}: {error}"
        answered.badly += 1
        if not answered.well and answered.badly >= min(FAILURES_THAT_END_AN_ARM, len(setting.questions)):
            raise BrokenArm(reason) from None
        failed = tuple(Score(name, reason=f"no answer: {reason}") for name in setting.study.metrics)
        return Row(question.id, None, failed, reason)
    metrics = [find_metric(name) for name in setting.study.metrics]
    scores = await asyncio.gather(
        *(score_answer(metric, question, answer, setting.study.k, judge) for metric in metrics)
    )
    return Row(question.id, answer, tuple(scores))


async def _answer(
    setting: Setting, question: Question, method: Method, search: IndexSearch, chat: ChatModel
) -> Answer:
    """Retrieve, then generate; both are remembered."""

    async def retrieve() -> Any:
        started = time.perf_counter()
        found = await method.retrieve(question.question, search)
        return {"chunks": [to_json(chunk) for chunk in found], "seconds": time.perf_counter() - started}

    inputs = {"index": search.index.id, "method": method.identity(), "question": question.question}
    retrieved = await search.ledger.remember_call("retrieve", inputs, retrieve)
    chunks = tuple(from_json(Chunk, chunk) for chunk in retrieved["chunks"])
    messages = answer_prompt(question.question, [chunk.text for chunk in chunks])
    reply = await chat.ask_once(search.ledger, "generate", messages)
    return Answer(
        text=reply.text,
        contexts=chunks,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        dollars=reply.dollars(chat.prices),
        seconds=retrieved["seconds"] + reply.seconds,
    )


def _chat(setting: Setting, name: str, gate: asyncio.Semaphore) -> ChatModel:
    model = setting.study.models.llms[name]
    identity = chat_identity(model)
    return open_chat(
        name, model, seed=setting.study.seed, gate=gate, offline_url=setting.offline_url, identity=identity
    )
