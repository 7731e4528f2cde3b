"""Runs the checks of an audit: those that ask no language model, and those that do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import numpy as np

from dream.golden.audit.ambiguous import Alternative, find_alternatives, finding_of
from dream.golden.audit.closed_book import Attempt, attempt_all, find_answered, judged_by
from dream.golden.audit.copied import find_copied
from dream.golden.audit.duplicates import find_duplicates
from dream.golden.audit.evidence import find_lost_evidence
from dream.golden.audit.finding import Finding
from dream.golden.audit.passages import cut_passages
from dream.golden.dataset import GoldenDataset
from dream.golden.shelf import Shelf
from dream.ledger import Ledger
from dream.metrics import Judge, find_metric, score_answer
from dream.models.chat import ChatModel, open_chat, provider_of
from dream.models.embedding import Embedder, embed_document, embed_texts, open_embedder
from dream.models.limits import Bounds
from dream.models.meter import added
from dream.records import Answer, Chunk, Corpus
from dream.study import Study


@dataclass(frozen=True)
class Looked:
    """What the checks found that ask no language model.

    Attributes:
        findings: of evidence, duplicate and copied.
        alternatives: passages that seem to answer a question too; a judge may confirm them.
    """

    findings: tuple[Finding, ...]
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class Asked:
    """What the checks found that ask language models.

    Attributes:
        attempts: each question as each model answered it without context.
        findings: of closed_book, and of ambiguous, confirmed by the judge.
        refused: alternatives that the judge did not confirm.
        calls: model calls made.
        dollars: what they cost.
    """

    attempts: tuple[Attempt, ...]
    findings: tuple[Finding, ...]
    refused: int
    calls: int
    dollars: float


def look(golden: GoldenDataset, corpus: Corpus, embedder: Embedder, ledger: Ledger) -> Looked:
    """Run the checks that need no language model; vectors are in the ledger.

    Args:
        golden: the questions, and the notes of their build.
        corpus: the documents.
        embedder: compares questions with one another and with passages.
        ledger: records the vectors.
    """
    questions = golden.questions
    documents = {document.id: document for document in corpus.documents}
    asked = embed_texts(ledger, embedder, [question.question for question in questions])
    cut = [passages for document in corpus.documents if (passages := cut_passages(document))]
    held = [embed_document(ledger, embedder, [passage.text for passage in passages]) for passages in cut]
    findings = [
        *find_lost_evidence(questions, golden.notes, Shelf(corpus.documents)),
        *find_duplicates(questions, asked),
        *find_copied(questions, documents),
    ]
    passages = [passage for part in cut for passage in part]
    alternatives = find_alternatives(questions, passages, asked, np.concatenate(held)) if held else []
    return Looked(tuple(findings), tuple(alternatives))


def told_unconfirmed(looked: Looked) -> tuple[Finding, ...]:
    """All findings, where no judge was asked."""
    return (*looked.findings, *(finding_of(found, confirmed=False) for found in looked.alternatives))


async def ask(
    study: Study,
    golden: GoldenDataset,
    looked: Looked,
    ledger: Ledger,
    bounds: Bounds,
    llms: Sequence[str],
    offline_url: str | None,
    tell: Callable[[int, int], None],
) -> Asked:
    """Run the checks that ask language models; every call goes through the ledger and the limits.

    Args:
        study: names the models and the objective.
        golden: the questions.
        looked: whose alternatives the judge is to confirm.
        ledger: records the answers.
        bounds: calls, rates and dollars that the study allows.
        llms: names of the models that are asked without context.
        offline_url: where the offline server listens, if one of the models is offline.
        tell: is called with attempts done and attempts in all.
    """
    models, name = study.models.llms, study.models.judge
    gates = {provider_of(models[llm]): bounds.gate(provider_of(models[llm])) for llm in (*llms, name)}

    def opened(llm: str) -> ChatModel:
        return open_chat(
            llm, models[llm], seed=study.seed, gate=gates[provider_of(models[llm])], offline_url=offline_url
        )

    chats = {llm: opened(llm) for llm in llms}
    judging = opened(name)
    comparing = open_embedder(study.judge_embedding, study.models.embeddings[study.judge_embedding], bounds)
    judge = Judge(judging, comparing, ledger)
    async with AsyncExitStack() as stack:
        for gate in gates.values():
            await stack.enter_async_context(gate)
        for chat in (*chats.values(), judging):
            await stack.enter_async_context(chat.client)
        objective = judged_by(study.objective)
        attempts = await attempt_all(golden.questions, chats, judge, ledger, objective, tell)
        verdicts = await asyncio.gather(*(_confirmed(found, judge) for found in looked.alternatives))
        confirmed = [found for found, yes in zip(looked.alternatives, verdicts, strict=True) if yes]
    meters = [*(chat.meter for chat in (*chats.values(), judging)), comparing.meter]
    used = added(meter.sums() for meter in meters)
    findings = [*find_answered(attempts), *(finding_of(found, confirmed=True) for found in confirmed)]
    refused = len(looked.alternatives) - len(confirmed)
    return Asked(tuple(attempts), tuple(findings), refused, int(used["model_calls"]), used["dollars"])


async def _confirmed(found: Alternative, judge: Judge) -> bool:
    """Whether the judge finds the passage useful for the reference answer: ragas' prompt for contexts.

    An alternative that it could not judge stays.
    """
    shown = Answer(found.question.reference, (Chunk("alternative", found.passage.text),))
    score = await score_answer(find_metric("context_precision"), found.question, shown, 1, judge)
    return score.value is None or score.value >= 0.5
