"""ragas itself against the server: its six metrics, in three modes, and its TestsetGenerator."""

import asyncio
import os
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # before ragas is imported, below

pytestmark = pytest.mark.servers

QUESTION = "How many tokens does a chunk hold by default?"
CONTEXTS = [
    "A chunk holds 512 tokens by default. Neighbouring chunks overlap by 64 tokens.",
    "Ray Tune runs one trial for each arm of the search space.",
]
REFERENCE = "A chunk holds 512 tokens by default."
RIGHT = "By default a chunk holds 512 tokens."
WRONG = "Ray Tune runs one trial for each arm of the search space."
NOTHING = "The documents do not say."


def embeddings_of(url: str) -> Any:
    from ragas.embeddings import BaseRagasEmbedding

    class Both(BaseRagasEmbedding):
        """Sync and async: ragas' own client starts a second event loop for its sync calls."""

        def __init__(self) -> None:
            super().__init__()
            self.sync = OpenAI(base_url=url, api_key="offline")
            self.open = AsyncOpenAI(base_url=url, api_key="offline")

        def embed_text(self, text: str, **_: Any) -> list[float]:
            return self.sync.embeddings.create(input=text, model="hashing-384").data[0].embedding

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return (await self.open.embeddings.create(input=text, model="hashing-384")).data[0].embedding

        async def aembed_texts(self, texts: list[str], **_: Any) -> list[list[float]]:
            made = await self.open.embeddings.create(input=texts, model="hashing-384")
            return [one.embedding for one in made.data]

    return Both()


def scores_of(url: str, response: str) -> dict[str, float]:
    async def score() -> dict[str, float]:
        from ragas.llms import llm_factory
        from ragas.metrics.collections import (
            AnswerCorrectness,
            AnswerRelevancy,
            ContextPrecision,
            ContextRecall,
            Faithfulness,
            SemanticSimilarity,
        )

        llm = llm_factory("judge", client=AsyncOpenAI(base_url=url, api_key="offline"), max_tokens=4096)
        embeddings = embeddings_of(url)
        about = {"user_input": QUESTION, "response": response}
        contexts = {"retrieved_contexts": CONTEXTS}
        expected = {"user_input": QUESTION, "reference": REFERENCE}
        asked = {
            "faithfulness": Faithfulness(llm=llm).ascore(**about, **contexts),
            "answer_relevancy": AnswerRelevancy(llm=llm, embeddings=embeddings).ascore(**about),
            "context_precision": ContextPrecision(llm=llm).ascore(**expected, **contexts),
            "context_recall": ContextRecall(llm=llm).ascore(
                user_input=QUESTION, reference=REFERENCE, **contexts
            ),
            "answer_correctness": AnswerCorrectness(llm=llm, embeddings=embeddings).ascore(
                **about, reference=REFERENCE
            ),
            "answer_similarity": SemanticSimilarity(embeddings=embeddings).ascore(
                reference=REFERENCE, response=response
            ),
        }
        return {name: float((await call).value) for name, call in asked.items()}

    return asyncio.run(score())


def test_the_six_metrics_tell_right_from_wrong_from_silent(offline_server):
    right, wrong, nothing = (scores_of(offline_server.url, answer) for answer in (RIGHT, WRONG, NOTHING))
    assert right["faithfulness"] == wrong["faithfulness"] == 1.0  # both stand in the contexts
    assert nothing["faithfulness"] == 0.0
    assert right["context_precision"] == pytest.approx(1.0) and right["context_recall"] == 1.0
    assert right["answer_correctness"] > 0.9 > 0.3 > wrong["answer_correctness"]
    assert right["answer_relevancy"] > wrong["answer_relevancy"] and nothing["answer_relevancy"] == 0.0
    assert right["answer_similarity"] > wrong["answer_similarity"]
    assert scores_of(offline_server.url, RIGHT) == right


@pytest.mark.parametrize("mode", ["JSON", "MD_JSON", "JSON_SCHEMA"])
def test_instructor_modes(offline_server, mode):
    async def score() -> float:
        import instructor
        from ragas.llms.base import InstructorLLM
        from ragas.metrics.collections import Faithfulness

        client = AsyncOpenAI(base_url=offline_server.url, api_key="offline")
        patched = instructor.from_openai(client, mode=instructor.Mode[mode])
        llm = InstructorLLM(client=patched, model="judge", provider="openai")
        scored = await Faithfulness(llm=llm).ascore(
            user_input=QUESTION, response=RIGHT, retrieved_contexts=CONTEXTS
        )
        return float(scored.value)

    assert asyncio.run(score()) == 1.0


