"""SQuAD as a corpus: one document for each article, and its questions with the place of their answers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from dream.records import Document, digest_of

DEV = Path(__file__).parents[2] / "shared" / "data" / "squad-dev-v1.1.json.gz"


def read_articles(path: Path = DEV) -> list[dict[str, Any]]:
    """The articles of a SQuAD file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        articles: list[dict[str, Any]] = json.load(file)["data"]
    return articles


def article_document(article: dict[str, Any]) -> Document:
    """An article as one document, its paragraphs apart by an empty line."""
    text = "\n\n".join(paragraph["context"] for paragraph in article["paragraphs"])
    return Document(f"{article['title']}.txt", text, digest=digest_of(text))


def write_corpus(folder: Path, path: Path = DEV) -> None:
    """Write each article as a text file."""
    folder.mkdir(parents=True, exist_ok=True)
    for article in read_articles(path):
        document = article_document(article)
        (folder / document.id).write_text(document.text, encoding="utf-8")
