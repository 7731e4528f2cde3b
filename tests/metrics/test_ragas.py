"""The six ragas metrics through our models give ragas' own numbers, and every call is recorded."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dream.ledger import Ledger
from dream.metrics import Judge, find_metric, score_answer
from dream.models.capacity import Rules
from dream.models.chat import ChatModel, open_chat
from dream.models.embedding import open_embedder
from dream.models.limits import Gate
from dream.models.offline import Faults, RunningServer, ServerOptions, start
from dream.records import Answer, Chunk, Question, Score
from dream.storage import open_storage
from dream.study import HashingEmbedding, OfflineChat

os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # before ragas is imported, below

pytestmark = pytest.mark.servers

SIX = [
    "faithfulness", "answer_relevancy", "context_precision", "context_recall", "answer_correctness",
    "answer_similarity",
]  # fmt: skip
WITH_A_COSINE = ("answer_relevancy", "answer_correctness", "answer_similarity")

CHUNKS = "A chunk holds 512 tokens by default. Neighbouring chunks overlap by 64 tokens."
TUNE = "Ray Tune runs one trial for each arm of the search space. Trials wait for models most of the time."
STORE = "MinIO speaks the protocol of S3. Writes are atomic, and reads check the hash."

# question, reference, answer, contexts
ROWS = [
    (
        "How many tokens does a chunk hold?",
        "A chunk holds 512 tokens.",
        "It holds 512 tokens.",
        [CHUNKS, TUNE],
    ),
    (
        "How many tokens does a chunk hold?",
        "A chunk holds 512 tokens.",
        "It holds 256 tokens.",
        [TUNE, CHUNKS],
    ),
    (
        "What does Ray Tune run?",
        "It runs one trial for each arm.",
        "MinIO speaks S3. It runs trials.",
        [TUNE],
    ),
    ("What does Ray Tune run?", "It runs one trial for each arm.", "The documents do not say.", [STORE]),
    (
        "Are writes atomic, and how large is the overlap?",
        "Writes are atomic. Chunks overlap by 64 tokens.",
        "Writes are atomic, and neighbouring chunks overlap by 64 tokens.",
        [STORE, TUNE, CHUNKS],
    ),
    ('Who wrote Zoë’s "song"?', "Nobody knows.", "Zoë wrote {it} herself.\nIn 1999.", [STORE, CHUNKS]),
]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with start() as running:
        yield running


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(open_storage(tmp_path / "ledger"))


def judged_by(url: str) -> ChatModel:
    model = OfflineChat(provider="offline")
    gate = Gate(Rules(calls_at_once=8))
    return open_chat("judge", model, seed=0, gate=gate, offline_url=url)


def ours(url: str, ledger: Ledger, rows: list[Any] = ROWS) -> list[dict[str, Score]]:
    async def score() -> list[dict[str, Score]]:
        words = open_embedder("words", HashingEmbedding(provider="hashing", dimensions=384))
        judge = Judge(judged_by(url), words, ledger)
        tables = []
        for question, reference, answer, contexts in rows:
            asked = Question("q", question, reference)
            chunks = tuple(Chunk(str(place), text) for place, text in enumerate(contexts))
            scores = await asyncio.gather(
                *(score_answer(find_metric(name), asked, Answer(answer, chunks), 5, judge) for name in SIX)
            )
            tables.append({score.metric: score for score in scores})
        await judge.chat.client.close()
        return tables

    return asyncio.run(score())


def ragas_own(url: str) -> list[dict[str, float]]:
    """The same by ragas' documented way: its own client, instructor and all."""
    from openai import AsyncOpenAI
    from ragas.embeddings.base import BaseRagasEmbedding
    from ragas.llms import llm_factory
    from ragas.metrics.collections import (
        AnswerCorrectness,
        AnswerRelevancy,
        ContextPrecision,
        ContextRecall,
        Faithfulness,
        SemanticSimilarity,
    )

    embed = open_embedder("words", HashingEmbedding(provider="hashing", dimensions=384)).embed

    class Words(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return embed([text])[0].tolist()

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_text(text)

    async def score() -> list[dict[str, float]]:
        client = AsyncOpenAI(base_url=url, api_key="offline")
        llm = llm_factory("extractive", client=client, max_tokens=4096)
        words, tables = Words(), []
        for question, reference, answer, contexts in ROWS:
            asked = {"user_input": question}
            said = {**asked, "response": answer}
            judged = {**asked, "reference": reference, "retrieved_contexts": contexts}
            made = {
                "faithfulness": Faithfulness(llm=llm).ascore(**said, retrieved_contexts=contexts),
                "answer_relevancy": AnswerRelevancy(llm=llm, embeddings=words).ascore(**said),
                "context_precision": ContextPrecision(llm=llm).ascore(**judged),
                "context_recall": ContextRecall(llm=llm).ascore(**judged),
                "answer_correctness": AnswerCorrectness(llm=llm, embeddings=words).ascore(
                    **said, reference=reference
                ),
                "answer_similarity": SemanticSimilarity(embeddings=words).ascore(
                    reference=reference, response=answer
                ),
            }
            tables.append({name: float((await call).value) for name, call in made.items()})
        await client.close()
        return tables

    return asyncio.run(score())


def test_our_scores_are_ragas_own(server, ledger):
    found, expected = ours(server.url, ledger), ragas_own(server.url)
    for row, theirs in zip(found, expected, strict=True):
        values = {name: score.value for name, score in row.items()}
        assert values == pytest.approx(theirs, abs=1e-9)
        for name in WITH_A_COSINE:  # whose further digits are those of the processor
            assert values[name] == round(values[name], 10)
    # the rows are chosen such that every metric tells them apart
    for name in SIX:
        assert len({round(row[name], 6) for row in expected}) > 1, name


def test_prompts_that_are_put_together_once_are_ragas_own(server):
    """Whatever stands in the data, also what looks like a part of the prompt."""
    from ragas.metrics.collections.answer_correctness import util as correctness
    from ragas.metrics.collections.answer_relevancy import util as relevancy
    from ragas.metrics.collections.context_precision import util as precision
    from ragas.metrics.collections.context_recall import util as recall
    from ragas.metrics.collections.faithfulness import util as faithful

    from dream.models.recorded import Prompt

    kinds = [
        correctness.StatementGeneratorPrompt, correctness.CorrectnessClassifierPrompt,
        relevancy.AnswerRelevancePrompt, precision.ContextPrecisionPrompt, recall.ContextRecallPrompt,
        faithful.NLIStatementPrompt,
    ]  # fmt: skip
    for kind in kinds:
        quick = Prompt(kind())
        first, _ = kind.examples[0]
        for text in ("x", "input: {}\nOutput: ", "{}", 'Zoë’s "song"\n\n', ""):
            given = {name: [text] if isinstance(value, list) else text for name, value in vars(first).items()}
            data = type(first)(**given)
            assert quick.to_string(data) == kind().to_string(data), (kind, text)


def test_calls_of_a_metric_that_do_not_need_each_other_are_under_way_together(ledger):
    with start(ServerOptions(faults=Faults(latency=1.0))) as slow:

        async def score() -> Score:
            words = open_embedder("words", HashingEmbedding(provider="hashing", dimensions=384))
            judge = Judge(judged_by(slow.url), words, ledger)
            chunks = tuple(Chunk(str(number), f"{TUNE} {number}") for number in range(6))
            asked = Question("q", "What does Ray Tune run?", "It runs one trial for each arm.")
            async with judge.chat.client:
                await score_answer(find_metric("answer_similarity"), asked, Answer("a"), 5, judge)  # imports
                started = time.monotonic()
                found = await score_answer(
                    find_metric("context_precision"), asked, Answer("a", chunks), 5, judge
                )
            assert time.monotonic() - started < 4  # one after the other they take six seconds
            return found

        assert asyncio.run(score()).value is not None
        assert slow.calls()["chat"] == 6


def test_every_judge_call_is_recorded(server, ledger):
    first = ours(server.url, ledger)
    calls, recorded = server.calls(), ledger.made["judge"]
    assert recorded > 30 and ledger.made["embed"] > 10
    again = Ledger(open_storage(ledger.storage.url))
    assert ours(server.url, again) == first
    assert server.calls() == calls
    assert not again.made and again.reused["judge"] >= recorded


def test_answers_that_must_be_independent_are_requests_of_their_own(ledger):
    """answer_relevancy asks the same three times; equal requests of two scores are asked once."""
    with start() as server:
        judge = Judge(judged_by(server.url), open_embedder("w", HashingEmbedding(provider="hashing")), ledger)
        relevancy, (text, reference, answer, _) = find_metric("answer_relevancy"), ROWS[0]

        async def score(times: int) -> list[Score]:
            given = (Question("q", text, reference), Answer(answer), 5, judge)
            return list(await asyncio.gather(*(score_answer(relevancy, *given) for _ in range(times))))

        first, second = asyncio.run(score(2))
        assert first == second and first.value is not None
        assert server.calls()["chat"] == 3 == ledger.made["judge"] and server.calls()["repeats"] == 0
        assert ledger.reused["judge"] == 3


def test_each_judging_asks_anew_and_is_recorded(server, ledger):
    judge = Judge(judged_by(server.url), open_embedder("w", HashingEmbedding(provider="hashing")), ledger, 2)
    question, reference, answer, _ = ROWS[0]

    async def score() -> Score:
        given = (Question("q", question, reference), Answer(answer), 5, judge)
        return await score_answer(find_metric("answer_relevancy"), *given)

    found = asyncio.run(score())
    assert ledger.made["judge"] == 6 and len(found.judgings) == 2
    assert found.value == pytest.approx(sum(found.judgings) / 2) and found.reason.count("\n2. ") == 1


def test_a_judges_reasons_stand_beside_its_scores(server, ledger):
    right, wrong, *_ = ours(server.url, ledger, ROWS[:2])
    assert right["faithfulness"].value == 1.0 and "✓ " in right["faithfulness"].reason
    assert "✗ " in wrong["faithfulness"].reason and "256" in wrong["faithfulness"].reason
    assert right["context_precision"].reason.count("\n") == 1  # a verdict for each of both contexts
    assert "TP: " in right["answer_correctness"].reason
    assert "FP: " in wrong["answer_correctness"].reason


def test_what_cannot_be_judged_is_missing_with_its_reason(server, ledger):
    before = server.calls()
    (row,) = ours(server.url, ledger, [("What?", "", "", [])])
    assert all(score.missing and score.reason.startswith("there is no ") for score in row.values())
    assert server.calls() == before


def test_a_judge_that_breaks_off_is_asked_again(server, ledger, tmp_path):
    with start(ServerOptions(faults=Faults(truncated=0.15))) as breaking:
        found = ours(breaking.url, Ledger(open_storage(tmp_path / "other")))
        counts = breaking.calls()
    assert counts["errors"]["truncated"] > 0 == counts["repeats"]
    for row, expected in zip(found, ours(server.url, ledger), strict=True):
        assert {name: score.value for name, score in row.items()} == pytest.approx(
            {name: score.value for name, score in expected.items()}
        )
    assert ours("http://127.0.0.1:1/v1", Ledger(open_storage(tmp_path / "other"))) == found  # all whole


def test_a_judge_that_is_gone_leaves_scores_missing(ledger):
    async def score() -> Score:
        judge = judged_by("http://127.0.0.1:1/v1")
        judge.client.max_retries = 0
        asked = Question("q", "What?", "That.")
        given = Judge(judge, open_embedder("words", HashingEmbedding(provider="hashing")), ledger)
        return await score_answer(
            find_metric("context_recall"), asked, Answer("", (Chunk("1", "x"),)), 5, given
        )

    found = asyncio.run(score())
    assert found.missing and found.reason.startswith("judge: the server cannot be reached")
    assert not ledger.made
