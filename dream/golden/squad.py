"""Questions of a file in the format of SQuAD, versions 1.1 and 2.0.

The layout is that of https://rajpurkar.github.io/SQuAD-explorer: ``data`` holds articles, an article
holds paragraphs, a paragraph its context and ``qas``, and each question its annotators' answers.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from dream.errors import StudyError
from dream.golden.raw import Piece, RawQuestion
from dream.golden.rows import decoded


def read_squad(data: bytes, name: str) -> list[RawQuestion]:
    """All questions of the file, in its order.

    The reference is the answer that most annotators gave, the first one if they all differ; the evidence
    is that answer at its place in the paragraph. A question that is marked ``is_impossible`` is kept as
    unanswerable.

    Args:
        data: the file's bytes, gzipped if its name ends in ``.gz``.
        name: for messages and the questions' origin.

    Raises:
        StudyError: the file is not in that format; the message names the place.
    """
    if name.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise StudyError(f"is not readable as gzip ({error})", name, "compress it again") from None
    try:
        tree = json.loads(decoded(data, name))
    except ValueError as error:
        raise StudyError(f"is not valid JSON ({error})", name, "give a file in SQuAD's format") from None
    questions = []
    for article_at, article in enumerate(_list(tree, "data", name)):
        where = f"{name} data[{article_at}]"
        for paragraph_at, paragraph in enumerate(_list(article, "paragraphs", where)):
            inner = f"{where}.paragraphs[{paragraph_at}]"
            context = _text(paragraph, "context", inner)
            title = str(article.get("title") or "")
            for asked_at, asked in enumerate(_list(paragraph, "qas", inner)):
                question = _question(asked, context, title, f"{inner}.qas[{asked_at}]")
                questions.append(RawQuestion(**question, origin=name))
    return questions


def _question(asked: Any, context: str, title: str, where: str) -> dict[str, Any]:
    text = _text(asked, "question", where)
    said: dict[str, Any] = {"question": text.strip(), "id": str(asked.get("id") or "")}
    if asked.get("is_impossible"):
        return said | {"reference": "", "kind": "unanswerable", "answerable": False}
    answers = _list(asked, "answers", where)
    if not answers:
        raise StudyError(
            "the question has no answer", f"{where}.answers", 'give one, or set "is_impossible": true'
        )
    texts = [_text(answer, "text", f"{where}.answers[{at}]") for at, answer in enumerate(answers)]
    chosen = Counter(texts).most_common(1)[0][0]
    start = answers[texts.index(chosen)].get("answer_start")
    if not isinstance(start, int) or context[start : start + len(chosen)] != chosen:
        # SQuAD itself has offsets that are off; what counts is that the answer stands in the paragraph
        start = context.find(chosen)
    if start < 0:
        raise StudyError(
            f"the answer {chosen!r} does not stand in its context",
            f"{where}.answers",
            "mend text or answer_start",
        )
    piece = Piece(chosen, document=title or None, paragraph=context, offset=start)
    return said | {"reference": chosen, "pieces": (piece,)}


def _list(holder: Any, field: str, where: str) -> list[Any]:
    value = holder.get(field) if isinstance(holder, Mapping) else None
    if not isinstance(value, list):
        raise StudyError(
            f"has no list '{field}'", where, "give a file in SQuAD's format: data, paragraphs, qas, answers"
        )
    return value


def _text(holder: Any, field: str, where: str) -> str:
    value = holder.get(field) if isinstance(holder, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise StudyError(f"{value!r} is no text", f"{where}.{field}", "give a text")
    return value
