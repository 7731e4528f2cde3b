"""Faults planted in golden datasets: by hand in the quickstart's, by rule in SQuAD's."""

# ruff: noqa: E501  (texts whose line breaks would be read as the documents' own)

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dream.golden.raw import Piece, RawQuestion
from dream.models.offline.knowledge import _FACTS
from dream.records import Document

# The same question of the quickstart in other words, written by hand.
REWORDED = {
    "q003": "How is auto-merging stopped from making the prompt huge when it would insert whole parents?",
    "q009": "What is the reason for storing gold passages by character position rather than by chunk identifier?",
    "q011": "tern-large agreed with the clinicians closely enough; what speaks against using it as a judge?",
    "q012": "In September 2024 an auto-merging arm seemed to be the best: what was wrong with it?",
    "q017": "What is the cause of MiniLM's poor results on chunks of 512 tokens?",
    "q019": "How is it prevented that question vectors of another model are used to search an index?",
    "q023": "Normalisation of the text goes no further than NFC: for what reason?",
    "q026": "For what reason was our account blocked by Fenwick in May 2025?",
    "q043": "What is the reason that nineteen of the 2024 studies cannot be repeated any more?",
    "q057": "How many seconds does each trial on Fjord gain when actors are reused?",
    "q068": "When a provider has replied with 429, what does the limiter do?",
    "q078": "How come the nightly faithfulness score did not warn us of the wrong tightening torques?",
}

# What a question of the quickstart asks, said again in a document of its own, written by hand.
RESTATED = {
    "q003": "Release notes. Auto-merging can no longer blow up a prompt: whenever whole parents would push the "
    "context over 6,000 tokens, the merge is refused, the leaves are kept, and merge_refused is counted up.",
    "q010": "Glossary. A piece of evidence counts as found when one retrieved chunk contains at least half of "
    "the characters of the evidence span, and the chunk is of the same document.",
    "q017": "A note on MiniLM: our 512-token chunks suited it badly. The model reads 256 word pieces at most and "
    "drops the rest without a warning; half of each chunk was thus invisible to it.",
    "q021": "Small heron model: the service declines an answer when the similarity is below 0.41.",
    "q023": "On normalisation of text: we stop at NFC. Under NFKC the superscript of 10² turns into a plain digit, "
    "it then reads as 102, and NFC leaves the meaning untouched.",
    "q025": "Of the 300 sampled tables the PDF parser recovered 254 tables without error or mistake.",
    "q026": "History of suppliers. In May 2025 Fenwick blocked our account: a study kept on sending during the "
    "waiting time that the Retry-After header asked for. We call it incident 58.",
    "q043": "Lessons learnt. Nineteen studies from 2024 cannot be repeated any longer: prompts were kept in code, "
    "changed along with it, and nobody knows the exact words that were sent.",
    "q048": "The reference study of 24 arms, in brief: with indexes prepared before the trials the number of "
    "embedding calls shrank by a factor of four, from 744,000 to 186,000 calls; the 24 arms needed six distinct indexes.",
    "q057": "Fjord, costs of starting: reusing actors saves each trial 5.2 seconds of time, since a new process takes "
    "5.6 seconds and a warm trial 0.4 seconds.",
    "q073": "Storage, measured: with replicated storage beneath it Postgres reached 1,150 transactions per second, on "
    "local disks 6,400, which is 5,250 transactions per second more.",
    "q077": "Annual report. In 2025 the teams spent 94,600 dollars on model calls; the calls answered from the "
    "ledger, 63 percent, would have cost another 161,000 dollars at list price.",
}

# Questions in the words of the quickstart's own passages.
COPIED = {
    "q001": "Which of the last of these changes turned out to matter most?",
    "q003": "What happens if the context would exceed 6,000 tokens when a merge is refused?",
    "q009": "What changes whenever the chunk length changes?",
    "q011": "Who writes the answers of three sites, and must not be the model that it judges?",
    "q017": "What reads at most 256 word pieces, and whatever follows is dropped without a warning?",
    "q019": "Which request does the server refuse with the error model mismatch if they differ?",
    "q022": "Which line stands among the first two or last two lines of a page?",
    "q046": "What do you do until the count of waiting records is zero before you resume the limiter?",
    "q049": "Which job in Graz opens each dump, counts the rows of five tables?",
    "q052": "Whose calls are recorded one by one as the answers arrive, so the caller itself starts them again?",
    "q068": "When is it that the limiter stops all admission for that long?",
    "q074": "What has to reach the API server to ask for more Pods?",
}

# How a question of SQuAD is asked again, in turn.
_OPENINGS = ("Can you tell me {0}", "According to the text, {0}", "I would like to know this: {0}")


@dataclass(frozen=True)
class Planted:
    """A golden dataset with faults.

    Attributes:
        questions: the untouched ones and the faulty ones.
        documents: the corpus, with passages added for ambiguous questions.
        faults: for each check, the ids of the questions that it should flag.
    """

    questions: tuple[RawQuestion, ...]
    documents: tuple[Document, ...]
    faults: dict[str, frozenset[str]]


