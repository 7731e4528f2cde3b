"""Questions that a language model answers without any document: they cannot tell one retriever from another.

Each is put to the study's models with no context, and the answer is judged against the reference as the
study judges its arms: by its objective.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dream.errors import DreamError, StorageError
from dream.golden.audit.finding import CLOSED_BOOK, Finding
from dream.ledger import Ledger
from dream.metrics import Judge, find_metric, score_answer
from dream.models.chat import ChatModel, Messages
from dream.records import Answer, Question, Score

ANSWERED = 0.5
"""An answer counts as right from here on: right ones have about 0.9 in answer_correctness, wrong ones 0.1."""

PROMPT = """\
Answer the question from what you know, in one to three sentences. There are no documents to look it up in. \
If you do not know, say "I do not know."

Question: {question}"""

_DOES_NOT_KNOW = re.compile(r"\bI (?:do not|don[’']t|cannot|can[’']t) (?:know|answer|say)\b", re.I)


@dataclass(frozen=True)
class Attempt:
    """What a model said to a question without any context.

    Attributes:
        question: the question's id.
        llm: name, in the study, of the model.
        text: its answer.
        score: the answer's score by the study's objective, 0 where it says that it does not know.
    """

    question: str
    llm: str
    text: str
    score: Score

    @property
    def right(self) -> bool:
        """Whether the answer counts as right."""
        return self.score.value is not None and self.score.value >= ANSWERED


def judged_by(objective: str) -> str:
    """The metric that an answer without context is scored by: the objective, if it needs none.

    >>> judged_by("f1"), judged_by("faithfulness"), judged_by("recall_at_k")
    ('f1', 'answer_correctness', 'answer_correctness')
    """
    needs = set(find_metric(objective).needs)
    bare = needs <= {"question", "reference", "answer", "judge"} and {"reference", "answer"} <= needs
    return objective if bare else "answer_correctness"


def prompt_of(question: Question) -> Messages:
    """The messages that put a question without context."""
    return [{"role": "user", "content": PROMPT.format(question=question.question)}]


async def attempt_all(
    questions: Sequence[Question],
    chats: Mapping[str, ChatModel],
    judge: Judge,
    ledger: Ledger,
    objective: str,
    tell: Callable[[int, int], None],
) -> list[Attempt]:
    """Ask every answerable question of every model, and score what it says.

    Args:
        questions: the golden dataset.
        chats: open models, by the study's names.
        judge: for objectives that ask a model.
        ledger: records the answers.
        objective: metric of the scores.
        tell: is called with attempts done and attempts in all.

    Raises:
        StorageError: an answer could not be recorded.
    """
    asked = [question for question in questions if question.answerable]
    total, done = len(asked) * len(chats), 0

    async def one(question: Question, name: str) -> Attempt:
        nonlocal done
        try:
            reply = await chats[name].ask_once(ledger, "generate", prompt_of(question))
        except StorageError:
            raise
        except DreamError as error:
            attempt = Attempt(question.id, name, "", Score(objective, reason=str(error)))
        else:
            attempt = Attempt(question.id, name, reply.text, await _scored(question, reply.text))
        done += 1
        tell(done, total)
        return attempt

    async def _scored(question: Question, text: str) -> Score:
        if _DOES_NOT_KNOW.search(text):
            return Score(objective, 0.0, "it says that it does not know")
        return await score_answer(find_metric(objective), question, Answer(text), 1, judge)

    return list(await asyncio.gather(*(one(question, name) for question in asked for name in chats)))


def find_answered(attempts: Sequence[Attempt]) -> list[Finding]:
    """A finding for each question that a model answered rightly.

    >>> right = Attempt("q1", "small", "Paris.", Score("f1", 1.0))
    >>> found = find_answered([right, Attempt("q1", "large", "I do not know.", Score("f1", 0.0))])
    >>> found[0].what
    'small answers it without any document (f1 1.00): "Paris."'
    """
    found = []
    for question in dict.fromkeys(attempt.question for attempt in attempts):
        right = [attempt for attempt in attempts if attempt.question == question and attempt.right]
        if right:
            best = max(right, key=lambda attempt: attempt.score.value or 0.0)
            names = " and ".join(dict.fromkeys(attempt.llm for attempt in right))
            said = " ".join(best.text.split())[:120]
            verb = "answer" if len({attempt.llm for attempt in right}) > 1 else "answers"
            value = best.score.value or 0.0
            found.append(
                Finding(
                    question,
                    CLOSED_BOOK.name,
                    f'{names} {verb} it without any document ({best.score.metric} {value:.2f}): "{said}"',
                    "Ask for something that only your documents say, or drop it: it favours no retriever.",
                    round(value, 3),
                )
            )
    return found
