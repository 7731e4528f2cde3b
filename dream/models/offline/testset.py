"""The rules that answer the prompts of ragas' TestsetGenerator: summaries, entities, themes, questions."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dream.models.offline.questions import key_words, listed, question_about
from dream.models.offline.words import PRONOUNS, STOP_WORDS, is_number, sentences, terms

_NAME = re.compile(r"[A-Z][\w]*(?:[ -](?:[A-Z][\w]*|\d+))*")
_PHRASE = re.compile(r"[^\W\d_][^\W_]*(?:-[^\W_]+)*")
_HEADING = re.compile(r"^\s*(?:#+\s*|\d+(?:\.\d+)*\.?\s+)?[A-Z][^\n]{2,70}$")


def summarize(text: str, most: int = 4) -> str:
    """The first full sentence, and those with the most of the text's frequent words, in their order.

    >>> summarize("Ray runs tasks on nodes. The sky is very blue. Ray tasks run on many nodes.", most=2)
    'Ray runs tasks on nodes. Ray tasks run on many nodes.'
    """
    said = _full_sentences(text) or list(sentences(text))
    frequency = Counter(term for one in said for term in terms(one))
    ranked = sorted(
        range(1, len(said)),
        key=lambda at: -sum(frequency[term] for term in terms(said[at])) / (8 + len(terms(said[at]))),
    )
    return " ".join(said[at] for at in sorted([0, *ranked[: most - 1]])) if said else text.strip()


def title(text: str) -> str:
    r"""The first line of a text, without Markdown's marks.

    >>> title("# Ray\n\nRay runs tasks.")
    'Ray'
    """
    return next((line.strip("# \t") for line in text.splitlines() if line.strip("# \t")), "")


def find_entities(text: str, most: int) -> list[str]:
    """Names in a text: capitalised words inside sentences, most frequent first, else its frequent words.

    >>> find_entities("Tasks run on Ray. Actors of Ray live on Kubernetes nodes.", most=2)
    ['Ray', 'Kubernetes']
    """
    names: Counter[str] = Counter()
    for sentence in sentences(text):
        for name in _NAME.finditer(sentence):
            # the first word of a sentence has a capital anyway; an acronym or CamelCase is a name even there
            if (name.start() > 0 and len(name[0]) > 1) or " " in name[0] or not name[0][1:].islower():
                words = name[0].split(" ")
                kept = " ".join(words[1:] if words[0].lower() in STOP_WORDS else words)
                if len(kept) > 1 and kept.lower() not in STOP_WORDS:
                    names[kept] += 1
    found = [name for name, _ in names.most_common(most)]
    return found if len(found) >= min(3, most) else (found + find_themes(text, most))[:most]


def find_themes(text: str, most: int) -> list[str]:
    """Pairs of neighbouring content words that a text repeats, then its frequent words.

    >>> find_themes("The sentence window helps. A sentence window is small.", most=2)
    ['sentence window', 'sentence']
    """
    pairs: Counter[str] = Counter()
    singles: Counter[str] = Counter()
    for sentence in sentences(text):
        words = [word.lower() for word in _PHRASE.findall(sentence)]
        content = [word if word not in STOP_WORDS and len(word) > 2 else "" for word in words]
        singles.update(filter(None, content))
        pairs.update(f"{a} {b}" for a, b in itertools.pairwise(content) if a and b)
    themes = [pair for pair, count in pairs.most_common(most) if count > 1]
    return (themes + [word for word, _ in singles.most_common(most)])[:most]


def find_headlines(text: str, most: int) -> list[str]:
    r"""Headings of a text, verbatim, in order, spread over it; without any, the starts of some sentences.

    ragas cuts the text where it first finds each one, so one that stands earlier in a sentence is left out.

    >>> find_headlines("Intro\nRay runs tasks on nodes.\n\nActors\nActors keep their state.", most=5)
    ['Intro', 'Actors']
    """
    lines = text.splitlines()
    found, at = [], 0
    for number, line in enumerate(lines):
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        heading = line.strip()
        alone = not following or len(following) > len(heading)
        first = text.find(heading) == at + line.find(heading)
        if _HEADING.match(line) and heading[-1] not in ".,;:!?" and alone and first:
            found.append(heading)
        at += len(line) + 1
    if len(found) < 2:
        starts = [text.find(one[:40]) for one in _full_sentences(text)]
        found = [text[start : start + 40].split("\n")[0] for start in sorted({s for s in starts if s > 0})]
    return _spread(found, most)


def rate_potential(content: str, summary: str) -> int:
    """From 1 to 5, how well questions can be asked about a passage: by its full sentences and its subject.

    >>> rate_potential("Page 3", summary="Ray runs tasks.")
    1
    >>> rate_potential("Ray runs its tasks on nodes.", summary="Ray runs tasks.")
    4
    """
    full = len(_full_sentences(content))
    if not full:
        return 1
    shared = sum(term in terms(content) for term in terms(summary))
    return 3 + (full >= 3) + (shared >= 0.3 * max(1, len(terms(summary))))


def invent_persona(summary: str) -> dict[str, str]:
    """A reader of the summarized text.

    >>> invent_persona("Ray runs tasks. Ray runs actors.")["name"]
    'Ray and Runs Reader'
    """
    words = key_words(summary, 4) or ["documents"]
    name = " and ".join(word[:1].upper() + word[1:] for word in words[:2])
    return {
        "name": f"{name} Reader",
        "role_description": f"Works with {listed(words)} and looks up how they behave.",
    }


def match_personas(themes: Sequence[str], personas: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Every persona with every theme: any reader may ask about anything in the documents.

    >>> match_personas(["a", "b"], [{"name": "Ann"}])
    {'Ann': ['a', 'b']}
    """
    return {str(persona["name"]): list(dict.fromkeys(themes)) for persona in personas}


