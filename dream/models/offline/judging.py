"""The judge's rules: what each of the ragas metrics' prompts is answered, and why.

Every verdict comes from counting content words (see :mod:`dream.models.offline.overlap`), every
reason says the count. A language model would judge meaning; these rules judge wording, which is
enough to rank answers that copy from the documents, and exact in that the same prompt always gets
the same verdict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dream.models.offline.overlap import Overlap, overlap
from dream.models.offline.questions import question_from
from dream.models.offline.words import sentences, terms

USEFUL = 0.5
"""Share of the reference's words, beyond the question's, that a useful context holds."""

_BETWEEN_CLAUSES = re.compile(r"(?<=[;:])\s+|(?<=,)\s+(?=(?:and|but|while|whereas|because|so|which|who)\b)")
_CLAUSE = 3
"""Content words that a part of a sentence needs to be a statement of its own."""

_NONCOMMITTAL = re.compile(
    r"\b(?:documents?|contexts?|corpus|texts?|passages?|sources?|pages?|they|it|i|we)"
    r" (?:do not|does not|don[’']t|doesn[’']t|did not|cannot|can[’']t)"
    r" (?:say|know|mention|tell|contain|answer|specify|give|state)\b"
    r"|\b(?:is|are) (?:not (?:known|stated|mentioned|given|specified)|unknown)(?: (?:in|by) [\w ]+)?[.!]?$"
    r"|\bno (?:answer|information)\b|\b(?:am|are) not sure\b|\bit depends\b",
    re.IGNORECASE,
)


def is_noncommittal(answer: str) -> bool:
    """Whether an answer only says that it does not know.

    >>> is_noncommittal("The documents do not say."), is_noncommittal("512 tokens.")
    (True, False)
    """
    parts = sentences(answer)
    return not parts or (len(parts) == 1 and bool(_NONCOMMITTAL.search(answer)))


def split_statements(data: Mapping[str, Any]) -> dict[str, Any]:
    """One statement a clause of the answer, and always at least one.

    >>> split_statements({"question": "?", "answer": "It is fast. Ray runs tasks; MLflow keeps all results."})
    {'statements': ['It is fast.', 'Ray runs tasks;', 'MLflow keeps all results.']}
    """
    answer = str(data.get("answer", ""))
    said = [one for sentence in sentences(answer) for one in _clauses(sentence) if terms(one)]
    return {"statements": said or [answer.strip() or "No answer was given."]}


def _clauses(sentence: str) -> list[str]:
    """A sentence cut where it goes on to another statement, if both sides say something."""
    clauses: list[str] = []
    for piece in _BETWEEN_CLAUSES.split(sentence):
        if clauses and (len(terms(piece)) < _CLAUSE or len(terms(clauses[-1])) < _CLAUSE):
            clauses[-1] += f" {piece}"
        else:
            clauses.append(piece)
    return clauses


def judge_statements(data: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the context supports each statement: most of its content words and all of its numbers.

    >>> judge_statements({"context": "Each holds 256 tokens.", "statements": ["Each holds 512 tokens."]})
    {'statements': [{'statement': 'Each holds 512 tokens.',
                     'reason': '2 of 3 content words found; missing: 512.', 'verdict': 0}]}
    """
    context = _text(data.get("context", data.get("retrieved_contexts", "")))
    verdicts = []
    for statement in data["statements"]:
        seen = overlap(statement, context)
        verdicts.append({"statement": statement, "reason": seen.reason, "verdict": int(seen.supported)})
    return {"statements": verdicts}


