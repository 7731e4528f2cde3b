"""The chat styles: three ways to answer from a context, good, poor and wordy, each for a reason.

All three copy from the context, so their faithfulness is high; they differ in what they copy.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dream.models.offline.rag import RagPrompt
from dream.models.offline.words import PRONOUNS, is_number, sentences, terms

NOTHING_SAID = "The documents do not say."
# Users paraphrase: at 0.33 it kept silent on half of the quickstart questions whose answer it held.
_WORTH_SAYING = 0.25
_WORTH_ADDING = 0.25
_ASKS_NUMBER = re.compile(
    r"\b(?:how (?:many|much|long|often|large|big|old|far|fast)|when|what year|percent)", re.I
)
_ASKS_NAME = re.compile(r"\b(?:who|whose|whom)\b", re.I)
_NAME_INSIDE = re.compile(r"\w[\w,;]* [A-Z]\w+")


@dataclass(frozen=True)
class _Candidate:
    """A sentence of the context: its place, and the weight of the question's words that it holds."""

    passage: int
    place: int
    text: str
    held: frozenset[str]
    score: float


def extractive(prompt: RagPrompt) -> str:
    """The good style: copies the one or two sentences that best match the question.

    A sentence is scored by the question's content words that it holds, rare ones counting more. A
    second sentence is added when it holds words the first one lacks, and the sentence before one
    that begins with a pronoun, because it names what the pronoun means. Where even the best sentence
    holds little of the question, the answer is that the documents do not say.

    >>> extractive(RagPrompt("What is overlap?", ("Chunks have a size. Overlap is text shared by chunks.",)))
    'Overlap is text shared by chunks.'
    >>> extractive(RagPrompt("Who won the cup?", ("Chunks have a size.",)))
    'The documents do not say.'
    """
    chosen = _choose(prompt)
    if not chosen:
        return NOTHING_SAID
    places = {(one.passage, one.place) for one in chosen}
    best = chosen[0]
    if best.place and best.text.split(None, 1)[0].lower() in PRONOUNS:
        places.add((best.passage, best.place - 1))
    said: dict[str, None] = {}  # overlapping chunks repeat sentences
    for passage, place in sorted(places):
        said.setdefault(sentences(prompt.passages[passage])[place])
    return " ".join(said)


def lead(prompt: RagPrompt) -> str:
    """The poor style: the first two sentences of the first passage, without looking at the question.

    It is right only where the retriever put the answer at the very top, so it shows what the
    retriever alone is worth, and it never admits that the documents do not say.

    >>> lead(RagPrompt("What is overlap?", ("Chunks have a size. It is fixed. Overlap is shared text.",)))
    'Chunks have a size. It is fixed.'
    """
    first = sentences(prompt.passages[0]) if prompt.passages else ()
    return " ".join(first[:2]) or NOTHING_SAID


def verbose(prompt: RagPrompt) -> str:
    """The wordy style: the best sentence and then the whole passage around it.

    As right as ``extractive`` and as faithful, but most of what it says was not asked, which
    costs precision: answer correctness and answer relevancy fall.

    >>> verbose(RagPrompt("What is overlap?", ("Chunks have a size. Overlap is shared text.",)))
    'Overlap is shared text. Chunks have a size.'
    """
    chosen = _choose(prompt)
    if not chosen:
        return NOTHING_SAID
    best = chosen[0]
    around = (text for text in sentences(prompt.passages[best.passage]) if text != best.text)
    return " ".join((best.text, *around))


STYLES: Mapping[str, Callable[[RagPrompt], str]] = {
    "extractive": extractive,
    "lead": lead,
    "verbose": verbose,
    "judge": extractive,
}
"""Chat models of the offline server, by model name; ``judge`` answers RAG prompts as ``extractive`` does."""


def _choose(prompt: RagPrompt) -> list[_Candidate]:
    """The best sentence and, where it adds to it, a second one; empty where nothing matches well."""
    places = [
        (number, place, text, terms(text))
        for number, passage in enumerate(prompt.passages)
        for place, text in enumerate(sentences(passage))
    ]
    asked = terms(prompt.question)
    if not places or not asked:
        return []
    frequency = Counter(term for *_, held in places for term in held if term in asked)
    # a word of the question that no sentence has is the rarest: its lack must weigh most
    weight = {term: math.log(1 + len(places) / (frequency[term] or 0.5)) for term in asked}
    total = sum(weight.values())
    candidates = []
    for number, place, text, found in places:
        held = frozenset(term for term in asked if term in found)
        if held:
            share = sum(weight[term] for term in asked if term in held) / total
            score = share * _fitness(prompt.question, text, found) + 0.02 / (1 + number)
            candidates.append(_Candidate(number, place, text, held, score))
    if not candidates:
        return []
    candidates.sort(key=lambda one: (-one.score, one.passage, one.place))
    best = candidates[0]
    if sum(weight[term] for term in asked if term in best.held) / total < _WORTH_SAYING:
        return []
    for other in candidates[1:6]:
        added = sum(weight[term] for term in asked if term in other.held and term not in best.held)
        if added / total >= _WORTH_ADDING:
            return [best, other]
    return [best]


def _fitness(question: str, text: str, found: Mapping[str, str]) -> float:
    """How far a sentence can be an answer at all: headings cannot, and "how many" wants a number."""
    fitness = 1.0 if len(found) >= 4 else 0.6
    if next(iter(found), "") in terms(question):
        fitness *= 1.1  # it begins with what the question is about: its subject, most likely
    if text.endswith("?"):
        fitness *= 0.5
    if _ASKS_NUMBER.search(question) and any(map(is_number, found)):
        fitness *= 1.2
    if _ASKS_NAME.search(question) and _NAME_INSIDE.search(text):
        fitness *= 1.2
    return fitness / (1 + max(0, len(found) - 20) * 0.02)
