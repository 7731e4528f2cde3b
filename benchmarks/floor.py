"""How near a cold run comes to the least time it could take.

    python -m benchmarks.floor [--quick] [--json]

The floor is calls × latency ÷ calls allowed at once, plus one embedding pass: every chunk of
every index, embedded once, on all processors. Both are counted by others: the calls by the server, the pass
by embedding the same texts without DREAM's ledger, Ray or indexes. Measured against it is all of `dream
run`: its start, Ray's, the indexes, 12 arms × 40 questions × 6 metrics, page and MLflow. A model call takes
0.8 s here, as with hosted models, so that the wait dominates although the server needs processors too.
Target: at most 1.3 times the floor.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.common import dream_run, finish, make_questions, outline, read_options, serving, write_study
from benchmarks.processes import cpu_seconds
from dream.models.embedding import open_embedder
from dream.storage import open_storage
from dream.study import HashingEmbedding, MiniLMEmbedding

TARGET = 1.3
LATENCY = 0.8
CALLS_AT_ONCE = 32

EMBEDDINGS = {"minilm": {"provider": "minilm"}, "hashing": {"provider": "hashing", "dimensions": 384}}


def embedding_pass(storage: Path) -> float:
    """Seconds to embed, on all processors, what the indexes of a finished run hold."""
    store, texts = open_storage(storage), list[str]()
    for found in store.list("index/"):
        if found.key.endswith("chunks.json"):
            chunks = json.loads(store.get(found.key))
            parents = {chunk["parent"] for chunk in chunks}
            leaves = [chunk for chunk in chunks if chunk["id"] not in parents]
            texts += [leaf["embedded_text"] or leaf["text"] for leaf in leaves]
    half = sorted(texts)[::2]  # each text is in the indexes of both embeddings
    minilm = open_embedder("minilm", MiniLMEmbedding(provider="minilm"))
    hashing = open_embedder("hashing", HashingEmbedding(provider="hashing"))
    for embedder in (minilm, hashing):
        embedder.embed(["warm"])
    groups = [half[start : start + 64] for start in range(0, len(half), 64)]
    started = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for embedder in (minilm, hashing):
            list(pool.map(embedder.embed, groups))
    return time.monotonic() - started


def main() -> int:
    """Run a cold study, work out its floor, print the ratio."""
    options = read_options(__doc__, quick="4 arms × 10 questions; mostly start-up")
    questions = make_questions(10 if options.quick else 40)
    search = {"method": ["chunks", "sentence_window"] if options.quick else
              ["chunks", "sentence_window", "auto_merging"]}  # fmt: skip
    embeddings = {"hashing": EMBEDDINGS["hashing"]} if options.quick else EMBEDDINGS
    with tempfile.TemporaryDirectory() as folder, serving(LATENCY) as server:
        study = write_study(
            Path(folder), server.url, questions=questions, llms=("extractive", "lead"), embeddings=embeddings,
            search=search, calls_at_once=CALLS_AT_ONCE,
        )  # fmt: skip
        run = dream_run(study, Path(folder) / "store")
        counts, theirs = server.calls(), cpu_seconds(server.pid)
        embedding = embedding_pass(Path(folder) / "store") if not options.quick else 0.0
    calls = counts["chat"] + counts["embeddings"]
    floor = calls * LATENCY / CALLS_AT_ONCE + embedding
    ratio = run.watch.seconds / floor
    found = {
        "seconds": run.watch.seconds, "floor_seconds": round(floor, 2), "calls": calls, "latency": LATENCY,
        "calls_at_once": CALLS_AT_ONCE, "embedding_pass_seconds": round(embedding, 2),
        "server_cpu_seconds": round(theirs, 1), "run": outline(run),
    }  # fmt: skip
    return finish(options, ratio, f"at most {TARGET} times the floor", ratio <= TARGET, found)


if __name__ == "__main__":
    sys.exit(main())