def common_knowledge() -> list[RawQuestion]:
    """Questions that any language model answers; the offline ones know just these."""
    made = []
    for number, line in enumerate(_FACTS.strip().splitlines()):
        words, _, answer = line.partition(" = ")
        asked = f"What do you know of this: {words}?"
        made.append(RawQuestion(asked, answer, id=f"known-{number}", kind="single-hop"))
    return made


def plant_by_hand(questions: Sequence[RawQuestion], documents: Sequence[Document]) -> Planted:
    """The quickstart with faults of every kind."""
    named = {question.id: question for question in questions}
    doubled = [replace(named[id], id=f"double-{id}", question=text) for id, text in REWORDED.items()]
    copied = [replace(named[id], id=f"copied-{id}", question=text) for id, text in COPIED.items()]
    rest = [
        question for question in questions if question.pieces and question.id not in {*RESTATED, *REWORDED}
    ]
    lost = [_lost(question, number) for number, question in enumerate(rest[-12:])]
    gone = {question.id.removeprefix("lost-") for question in lost}
    known = common_knowledge()
    more = [Document(f"restated/{id}.md", text) for id, text in RESTATED.items()]
    kept = [question for question in questions if question.id not in gone]
    return Planted(
        (*kept, *doubled, *copied, *lost, *known),
        (*documents, *more),
        {
            "duplicate": frozenset(question.id for question in doubled),
            "copied": frozenset(question.id for question in copied),
            "ambiguous": frozenset(RESTATED) | {f"double-{id}" for id in RESTATED if id in REWORDED},
            "evidence": frozenset(question.id for question in lost),
            "closed_book": frozenset(question.id for question in known),
        },
    )


def plant_by_rule(
    questions: Sequence[RawQuestion], documents: Sequence[Document], each: int, seed: int = 0
) -> Planted:
    """Real questions with ``each`` faults of every kind, on different questions."""
    dice = random.Random(seed)
    fit = [one for one in questions if _sentence(one) and len(one.reference.split()) <= 6]
    chosen = dice.sample(fit, 4 * each)
    doubled = [
        replace(one, id=f"double-{one.id}", question=_OPENINGS[number % 3].format(_lowered(one.question)))
        for number, one in enumerate(chosen[:each])
    ]
    copied = [replace(one, id=f"copied-{one.id}", question=_cloze(one)) for one in chosen[each : 2 * each]]
    restated = chosen[2 * each : 3 * each]
    more = [Document(f"restated/{one.id}.md", _turned(_sentence(one))) for one in restated]
    lost = [_lost(one, number) for number, one in enumerate(chosen[3 * each :])]
    gone = {one.id.removeprefix("lost-") for one in lost}
    known = common_knowledge()
    kept = [one for one in questions if one.id not in gone]
    return Planted(
        (*kept, *doubled, *copied, *lost, *known),
        (*documents, *more),
        {
            "duplicate": frozenset(one.id for one in doubled),
            "copied": frozenset(one.id for one in copied),
            "ambiguous": frozenset(one.id for one in restated),
            "evidence": frozenset(one.id for one in lost),
            "closed_book": frozenset(one.id for one in known),
        },
    )


def _lost(question: RawQuestion, number: int) -> RawQuestion:
    """The question with evidence that is not there: other words, or a document that does not exist."""
    piece = question.pieces[0]
    text = " ".join(reversed((piece.paragraph or piece.text).split()))
    wrong = Piece(text) if number % 2 else Piece(text, document="missing.pdf")
    return replace(question, id=f"lost-{question.id}", pieces=(wrong,))


def _sentence(question: RawQuestion) -> str:
    """The sentence of SQuAD's paragraph that the answer stands in, if it is of a usual length."""
    piece = question.pieces[0] if question.pieces else None
    if piece is None or piece.paragraph is None:
        return ""
    start = (
        max(piece.paragraph.rfind(". ", 0, piece.offset) + 2, 0)
        if ". " in piece.paragraph[: piece.offset]
        else 0
    )
    end = piece.paragraph.find(". ", piece.offset + len(piece.text))
    sentence = piece.paragraph[start : end + 1 if end >= 0 else None].strip()
    return sentence if 8 <= len(sentence.split()) <= 35 and piece.text in sentence else ""


def _lowered(question: str) -> str:
    return question[:1].lower() + question[1:]


def _cloze(question: RawQuestion) -> str:
    """The sentence itself with "what" in the answer's place."""
    said = _sentence(question).replace(question.pieces[0].text, "what", 1).rstrip(".")
    return f"{said}?"


def _turned(sentence: str) -> str:
    """The sentence again with its clauses in another order."""
    parts = [part.strip() for part in re.split(r",\s+", sentence.rstrip("."))]
    return f"As was mentioned before: {', '.join([*parts[1:], parts[0]])}."