def test_the_older_wire_form_gets_the_same_verdicts(offline_server):
    from ragas.llms import llm_factory
    from ragas.metrics._context_precision import QAC, ContextPrecisionPrompt
    from ragas.metrics._context_recall import QCA, ContextRecallClassificationPrompt
    from ragas.metrics._faithfulness import NLIStatementInput, NLIStatementPrompt

    async def judge() -> list[int]:
        llm = llm_factory("judge", client=AsyncOpenAI(base_url=offline_server.url, api_key="offline"))
        context = "\n".join(CONTEXTS)
        stated = await NLIStatementPrompt().generate(
            llm, NLIStatementInput(context=context, statements=[RIGHT])
        )
        useful = await ContextPrecisionPrompt().generate(
            llm, QAC(question=QUESTION, context=CONTEXTS[1], answer=REFERENCE)
        )
        recalled = await ContextRecallClassificationPrompt().generate(
            llm, QCA(question=QUESTION, context=context, answer=REFERENCE)
        )
        return [stated.statements[0].verdict, useful.verdict, recalled.classifications[0].attributed]

    assert asyncio.run(judge()) == [1, 0, 1]


DOCUMENTS = [
    """Chunks and overlap

Retrieval begins with chunks. A chunk is a piece of a document that is embedded and found as one.
The default chunk size of DREAM is 512 tokens, and neighbouring chunks overlap by 64 tokens, so that
a sentence cut at a border is whole in one of them. Small chunks find facts and lose what stands
around them. Large chunks keep what stands around a fact, but their embeddings blur. Sentence
windows embed single sentences and show the language model 3 sentences on each side. Auto-merging
retrieval embeds leaves of 128 tokens and replaces them by their parent when half of its leaves were
found. Ray builds the index of each chunk size once, and MinIO keeps it for all trials.
""",
    """How Ray runs a sweep

Ray Tune runs one trial for each arm of the search space. A trial retrieves, generates and judges,
which is waiting for models most of the time, so all trials run at once on 2 cores. The limiter is a
Ray actor that hands out leases in batches of 64 requests. When a provider answers with status 429,
the limiter halves its rate and waits as long as the header Retry-After says. A trial that fails
leaves its reason behind, and the others go on. The driver can be killed at any moment: the ledger
in MinIO holds every answer that arrived, and the next run asks only for the rest.
""",
    """Where MinIO keeps the artefacts

MinIO is an object store that speaks the protocol of S3. DREAM keeps each artefact under the SHA-256
hash of what went into it, so that an artefact is written once and read by every trial that needs
it. Writes are atomic: an object is whole or it is not there. Reads check the hash, and a damaged
object is reported with its key. The Ray workers read indexes through a memory map, so that 12
trials on one node share a single copy in the page cache. Backups of MinIO run every night and are
kept for 30 days.
""",
]


def test_the_testset_generator_makes_questions(offline_server):
    import random

    import numpy as np
    import tiktoken
    from langchain_core.documents import Document
    from ragas.llms import llm_factory
    from ragas.run_config import RunConfig
    from ragas.testset import TestsetGenerator

    from dream.models.offline.tokens import encoding

    encoding()  # points tiktoken at the copy of its files that needs no network
    assert tiktoken.get_encoding("o200k_base")
    random.seed(1)
    np.random.seed(1)
    llm = llm_factory("judge", client=OpenAI(base_url=offline_server.url, api_key="offline"), max_tokens=4096)
    generator = TestsetGenerator(llm=llm, embedding_model=legacy_embeddings(offline_server.url))
    documents = [Document(page_content=text) for text in DOCUMENTS]
    made = generator.generate_with_langchain_docs(
        documents, testset_size=6, run_config=RunConfig(max_workers=2)
    )
    rows = made.to_pandas()
    assert len(rows) >= 4
    assert rows["user_input"].str.endswith("?").all()
    written = " ".join(" ".join(DOCUMENTS).split())
    for reference in rows["reference"]:
        assert all(part.strip(". ") in written for part in reference.split(". "))
    assert offline_server.calls()["by_kind"]["golden"] > 10


def legacy_embeddings(url: str) -> Any:
    """The TestsetGenerator asks for LangChain's names."""
    client = OpenAI(base_url=url, api_key="offline")

    from ragas.embeddings import BaseRagasEmbeddings
    from ragas.run_config import RunConfig

    class Embeddings(BaseRagasEmbeddings):
        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [one.embedding for one in client.embeddings.create(input=texts, model="hashing-384").data]

        async def aembed_query(self, text: str) -> list[float]:
            return self.embed_query(text)

        async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
            return self.embed_documents(texts)

    made = Embeddings()
    made.set_run_config(RunConfig())
    return made
