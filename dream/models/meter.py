"""What models took: calls by kind, tokens, dollars, and from when to when."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KIND = "calls:"

# Sums of several processes: all figures are added, but of these moments the first and the last are kept.
FIRST, LAST = "first_call", "last_call"


@dataclass
class Meter:
    """What one connection to a model took so far.

    Attributes:
        calls: chat answers by what they were for: golden, generate, or the metric that asked.
        input_tokens: of prompts, as the model's server counted them.
        output_tokens: of answers.
        embedding_tokens: of texts that were embedded over HTTP.
        embedding_requests: how many requests brought them.
        dollars: by the study's prices.
        first: when the first call began, in seconds since 1970; 0 if there was none.
        last: when the last one ended.
    """

    calls: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    embedding_tokens: int = 0
    embedding_requests: int = 0
    dollars: float = 0.0
    first: float = 0.0
    last: float = 0.0

    def took(self, seconds: float) -> None:
        """Note a call that has ended just now and took so long."""
        now = time.time()
        self.first = min(self.first or now, now - seconds)
        self.last = now

    def sums(self) -> dict[str, float]:
        """All figures under one name each, as a Tally adds them up.

        >>> Meter(Counter(generate=2), input_tokens=900).sums()["calls:generate"]
        2
        """
        figures: dict[str, float] = {f"{KIND}{kind}": number for kind, number in self.calls.items()}
        figures |= {"model_calls": self.calls.total(), "dollars": self.dollars}
        figures |= {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        figures |= {"embedding_tokens": self.embedding_tokens, "embedding_requests": self.embedding_requests}
        return figures | ({FIRST: self.first, LAST: self.last} if self.first else {})


def added(many: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sums of several meters or processes as one.

    >>> added([{"model_calls": 2, "first_call": 5.0}, {"model_calls": 1, "first_call": 3.0}])
    {'model_calls': 3, 'first_call': 3.0}
    """
    total: dict[str, float] = {}
    for sums in many:
        for name, number in sums.items():
            if name not in total:
                total[name] = number
            elif name == FIRST:
                total[name] = min(total[name], number)
            elif name == LAST:
                total[name] = max(total[name], number)
            else:
                total[name] += number
    return total
