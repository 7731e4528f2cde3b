"""Do the words of the answer agree with the reference? As in SQuAD (Rajpurkar et al., 2016)."""

from __future__ import annotations

import re
import string
from collections import Counter

from dream.metrics.metric import metric

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")


def _normalised(text: str) -> list[str]:
    return _ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split()


@metric
def exact_match(answer: str, reference: str) -> float:
    """1 if answer and reference agree but for case, punctuation and articles, else 0.

    >>> exact_match("The Eiffel Tower.", "eiffel tower")
    1.0
    """
    return float(_normalised(answer) == _normalised(reference))


@metric
def f1(answer: str, reference: str) -> float:
    """Harmonic mean of the share of shared words in the answer and in the reference.

    >>> f1("in Paris, France", "Paris")
    0.5
    """
    ours, theirs = _normalised(answer), _normalised(reference)
    if not ours or not theirs:
        return float(ours == theirs)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs))