def judge_usefulness(data: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a context helps to arrive at the reference: it holds half of what the question did not say.

    Of a reference with numbers it must hold at least one.

    >>> judge_usefulness({"question": "What is the size?", "context": "512 tokens.", "answer": "512 tokens."})
    {'reason': 'All 2 content words found.', 'verdict': 1}
    """
    question, context, reference = (_text(data.get(name, "")) for name in ("question", "context", "answer"))
    seen = overlap(reference, context, beyond=question)
    numbers = [term for term in terms(reference) if term[0].isdigit() and term not in terms(question)]
    useful = seen.share >= USEFUL and (not numbers or len(seen.numbers) < len(numbers))
    return {"reason": seen.reason, "verdict": int(useful)}


def judge_recall(data: Mapping[str, Any]) -> dict[str, Any]:
    """Whether each sentence of the reference stands in the context, by the rule of :func:`judge_statements`.

    >>> judge_recall({"question": "?", "context": "Ray runs tasks.", "answer": "Ray runs tasks."})
    {'classifications': [{'statement': 'Ray runs tasks.', 'reason': 'All 3 content words found.',
                          'attributed': 1}]}
    """
    question, context, reference = (_text(data.get(name, "")) for name in ("question", "context", "answer"))
    judged = []
    for statement in split_statements({"answer": reference})["statements"]:
        # a one-word reference, "England", says something only beside its question
        seen = overlap(statement, context, beyond=question if len(terms(statement)) > 6 else "")
        judged.append({"statement": statement, "reason": seen.reason, "attributed": int(seen.supported)})
    return {"classifications": judged}


def classify_correctness(data: Mapping[str, Any]) -> dict[str, Any]:
    """Sorts statements into true positives, false positives and false negatives.

    An answer's statement is right when it contains what a statement of the reference says beyond the
    question, or is contained in one. A statement of the reference is missed when neither a single
    statement of the answer nor all of them together contain it.

    >>> found = classify_correctness({"question": "What is the size?", "answer": ["It is 512.", "Ray flies."],
    ...                               "ground_truth": ["The size is 512."]})
    >>> {kind: [one["statement"] for one in found[kind]] for kind in found}
    {'TP': ['It is 512.'], 'FP': ['Ray flies.'], 'FN': []}
    """
    question = str(data.get("question", ""))
    answers, references = _statements(data.get("answer")), _statements(data.get("ground_truth"))
    sorted_: dict[str, list[dict[str, str]]] = {"TP": [], "FP": [], "FN": []}
    matched: set[str] = set()
    for answer in answers:
        matches = [(_match(answer, reference, question), reference) for reference in references]
        right = [(seen, reference) for seen, reference in matches if seen is not None]
        matched.update(reference for _, reference in right)
        if right:
            sorted_["TP"].append({"statement": answer, "reason": f"In the reference: {right[0][0].reason}"})
        else:
            reason = f"Not in the reference: {overlap(answer, ' '.join(references), beyond=question).reason}"
            sorted_["FP"].append({"statement": answer, "reason": reason})
    everything = " ".join(answers)
    for reference in references:
        seen = overlap(reference, everything, beyond=question)
        if reference not in matched and not (seen.supported and not is_noncommittal(reference)):
            sorted_["FN"].append({"statement": reference, "reason": f"Not in the answer: {seen.reason}"})
    return sorted_


def ask_back(data: Mapping[str, Any]) -> dict[str, Any]:
    """The question that an answer seems to answer, and whether the answer commits itself.

    >>> ask_back({"response": "The chunk size is 512 tokens."})
    {'question': 'What about chunk size tokens?', 'noncommittal': 0}
    """
    response = _text(data.get("response", ""))
    return {"question": question_from(response), "noncommittal": int(is_noncommittal(response))}


def _match(answer: str, reference: str, question: str) -> Overlap | None:
    """How an answer's statement says what the reference's does, or None where it does not."""
    if is_noncommittal(answer) or is_noncommittal(reference):
        # "do not say" agrees with "do not mention", whatever words they share
        seen = overlap(reference, answer)
        return seen if is_noncommittal(answer) and is_noncommittal(reference) else None
    contains = overlap(reference, answer, beyond=question)
    if contains.supported:
        return contains
    contained = overlap(answer, reference, beyond=question)
    return contained if contained.supported else None


def _statements(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value or ()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "\n".join(map(str, value or ()))
