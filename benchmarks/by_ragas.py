"""`ragas.evaluate` as its documentation shows it: the other side of `judging` and `straightforward`.

ragas' telemetry is off in both, which alone makes it twenty times faster.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

os.environ["RAGAS_DO_NOT_TRACK"] = "true"

NAMES = {"semantic_similarity": "answer_similarity"}  # ragas' name to ours, where they differ


def evaluated(
    rows: Sequence[dict[str, Any]], url: str, dimensions: int, at_once: int | None = None
) -> list[dict[str, float]]:
    """The six scores of each row.

    Args:
        rows: with ``user_input``, ``response``, ``reference`` and ``retrieved_contexts``.
        url: of the offline server, which judges and embeds.
        dimensions: of the embedding.
        at_once: calls under way; ragas' own default if not given.
    """
    warnings.simplefilter("ignore")
    import openai
    from langchain_openai import OpenAIEmbeddings
    from ragas import EvaluationDataset, RunConfig, evaluate
    from ragas.embeddings import LangchainEmbeddingsWrapper
    from ragas.llms import llm_factory
    from ragas.metrics import (
        AnswerCorrectness,
        AnswerSimilarity,
        ContextPrecision,
        ContextRecall,
        Faithfulness,
        ResponseRelevancy,
    )

    llm = llm_factory("judge", client=openai.AsyncOpenAI(base_url=url, api_key="offline"), max_tokens=4096)
    embeddings = LangchainEmbeddingsWrapper(
        OpenAIEmbeddings(
            model=f"hashing-{dimensions}", base_url=url, api_key="offline", check_embedding_ctx_length=False
        )
    )
    metrics = [
        Faithfulness(), ResponseRelevancy(), ContextPrecision(), ContextRecall(), AnswerCorrectness(),
        AnswerSimilarity(),
    ]  # fmt: skip
    found = evaluate(
        EvaluationDataset.from_list(list(rows)), metrics=metrics, llm=llm, embeddings=embeddings,
        run_config=RunConfig(max_workers=at_once) if at_once else None, show_progress=False,
    )  # fmt: skip
    return [{NAMES.get(name, name): value for name, value in row.items()} for row in found.scores]
