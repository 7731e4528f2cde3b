"""The six ragas metrics, by ragas' own prompts and formulas, asked through our models.

Names and definitions: Es et al., *RAGAS: Automated Evaluation of Retrieval Augmented Generation*, 2023,
and the ragas 0.4 documentation. Only the client is ours: every judge call is in the ledger, equal
requests of different metrics and arms are asked once, calls of a metric that do not need each other's
answers are under way together, and nothing is sent to ragas' makers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from dream.errors import NoScore
from dream.metrics.metric import Judge, metric

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dream.models.recorded import Prompt, RecordedEmbedding, RecordedLLM

RagasMetric = TypeVar("RagasMetric")

# Of a score with a cosine in it. In what order a product of vectors is added up, and with it the last digits,
# depends on the processor: a study's numbers would differ from one machine to the next.
DECIMALS = 10


def _llm(judge: Judge) -> RecordedLLM:
    from dream.models.recorded import RecordedLLM

    return RecordedLLM(judge.chat, judge.ledger, "judge", judge.judging, judge.metric)


def _embedding(judge: Judge) -> RecordedEmbedding:
    from dream.models.recorded import RecordedEmbedding

    return RecordedEmbedding(judge.embedder, judge.ledger)


def _with_quick_prompts(metric: RagasMetric) -> RagasMetric:
    from ragas.prompt.metrics.base_prompt import BasePrompt

    for name, prompt in vars(metric).items():
        if isinstance(prompt, BasePrompt):
            setattr(metric, name, _quick(type(prompt)))
    return metric


@cache
def _quick(prompt: type[Any]) -> Prompt:
    from dream.models.recorded import Prompt

    return Prompt(prompt())


def _needs(**values: object) -> None:
    for name, value in values.items():
        if not value:
            raise NoScore(f"there is no {name} to judge", todo="see the row's answer and contexts")


def _reason(answers: Sequence[BaseModel]) -> str:
    """What the judge said, in its own words: verdicts and reasons of its last answers."""
    said: list[str] = []
    for answer in answers:
        for item in _items(answer):
            verdict = item.get("verdict", item.get("attributed"))
            mark = "" if verdict is None else "✓ " if verdict else "✗ "
            text = " — ".join(
                str(item[part]) for part in ("statement", "reason", "question") if item.get(part)
            )
            if text:
                said.append(f"{item.get('group', '')}{mark}{text}")
    return "\n".join(said)


def _items(answer: BaseModel) -> list[dict[str, Any]]:
    fields = answer.model_dump()
    items: list[dict[str, Any]] = []
    for name, value in fields.items():
        if isinstance(value, list):
            group = f"{name}: " if name in {"TP", "FP", "FN"} else ""
            items += [{**item, "group": group} for item in value if isinstance(item, dict)]
    return items or [fields]


@metric
async def faithfulness(
    question: str, answer: str, contexts: Sequence[str], judge: Judge
) -> tuple[float, str]:
    """Share of the answer's statements that the retrieved contexts support."""
    from ragas.metrics.collections import Faithfulness

    _needs(answer=answer, contexts=contexts)
    llm = _llm(judge)
    found = await _with_quick_prompts(Faithfulness(llm=llm)).ascore(
        user_input=question, response=answer, retrieved_contexts=list(contexts)
    )
    return found.value, _reason(llm.answers[1:])


@metric
async def answer_relevancy(question: str, answer: str, judge: Judge) -> tuple[float, str]:
    """Mean cosine between the question and three questions that the answer would answer; 0 if it evades."""
    from ragas.metrics.collections import AnswerRelevancy
    from ragas.metrics.collections.answer_relevancy.util import AnswerRelevanceInput, AnswerRelevanceOutput

    _needs(answer=answer)
    llm, embedding = _llm(judge), _embedding(judge)
    metric = _with_quick_prompts(AnswerRelevancy(llm=llm, embeddings=embedding))
    prompt = metric.prompt.to_string(AnswerRelevanceInput(response=answer))
    await asyncio.gather(
        llm.ask_early([prompt] * metric.strictness, AnswerRelevanceOutput), embedding.embed_early([question])
    )
    found = await metric.ascore(user_input=question, response=answer)
    return round(float(found.value), DECIMALS), _reason(llm.answers)


@metric
async def context_precision(
    question: str, reference: str, contexts: Sequence[str], judge: Judge
) -> tuple[float, str]:
    """Average precision of the ranked contexts, each judged useful for the reference answer or not."""
    from ragas.metrics.collections import ContextPrecision
    from ragas.metrics.collections.context_precision.util import ContextPrecisionInput, ContextPrecisionOutput

    _needs(reference=reference, contexts=contexts)
    llm = _llm(judge)
    metric = _with_quick_prompts(ContextPrecision(llm=llm))
    asked = [ContextPrecisionInput(question=question, context=each, answer=reference) for each in contexts]
    await llm.ask_early([metric.prompt.to_string(each) for each in asked], ContextPrecisionOutput)
    found = await metric.ascore(user_input=question, reference=reference, retrieved_contexts=list(contexts))
    return found.value, _reason(llm.answers)


@metric
async def context_recall(
    question: str, reference: str, contexts: Sequence[str], judge: Judge
) -> tuple[float, str]:
    """Share of the reference's statements that the contexts hold."""
    from ragas.metrics.collections import ContextRecall

    _needs(reference=reference, contexts=contexts)
    llm = _llm(judge)
    found = await _with_quick_prompts(ContextRecall(llm=llm)).ascore(
        user_input=question, reference=reference, retrieved_contexts=list(contexts)
    )
    return found.value, _reason(llm.answers)


@metric
async def answer_correctness(question: str, reference: str, answer: str, judge: Judge) -> tuple[float, str]:
    """0.75 × F1 of the statements shared with the reference + 0.25 × cosine of both texts."""
    from ragas.metrics.collections import AnswerCorrectness
    from ragas.metrics.collections.answer_correctness.util import (
        StatementGeneratorInput,
        StatementGeneratorOutput,
    )

    _needs(reference=reference, answer=answer)
    llm, embedding = _llm(judge), _embedding(judge)
    metric = _with_quick_prompts(AnswerCorrectness(llm=llm, embeddings=embedding))
    split = metric.statement_generator_prompt
    asked = [StatementGeneratorInput(question=question, answer=text) for text in (answer, reference)]
    await asyncio.gather(
        llm.ask_early([split.to_string(each) for each in asked], StatementGeneratorOutput),
        embedding.embed_early([answer, reference]),
    )
    found = await metric.ascore(user_input=question, response=answer, reference=reference)
    return round(float(found.value), DECIMALS), _reason(llm.answers[2:])


@metric
async def answer_similarity(reference: str, answer: str, judge: Judge) -> float:
    """Cosine between answer and reference."""
    from ragas.metrics.collections import SemanticSimilarity

    _needs(reference=reference, answer=answer)
    embedding = _embedding(judge)
    # ragas embeds here without awaiting; what is known by then comes without blocking the event loop.
    await embedding.embed_early([answer, reference])
    found = await SemanticSimilarity(embeddings=embedding).ascore(reference=reference, response=answer)
    return round(float(found.value), DECIMALS)
