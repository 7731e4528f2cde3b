"""The same numbers, whatever the processor: what is added up in another order has other last digits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

PROCESSORS = ("Prescott", "Haswell", "SkylakeX")  # as OpenBLAS calls them; elsewhere it has no such choice

CHOSEN = """
import asyncio, json, sys, tempfile
import numpy as np
from dream.ledger import Ledger
from dream.metrics import Judge, find_metric, score_answer
from dream.models.embedding import open_embedder
from dream.records import Answer, Chunk, Question
from dream.retrieval.index import Index
from dream.storage import open_storage
from dream.study import HashingEmbedding

random = np.random.default_rng(7)
rows = random.normal(size=(400, 384)).astype(np.float32)
rows[200:] = rows[:200]  # each text is there twice
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
index = Index("i", tuple(Chunk(str(n), str(n)) for n in range(400)), {}, rows)
found = [
    [(chunk.id, chunk.score) for chunk in index.nearest(asked, 9)]
    for asked in random.normal(size=(40, 384)).astype(np.float32)
]

async def similarities():
    words = open_embedder("words", HashingEmbedding(provider="hashing", dimensions=384))
    judge = Judge(None, words, Ledger(open_storage(tempfile.mkdtemp())))
    metric = find_metric("answer_similarity")
    texts = [" ".join(f"word{n}" for n in random.integers(0, 90, 120)) for _ in range(80)]
    return [
        (await score_answer(metric, Question("q", "?", one), Answer(other), 5, judge)).value
        for one, other in zip(texts[:40], texts[40:])
    ]

print(json.dumps({"nearest": found, "similarities": asyncio.run(similarities())}))
"""


@pytest.fixture(scope="module")
def seen() -> list[dict[str, Any]]:
    told = []
    for processor in PROCESSORS:
        variables = {**os.environ, "OPENBLAS_CORETYPE": processor}
        ended = subprocess.run(
            [sys.executable, "-c", CHOSEN], env=variables, capture_output=True, text=True, timeout=300
        )
        if ended.returncode < 0:  # an instruction that this processor has not
            continue
        assert ended.returncode == 0, ended.stderr
        told.append(json.loads(ended.stdout))
    assert told
    return told


def test_the_nearest_chunks_and_their_scores(seen: list[dict[str, Any]]) -> None:
    assert all(each["nearest"] == seen[0]["nearest"] for each in seen)
    for found in seen[0]["nearest"]:
        places = [int(name) for name, _ in found]
        assert places[1] == places[0] + 200  # its equal, which stands behind it in the corpus


def test_scores_that_hold_a_cosine(seen: list[dict[str, Any]]) -> None:
    assert all(each["similarities"] == seen[0]["similarities"] for each in seen)
    assert np.std(seen[0]["similarities"]) > 0
