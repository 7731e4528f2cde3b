"""Does the golden audit find faults that are there, and leave alone what is sound?

    python -m benchmarks.golden_audit [--quick] [--json]

Faults of each kind are planted in the quickstart (by hand) and in 500 questions of SQuAD dev (by rule), then
the audit's checks are run. Recall is the share of the planted faults that are found. Precision counts every
flagged question that was not planted as an error, though some are real faults, so it is a lower bound.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.golden_faults import Planted, plant_by_hand, plant_by_rule
from benchmarks.squad import DEV, article_document, read_articles
from dream.corpus import read_corpus
from dream.golden.audit.closed_book import find_answered
from dream.golden.audit.examine import ask, look, told_unconfirmed
from dream.golden.dataset import GoldenDataset, digest_questions
from dream.golden.load import load_questions
from dream.golden.locate import locate
from dream.golden.raw import RawQuestion
from dream.golden.shelf import Shelf
from dream.ledger import Ledger
from dream.models.capacity import Rules
from dream.models.embedding import open_embedder
from dream.models.limits import Bounds
from dream.models.offline import start
from dream.records import Corpus, Question
from dream.storage import open_storage
from dream.study import MiniLMEmbedding, QuestionFile, Study

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart"

STUDY = {
    "name": "audit",
    "corpus": ".",
    "golden": "questions.jsonl",
    "models": {
        "llms": {"offline": {"provider": "offline", "style": "extractive"}},
        "embeddings": {"minilm": {"provider": "minilm"}},
        "judge": "offline",
    },
    "search": {"method": ["chunks"], "llm": ["offline"], "embedding": ["minilm"]},
}


def measure(planted: Planted) -> dict[str, Any]:
    """Precision and recall of each check on a dataset with planted faults."""
    golden = build(planted)
    embedder = open_embedder("minilm", MiniLMEmbedding(provider="minilm"))
    study = Study.model_validate(STUDY)
    with tempfile.TemporaryDirectory() as folder, start() as server:
        ledger = Ledger(open_storage(folder))
        looked = look(golden, Corpus(planted.documents), embedder, ledger)
        bounds = Bounds(Rules(calls_at_once=32))
        asked = asyncio.run(
            ask(study, golden, looked, ledger, bounds, ("offline",), server.url, lambda *_: None)
        )
    found: dict[str, set[str]] = {check: set() for check in planted.faults}
    for finding in (*told_unconfirmed(looked), *find_answered(asked.attempts)):
        found[finding.check].add(finding.question)
    confirmed = {finding.question for finding in asked.findings if finding.check == "ambiguous"}
    made = {check: figures(found[check], planted.faults[check]) for check in planted.faults}
    made["ambiguous, confirmed"] = figures(confirmed, planted.faults["ambiguous"])
    return {"questions": len(golden.questions), "checks": made}


def figures(found: set[str], faults: frozenset[str]) -> dict[str, Any]:
    """Precision and recall, and what they are made of."""
    right = len(found & faults)
    return {
        "planted": len(faults),
        "found": right,
        "others": sorted(found - faults),
        "recall": round(right / len(faults), 3),
        "precision": round(right / len(found), 3) if found else None,
    }


def build(planted: Planted) -> GoldenDataset:
    """The golden dataset, without the removal of duplicates that building one does."""
    shelf = Shelf(planted.documents)
    questions, notes = [], []
    for raw in planted.questions:
        spans, misses = locate(raw.pieces, shelf)
        notes += [f"{raw.id}: {miss}." for miss in misses]
        texts = tuple(piece.text for piece in raw.pieces)
        questions.append(
            Question(raw.id, raw.question, raw.reference, spans, texts, raw.kind, answerable=raw.answerable)
        )
    return GoldenDataset(tuple(questions), digest_questions(tuple(questions)), tuple(notes))


def quickstart() -> Planted:
    """The quickstart with faults planted by hand."""
    path = QUICKSTART / "questions.jsonl"
    asked = load_questions(QuestionFile(path=str(path)), str(path))
    return plant_by_hand(asked, read_corpus(str(QUICKSTART / "corpus")).documents)


def squad(questions: int = 500, articles: int = 16, each: int = 30) -> Planted:
    """Questions of some articles of SQuAD dev with faults planted by rule."""
    documents = [article_document(article) for article in read_articles()[:articles]]
    shelf = Shelf(documents)
    asked: list[RawQuestion] = []
    for raw in load_questions(QuestionFile(path=str(DEV)), str(DEV)):
        if not locate(raw.pieces, shelf)[1]:
            asked.append(raw)
    step = max(1, len(asked) // questions)
    return plant_by_rule(asked[::step][:questions], documents, each)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the quickstart only")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    made = {"quickstart": measure(quickstart())}
    if not given.quick and DEV.is_file():
        made["squad"] = measure(squad())
    if given.json:
        print(json.dumps(made, indent=2))
        return
    for name, said in made.items():
        print(f"{name}: {said['questions']} questions")
        for check, one in said["checks"].items():
            print(
                f"  {check:<22} planted {one['planted']:>3}  found {one['found']:>3}  "
                f"others {len(one['others']):>3}  recall {one['recall']}  precision {one['precision']}"
            )


if __name__ == "__main__":
    main()
