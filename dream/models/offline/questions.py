"""Turns sentences into questions by rule."""

from __future__ import annotations

import re
from collections import Counter

from dream.models.offline.words import PRONOUNS, STOP_WORDS, is_number, sentences, terms

_BE = re.compile(r"\b(is|are|was|were)\b(?! (?:not|no)\b)", re.IGNORECASE)
_COUNT = re.compile(
    r"\b(\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|twelve) ((?:[a-z]+[ -])?[a-z]{2,}s)\b"
)
_CLAUSE = re.compile(r"[,;:()—–]")
_DETERMINERS = {"the", "a", "an", "each", "all", "most", "many", "every", "both", "our", "my"}
_LONGEST_SUBJECT = 9
_LONGEST_QUESTION = 80


def question_from(answer: str) -> str:
    """The question that an answer seems to answer: about each of its content words, in their order.

    An answer that keeps to what was asked gives a question close to the one that was asked; what it
    says beyond that draws its question away.

    >>> question_from("Overlap is text that two chunks share.")
    'What about Overlap text chunks share?'
    """
    words = [word for term, word in terms(answer).items() if not is_number(term)]
    return f"What about {' '.join(words[:_LONGEST_QUESTION])}?" if words else "What is the answer?"


def question_about(sentence: str, term: str = "") -> str:
    """A question that the sentence answers, and that names ``term`` where one is given.

    >>> question_about("The default chunk size is 512 tokens.")
    'What is the default chunk size?'
    >>> question_about("Each trial keeps 3 checkpoints of its state on disk.", "trial")
    'How many checkpoints are there, speaking of trial, keeps, state and disk?'
    >>> question_about("Ray hands out leases in batches.", "Ray")
    'What is said about Ray, hands, leases and batches?'
    """
    subject = _subject_of_being(sentence)
    if subject:
        verb, name = subject
        asked = f"What {verb} {name}"
        return f"{asked}?" if _names(asked, term) else f"{asked}, speaking of {term}?"
    count = _COUNT.search(sentence)
    if count:
        left = {**terms(count[0]), **terms(term)}
        others = [word for key, word in terms(sentence).items() if key not in left and not is_number(key)]
        named = [term] if term and not _names(count[2], term) else []
        about = listed([*named, *others[:3]])
        return (
            f"How many {count[2]} are there, speaking of {about}?"
            if about
            else f"How many {count[2]} are there?"
        )
    words = [word for key, word in terms(sentence).items() if key not in terms(term)]
    return f"What is said about {listed([*([term] if term else []), *words[:5]])}?"


def key_words(text: str, most: int) -> list[str]:
    """The most frequent content words of a text, in the order in which they appear; no numbers.

    >>> key_words("Ray runs tasks. Ray runs actors.", 2)
    ['Ray', 'runs']
    """
    counts = Counter(term for sentence in sentences(text) for term in terms(sentence) if not is_number(term))
    chosen = {term for term, _ in counts.most_common(most)}  # ties fall to the earlier word
    return [word for term, word in terms(text).items() if term in chosen]


def listed(words: list[str]) -> str:
    """Words as one says them.

    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def _subject_of_being(sentence: str) -> tuple[str, str] | None:
    """Verb and subject of "X is Y", where X is short and names something."""
    verb = _BE.search(sentence)
    if not verb:
        return None
    subject = sentence[: verb.start()].strip()
    words = subject.split()
    if not words or len(words) > _LONGEST_SUBJECT or _CLAUSE.search(subject) or not terms(subject):
        return None
    first = words[0].lower()
    if first in PRONOUNS or (first in STOP_WORDS and first not in _DETERMINERS):
        return None  # "once X is", "there are", "after X is": no subject begins so
    if words[-1].lower() in {"that", "which", "who", "and", "or", "as"}:
        return None
    return verb[1].lower(), " ".join([_lower_first(words[0]), *words[1:]])


def _lower_first(word: str) -> str:
    """The first word of a sentence as it stands inside one: names and acronyms keep their capitals."""
    if word.lower() in STOP_WORDS or (word.isalpha() and word.istitle() and word.endswith(_COMMON_ENDINGS)):
        return word.lower()
    return word


_COMMON_ENDINGS = (
    "ing",
    "tion",
    "sion",
    "ness",
    "ment",
    "ity",
    "ance",
    "ence",
    "lap",
    "s",
    "al",
    "ure",
    "age",
)


def _names(question: str, term: str) -> bool:
    return all(key in terms(question) for key in terms(term))
