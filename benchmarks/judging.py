"""Judging 1,000 rows by six metrics: `ragas.evaluate` against ours, same answers, same judge, equal scores.

    python -m benchmarks.judging [--quick] [--json]

Both judge through the offline server, which takes a fixed time for each call, with as many calls under way
as the other. ragas' telemetry is off, which alone makes it twenty times faster. The ledger is cold.
Target: ours is at least 3 times faster.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from typing import Any

from benchmarks.by_ragas import evaluated
from benchmarks.common import SIX, finish, read_options, serving
from dream.ledger import Ledger
from dream.metrics import Judge, find_metric, score_answer
from dream.models.capacity import Rules
from dream.models.chat import open_chat
from dream.models.embedding import open_embedder
from dream.models.limits import Gate
from dream.records import Answer, Chunk, Question
from dream.storage import open_storage
from dream.study import HashingEmbedding, OpenAIChat

TARGET = 3.0
LATENCY = 0.2
AT_ONCE = 32
DIMENSIONS = 384

WORDS = [
    "ray",
    "trial",
    "ledger",
    "chunk",
    "index",
    "judge",
    "score",
    "arm",
    "study",
    "golden",
    "span",
    "token",
    "price",
    "limit",
    "cluster",
    "node",
]


def make_rows(number: int) -> list[dict[str, Any]]:
    """Rows that all differ, so that neither side may answer one from another."""
    chance = random.Random(0)

    def sentence() -> str:
        first, second, third = (chance.choice(WORDS) for _ in range(3))
        return f"The {first} of {second} {chance.randrange(10**6)} holds {third}s."

    rows = []
    for _ in range(number):
        facts = [sentence() for _ in range(4)]
        rows.append(
            {
                "user_input": f"What about {facts[0].split()[1]} {facts[0].split()[4]}?",
                "response": f"{facts[0]} {sentence()}",
                "reference": f"{facts[0]} {facts[1]}",
                "retrieved_contexts": [f"{facts[0]} {sentence()}", f"{facts[2]} {facts[3]}"],
            }
        )
    return rows


def judged_by_ragas(rows: list[dict[str, Any]], url: str) -> tuple[float, list[dict[str, float]]]:
    """Seconds, and the scores, of `ragas.evaluate`."""
    import ragas.metrics  # noqa: F401 - its import is not judging

    started = time.monotonic()
    scores = evaluated(rows, url, DIMENSIONS, AT_ONCE)
    return time.monotonic() - started, scores


def judged_by_us(rows: list[dict[str, Any]], url: str) -> tuple[float, list[dict[str, float]]]:
    """Seconds, and the scores, of DREAM's metrics with a cold ledger."""

    async def judge_all(ledger: Ledger) -> list[dict[str, float]]:
        model = OpenAIChat(provider="openai", model="judge", base_url=url, api_key=None)
        async with Gate(Rules(calls_at_once=AT_ONCE)) as gate:
            chat = open_chat("judge", model, seed=0, gate=gate, offline_url=None)
            embedder = open_embedder("hashing", HashingEmbedding(provider="hashing", dimensions=DIMENSIONS))
            judge = Judge(chat, embedder, ledger)

            async def one(row: dict[str, Any]) -> dict[str, float]:
                question = Question("q", row["user_input"], row["reference"])
                contexts = tuple(Chunk(str(n), text) for n, text in enumerate(row["retrieved_contexts"]))
                answer = Answer(row["response"], contexts)
                scores = await asyncio.gather(
                    *(score_answer(find_metric(name), question, answer, 4, judge) for name in SIX)
                )
                return {
                    score.metric: score.value if score.value is not None else float("nan") for score in scores
                }

            async with chat.client:
                return list(await asyncio.gather(*map(one, rows)))

    with tempfile.TemporaryDirectory() as folder:
        find_metric("faithfulness")
        started = time.monotonic()
        scores = asyncio.run(judge_all(Ledger(open_storage(folder))))
        return time.monotonic() - started, scores


def main() -> int:
    """Judge with both, compare, print."""
    options = read_options(__doc__, quick="20 rows instead of 1,000")
    rows = make_rows(20 if options.quick else 1000)
    with serving(LATENCY) as server:
        theirs, their_scores = judged_by_ragas(rows, server.url)
        before = server.calls()["chat"]
        ours, our_scores = judged_by_us(rows, server.url)
        calls = {"ragas": before, "ours": server.calls()["chat"] - before}
    apart = {
        name: max(
            abs(a.get(name, float("nan")) - b[name]) for a, b in zip(their_scores, our_scores, strict=True)
        )
        for name in SIX
    }
    ratio = theirs / ours
    found = {
        "rows": len(rows), "ragas_seconds": round(theirs, 1), "our_seconds": round(ours, 1), "calls": calls,
        "latency": LATENCY, "calls_at_once": AT_ONCE, "largest_difference": apart,
    }  # fmt: skip
    met = ratio >= TARGET and max(apart.values()) < 1e-9
    return finish(options, ratio, f"at least {TARGET:g} times faster, equal scores", met, found)


if __name__ == "__main__":
    sys.exit(main())
