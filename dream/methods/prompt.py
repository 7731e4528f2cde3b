"""What the language model is asked: the question, with the retrieved chunks before it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

PROMPT = """\
Answer the question from the context alone, in one to three sentences, with the figures and names that \
it gives. If the context does not hold the answer, say "The documents do not say."

Context:
{context}

Question: {question}"""

PROMPT_DIGEST = hashlib.sha256(PROMPT.encode()).hexdigest()[:16]


def answer_prompt(question: str, contexts: Sequence[str]) -> list[dict[str, str]]:
    """The messages that ask for an answer.

    >>> answer_prompt("Who?", ["It was Ada."])[0]["content"].splitlines()[-3:]
    ['[1] It was Ada.', '', 'Question: Who?']
    """
    context = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(contexts, start=1))
    return [{"role": "user", "content": PROMPT.format(context=context, question=question)}]