def combine_concepts(lists: Sequence[Sequence[str]], most: int) -> list[list[str]]:
    """Pairs of concepts from different lists, none twice.

    >>> combine_concepts([["a", "b"], ["c"]], most=2)
    [['a', 'c'], ['b', 'c']]
    """
    filled = [list(dict.fromkeys(one)) for one in lists if one]
    if len(filled) == 1:  # one node alone: its own concepts are all there is to combine
        filled = [filled[0][::2], filled[0][1::2]]
    # the first of one with the first of the other, and so on, before any concept is used again
    ranked = sorted(
        (abs(i - j), i, first, second)
        for one, two in itertools.combinations(filled, 2)
        for i, first in enumerate(one)
        for j, second in enumerate(two)
    )
    return [
        list(pair) for pair in list(dict.fromkeys((first, second) for *_, first, second in ranked))[:most]
    ]


def ask(data: Mapping[str, Any]) -> dict[str, str]:
    """A question and its answer, a sentence of the passage verbatim, or one of each of two passages.

    Which of the fitting sentences is asked about depends on the whole input, so that two personas
    rarely ask the same.

    >>> ask({"term": "chunk", "context": "The chunk size is 512 tokens by default."})
    {'query': 'What is the chunk size?', 'answer': 'The chunk size is 512 tokens by default.'}
    """
    contexts = data.get("context", "")
    choice = int.from_bytes(hashlib.sha256(repr(sorted(data.items())).encode()).digest()[:4], "big")
    if isinstance(contexts, str):
        term = str(data.get("term", ""))
        sentence = _pick(contexts, [term], choice)
        return {"query": question_about(sentence, term), "answer": sentence}
    themes = [str(theme) for theme in data.get("themes", ())]
    picked = [_pick(re.sub(r"^<\d+-hop>\s*", "", context), themes, choice) for context in contexts[:2]]
    asked = [
        question_about(one, next((theme for theme in themes if _holds(one, theme)), "")) for one in picked
    ]
    query = asked[0] if len(set(asked)) == 1 else f"{asked[0][:-1]}, and {asked[1][0].lower()}{asked[1][1:]}"
    return {"query": query, "answer": " ".join(dict.fromkeys(picked))}


def _pick(context: str, wanted: Sequence[str], choice: int) -> str:
    """One of the sentences that name one of the wanted terms, else one of all."""
    every = _full_sentences(context) or list(sentences(context)) or ["The text is empty."]
    alone = [one for one in every if one.split(None, 1)[0].lower() not in PRONOUNS] or every
    naming = [one for one in alone if any(_holds(one, term) for term in wanted)] or alone
    return naming[choice % len(naming)]


def _holds(sentence: str, term: str) -> bool:
    held = terms(sentence)
    return bool(terms(term)) and all(key in held for key in terms(term))


def _full_sentences(text: str) -> list[str]:
    """Sentences that say something: ended, and with at least four content words."""
    return [
        one
        for one in sentences(text)
        if one.endswith((".", ".”", '."', ".)")) and sum(not is_number(term) for term in terms(one)) >= 4
    ]


def _spread(found: Sequence[str], most: int) -> list[str]:
    return [found[at * len(found) // most] for at in range(most)] if len(found) > most else list(found)
