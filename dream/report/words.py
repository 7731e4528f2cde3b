"""Numbers as the report's readers see them, the same in the terminal and on the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def score_text(value: float | None) -> str:
    """A score with three decimals, or a dash where there is none.

    >>> score_text(0.5), score_text(None), score_text(128.25)
    ('0.500', '–', '128.2')
    """
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def dollars_text(value: float) -> str:
    """Cents, and below ten of them their hundredths.

    >>> dollars_text(0), dollars_text(0.00423), dollars_text(1.5)
    ('$0', '$0.0042', '$1.50')
    """
    if value <= 0:
        return "$0"
    if value >= 0.1:
        return f"${value:,.2f}"
    if value < 0.0001:
        return "<$0.0001"
    return f"${value:.4f}"


def seconds_text(value: float | None) -> str:
    """Seconds, with minutes from two minutes on.

    >>> seconds_text(0.0421), seconds_text(3.2), seconds_text(192), seconds_text(None)
    ('0.04 s', '3.2 s', '3 min 12 s', '–')
    """
    if value is None:
        return "–"
    if value < 1:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds} s"


def share_text(value: float) -> str:
    """A share as whole percent; 100 % only when it is all of it.

    >>> share_text(1.0), share_text(0.999), share_text(0.5)
    ('100 %', '99 %', '50 %')
    """
    return f"{int(value * 100 + 1e-9)} %"


def count_text(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> count_text(1, "arm"), count_text(1234, "model call"), count_text(2, "answer was", "answers were")
    ('1 arm', '1,234 model calls', '2 answers were')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def clean_text(text: str) -> str:
    r"""A model's or a file's words on one line, without signs that move a terminal's cursor.

    >>> clean_text("one\n\x1b[2Jtwo")
    'one [2Jtwo'
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def flat_text(value: Any, name: str = "") -> list[tuple[str, str]]:
    """A nested mapping as (dotted name, text) pairs, in its own order.

    >>> flat_text({"seed": 7, "versions": {"ray": "2.60.0"}, "arms": ["a", "b"]})
    [('seed', '7'), ('versions.ray', '2.60.0'), ('arms', '["a", "b"]')]
    """
    if isinstance(value, Mapping):
        return [
            pair
            for key, inner in value.items()
            for pair in flat_text(inner, f"{name}.{key}" if name else str(key))
        ]
    return [(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))]
