"""The six ragas metrics, by ragas' own prompts and formulas, asked through our models.

Names and definitions: Es et al., *RAGAS: Automated Evaluation of Retrieval Augmented Generation*, 2023,
and the ragas 0.4 documentation. Only the client is ours: every judge call is in the ledger, equal
requests of different metrics and arms are asked once, and nothing is sent to ragas' makers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dream.errors import NoScore
from dream.metrics.metric import Judge, metric

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dream.models.recorded import RecordedEmbedding, RecordedLLM


def _llm(judge: Judge) -> RecordedLLM:
    from dream.models.recorded import RecordedLLM

    return RecordedLLM(judge.chat, judge.ledger, "judge", judge.judging, judge.metric)


def _embedding(judge: Judge) -> RecordedEmbedding:
    from dream.models.recorded import RecordedEmbedding

    return RecordedEmbedding(judge.embedder, judge.ledger)


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
    found = await Faithfulness(llm=llm).ascore(
        user_input=question, response=answer, retrieved_contexts=list(contexts)
    )
    return found.value, _reason(llm.answers[1:])


@metric
async def answer_relevancy(question: str, answer: str, judge: Judge) -> tuple[float, str]:
    """Mean cosine between the question and three questions that the answer would answer; 0 if it evades."""
    from ragas.metrics.collections import AnswerRelevancy

    _needs(answer=answer)
    llm = _llm(judge)
    found = await AnswerRelevancy(llm=llm, embeddings=_embedding(judge)).ascore(
        user_input=question, response=answer
    )
    return found.value, _reason(llm.answers)


@metric
async def context_precision(
    question: str, reference: str, contexts: Sequence[str], judge: Judge
) -> tuple[float, str]:
    """Average precision of the ranked contexts, each judged useful for the reference answer or not."""
    from ragas.metrics.collections import ContextPrecision

    _needs(reference=reference, contexts=contexts)
    llm = _llm(judge)
    found = await ContextPrecision(llm=llm).ascore(
        user_input=question, reference=reference, retrieved_contexts=list(contexts)
    )
    return found.value, _reason(llm.answers)


@metric
async def context_recall(
    question: str, reference: str, contexts: Sequence[str], judge: Judge
) -> tuple[float, str]:
    """Share of the reference's statements that the contexts hold."""
    from ragas.metrics.collections import ContextRecall

    _needs(reference=reference, contexts=contexts)
    llm = _llm(judge)
    found = await ContextRecall(llm=llm).ascore(
        user_input=question, reference=reference, retrieved_contexts=list(contexts)
    )
    return found.value, _reason(llm.answers)


@metric
async def answer_correctness(question: str, reference: str, answer: str, judge: Judge) -> tuple[float, str]:
    """0.75 × F1 of the statements shared with the reference + 0.25 × cosine of both texts."""
    from ragas.metrics.collections import AnswerCorrectness

    _needs(reference=reference, answer=answer)
    llm = _llm(judge)
    found = await AnswerCorrectness(llm=llm, embeddings=_embedding(judge)).ascore(
        user_input=question, response=answer, reference=reference
    )
    return found.value, _reason(llm.answers[2:])


@metric
async def answer_similarity(reference: str, answer: str, judge: Judge) -> float:
    """Cosine between answer and reference."""
    from ragas.metrics.collections import SemanticSimilarity

    _needs(reference=reference, answer=answer)
    embedding = _embedding(judge)
    # ragas embeds here without awaiting; what is known by then comes without blocking the event loop.
    await embedding.aembed_texts([answer, reference])
    found = await SemanticSimilarity(embeddings=embedding).ascore(reference=reference, response=answer)
    return float(found.value)
