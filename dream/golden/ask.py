"""Runs ragas' TestsetGenerator over a few documents, in this process.

Import this module only where ragas is used: ragas takes seconds to import.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel
from ragas.run_config import RunConfig
from ragas.testset import TestsetGenerator
from ragas.testset.persona import generate_personas_from_kg

from dream.errors import DreamError, StorageError
from dream.golden.graph import build_graph, owners
from dream.golden.narrow import narrow
from dream.golden.plan import Batch
from dream.golden.synthesizers import synthesizers_for
from dream.ledger import Ledger
from dream.models.chat import ChatModel, open_chat, provider_of
from dream.models.embedding import Embedder, open_embedder
from dream.models.limits import Bounds
from dream.models.recorded import RecordedEmbedding, RecordedLLM
from dream.records import digest_of
from dream.study import Study

Form = TypeVar("Form", bound=BaseModel)

PERSONAS = 3


class IncompleteError(DreamError):
    """Some questions of a task failed; those that were made are kept, but not taken for the whole.

    Attributes:
        made: the questions, as ``ask_about`` gives them.
    """

    def __init__(self, what: str, where: str = "", todo: str = "", made: Any = ()) -> None:
        super().__init__(what, where, todo)
        self.made = made


class LoopedLLM(RecordedLLM):
    """A recorded model whose calls all run in one event loop of their own.

    ragas' generator opens an event loop for each of its steps, and an HTTP client dies with the loop that
    it was first used in.
    """

    is_async = True

    def __init__(self, *arguments: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(*arguments)
        self._loop = loop
        self.failures: list[Exception] = []

    async def agenerate(self, prompt: str, response_model: type[Form]) -> Form:
        """Ask, from whatever event loop; see RecordedLLM."""
        call = asyncio.run_coroutine_threadsafe(super().agenerate(prompt, response_model), self._loop)
        try:
            return await asyncio.wrap_future(call)
        except Exception as error:
            self.failures.append(error)
            raise


class AwaitedEmbedding(RecordedEmbedding):
    """A recorded embedding that tells ragas to await it."""

    is_async = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.failures: list[Exception] = []

    def embed_texts(self, texts: Sequence[str], **more: Any) -> list[list[float]]:
        """Vectors of the texts; see RecordedEmbedding."""
        try:
            return super().embed_texts(texts, **more)
        except Exception as error:
            self.failures.append(error)
            raise


def ask_about(
    study: Study,
    batch: Batch,
    ledger: Ledger,
    offline_url: str | None,
    bounds: Bounds,
    used: list[dict[str, float]],
) -> list[dict[str, Any]]:
    """Questions about the batch's documents.

    Args:
        study: names the judge, which makes the questions, its embedding, and the seed.
        batch: documents, and how many questions.
        ledger: records every answer and vector.
        offline_url: where the offline server listens, if the judge is offline.
        bounds: calls, rates and dollars that the study allows.
        used: gets the meters' sums, whatever happens.

    Returns:
        For each question: question, reference, kind, and evidence as [document, text] pairs.

    Raises:
        DreamError: there is nothing to ask about, or the model failed.
        IncompleteError: some questions failed.
        StorageError: an answer could not be recorded.
    """
    name = study.models.judge
    model = study.models.llms[name]
    embedder = open_embedder(study.judge_embedding, study.models.embeddings[study.judge_embedding], bounds)
    seed = _seed(study, batch)
    with _loop() as loop:
        gate = bounds.gate(provider_of(model))
        _in(loop, gate.__aenter__())
        chat = open_chat(name, model, seed=study.seed, gate=gate, offline_url=offline_url)
        llm = LoopedLLM(chat, ledger, "golden", loop=loop)
        embedding = AwaitedEmbedding(embedder, ledger)
        try:
            calls_at_once = bounds.rules.calls_at_once
            with _ended_by_storage(llm.failures, embedding.failures):
                return _ask(batch, llm, embedding, seed, calls_at_once)
        finally:
            used += [chat.meter.sums(), embedder.meter.sums()]
            _in(loop, gate.__aexit__())
            _in(loop, chat.client.close())


def rehearse_asking(
    study: Study, batch: Batch, ledger: Ledger, chat: ChatModel, embedder: Embedder
) -> list[dict[str, Any]]:
    """What ``ask_about`` would give with a model and an embedding that ask nobody."""
    with _loop() as loop:
        llm = LoopedLLM(chat, ledger, "golden", loop=loop)
        try:
            return _ask(batch, llm, AwaitedEmbedding(embedder, ledger), _seed(study, batch), 4)
        except IncompleteError as incomplete:
            return list(incomplete.made)


def _ask(
    batch: Batch, llm: LoopedLLM, embedding: AwaitedEmbedding, seed: int, calls_at_once: int
) -> list[dict[str, Any]]:
    graph = build_graph(batch.documents, batch.questions, llm, embedding, calls_at_once)
    owner = owners(graph)
    _seed_chance(seed)
    models: dict[str, Any] = {"llm": llm, "embedding_model": embedding}  # of types that ragas does not name
    personas = generate_personas_from_kg(graph, models["llm"], num_personas=PERSONAS)
    config = RunConfig(max_workers=calls_at_once)
    made: list[dict[str, Any]] = []
    failed: list[str] = []
    for synthesizer, number in synthesizers_for(graph, batch.questions, llm, seed):
        # one kind at a time, for while one is planned the others would use up chance in any order
        _seed_chance(seed)
        generator = TestsetGenerator(**models, knowledge_graph=graph, persona_list=list(personas))
        try:
            executor: Any = generator.generate(
                number,
                query_distribution=[(synthesizer, 1.0)],
                num_personas=PERSONAS,
                run_config=config,
                return_executor=True,
            )
        except Exception as error:  # noqa: BLE001 - ragas raises whatever an odd answer leads it to
            failed.append(f"{number} {synthesizer.name} questions: {_said(error)}")
            continue
        executor.raise_exceptions = False  # one question that fails must not cost the others
        for sample in executor.results():
            if isinstance(sample, float):
                reason = str(llm.failures[-1]) if llm.failures else "ragas gave no reason"
                failed.append(f"a {synthesizer.name} question: {reason}")
            elif question := _question(sample, synthesizer.name, owner):
                made.append(question)
    if failed:
        first = failed[0] + (f", and {len(failed) - 1} more" if len(failed) > 1 else "")
        raise IncompleteError(f"not all questions could be made ({first})", made=made)
    return made


def _question(sample: Any, kind: str, owner: dict[str, str]) -> dict[str, Any] | None:
    contexts = [_without_hop(context) for context in sample.reference_contexts or ()]
    asked, answer = str(sample.user_input or "").strip(), str(sample.reference or "").strip()
    if not (contexts and asked and answer):
        return None
    evidence = [[owner.get(context), piece] for context in contexts for piece in narrow(context, answer)]
    return {"question": asked, "reference": answer, "kind": kind.split()[0], "evidence": evidence}


def _without_hop(context: str) -> str:
    """A context without the mark that ragas puts before those of a multi-hop question."""
    head, separator, rest = context.partition("-hop>\n\n")
    return rest if separator and head.startswith("<") and head[1:].isdigit() else context


@contextmanager
def _ended_by_storage(*failures: list[Exception]) -> Iterator[None]:
    """Raise what the storage raised within the block: ragas makes gaps or other errors of it."""
    try:
        yield
    finally:
        for failure in chain(*failures):
            if isinstance(failure, StorageError):
                raise failure from None


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _seed(study: Study, batch: Batch) -> int:
    named = digest_of([study.seed, [document.id for document in batch.documents]])
    return int(named[:8], 16)


def _seed_chance(seed: int) -> None:
    """Ragas draws from the global generators of both modules."""
    random.seed(seed)
    np.random.seed(seed)


def _in(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> None:
    asyncio.run_coroutine_threadsafe(work, loop).result(30)


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="model calls", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
