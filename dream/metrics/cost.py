"""What an answer takes: tokens, dollars and seconds, per question."""

from __future__ import annotations

from dream.metrics.metric import metric
from dream.records import Answer


@metric(higher_is_better=False)
def tokens_per_question(reply: Answer) -> float:
    """Tokens of prompt and answer, as the model's server counted them.

    >>> tokens_per_question(Answer("yes", input_tokens=900, output_tokens=10))
    910.0
    """
    return float(reply.input_tokens + reply.output_tokens)


@metric(higher_is_better=False)
def dollars_per_question(reply: Answer) -> float:
    """Price of the answer by the study's prices; the judge is not counted."""
    return reply.dollars


@metric(higher_is_better=False)
def seconds_per_question(reply: Answer) -> float:
    """Seconds for retrieval and answer, as measured when they were first computed."""
    return reply.seconds
