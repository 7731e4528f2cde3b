"""Does our MiniLM retrieve as it should? All 10,570 questions of SQuAD dev, passages of 100 words.

    python -m benchmarks.squad_retrieval [--quick] [--json]

The knowledge base is that of the reference measurement: each paragraph cut at 100 words, 3,525 passages,
text only. Everything goes through the product's own parts: reading, splitting, embedding, the index,
the search, and the metrics from character spans. A figure is right within 1.5 points of the reference.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from benchmarks.squad import DEV, article_document, read_articles
from dream.golden.load import load_questions
from dream.golden.locate import locate
from dream.golden.shelf import Shelf
from dream.ledger import Ledger
from dream.methods import Method, Search
from dream.metrics.retrieval import mrr, recall_at_k
from dream.models.embedding import embed_document, embed_texts, open_embedder
from dream.records import Chunk, Document, Span
from dream.retrieval.index import build_index, contents_of, index_inputs, open_index
from dream.storage import open_storage
from dream.study import MiniLMEmbedding, QuestionFile

WORDS = 100

# MiniLM, text only, SQuAD dev: measured with torch and FAISS, see the README of the benchmarks.
REFERENCE = {"R@1": 55.5, "R@5": 81.6, "R@20": 92.9, "MRR@10": 66.7}
POINTS = 1.5


class Passages(Method):
    """Each paragraph cut at 100 words, as in the reference measurement."""

    def split(self, document: Document) -> list[Chunk]:
        """The passages, each with its span."""
        chunks, position = [], 0
        for paragraph in document.text.split("\n\n"):
            start = document.text.index(paragraph, position)
            position = start + len(paragraph)
            ends = [place for place, letter in enumerate(paragraph) if letter == " "] + [len(paragraph)]
            cuts = [0, *ends[WORDS - 1 :: WORDS], len(paragraph)]
            for low, high in pairwise(cuts):
                text = paragraph[low:high].strip()
                if text:
                    first = start + paragraph.index(text, low)
                    span = Span(document.id, first, first + len(text))
                    chunks.append(Chunk(f"{document.id}#{len(chunks)}", text, span))
        return chunks

    async def retrieve(self, question: str, search: Search) -> Sequence[Chunk]:
        """The twenty nearest passages."""
        return await search.nearest(question, 20)


def measure(articles: int | None, questions: int | None) -> dict[str, object]:
    """Retrieve for every question, and take the means over them."""
    documents = [article_document(article) for article in read_articles()[:articles]]
    shelf = Shelf(documents)
    asked = []
    for raw in load_questions(QuestionFile(path=str(DEV)), str(DEV)):
        spans, misses = locate(raw.pieces, shelf)
        if spans and not misses:
            asked.append((raw.question, spans))
    asked = asked[:questions]
    method = Passages()
    embedder = open_embedder("minilm", MiniLMEmbedding(provider="minilm"))
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(open_storage(folder))
        started = time.monotonic()

        def embed(document: Document) -> None:
            embed_document(ledger, embedder, [chunk.text for chunk in method.split(document)])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(embed, documents))
        build_index(ledger, documents, method.splitter(), method.split, embedder)
        indexed = time.monotonic()
        inputs = index_inputs(contents_of(documents), method.splitter(), embedder.identity)
        index = open_index(ledger, inputs, Path(folder) / "cache")
        vectors = embed_texts(ledger, embedder, [question for question, _ in asked])
        embedded = time.monotonic()
        found = [index.nearest(vector, 20) for vector in vectors]
        searched = time.monotonic()
    sums = dict.fromkeys(REFERENCE, 0.0)
    for (_, spans), chunks in zip(asked, found, strict=True):
        for name in ("R@1", "R@5", "R@20"):
            sums[name] += recall_at_k(chunks, spans, int(name[2:]))
        sums["MRR@10"] += mrr(chunks, spans, 10)
    figures = {name: round(100 * total / len(asked), 2) for name, total in sums.items()}
    return {
        "questions": len(asked),
        "passages": len(index.leaves),
        "figures": figures,
        "reference": REFERENCE,
        "seconds": {
            "index": round(indexed - started, 1),
            "questions": round(embedded - indexed, 1),
            "search": round(searched - embedded, 1),
        },
    }


def main() -> int:
    """Measure, print, and fail where a figure of the whole set is off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 articles, 500 questions; no comparison")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not DEV.is_file():
        print(f"{DEV} is not here; it is read from the shared data folder beside the checkout")
        return 2
    result = measure(*((4, 500) if options.quick else (None, None)))
    figures = result["figures"]
    assert isinstance(figures, dict)
    off = {name: round(figures[name] - wanted, 2) for name, wanted in REFERENCE.items()}
    result["off_by_points"] = None if options.quick else off
    well = options.quick or all(abs(points) <= POINTS for points in off.values())
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{result['questions']} questions, {result['passages']} passages, seconds {result['seconds']}")
        for name, figure in figures.items():
            beside = "" if options.quick else f"   reference {REFERENCE[name]:.1f}   off by {off[name]:+.1f}"
            print(f"{name:<7} {figure:5.1f}{beside}")
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
