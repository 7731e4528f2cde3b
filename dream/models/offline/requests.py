"""Checks what a caller sent before any rule is applied."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dream.models.offline.styles import STYLES
from dream.models.offline.tokens import encoding

MODELS = (*STYLES, "hashing-384")
_HASHING = re.compile(r"hashing-([1-9]\d{0,4})")


@dataclass
class Refusal(Exception):
    """A request that cannot be answered, with its HTTP status and OpenAI's error code."""

    status: int
    message: str
    code: str | None = None


def read_json(body: bytes) -> dict[str, Any]:
    """The request as a JSON object.

    Raises:
        Refusal: 400, the body is none.

    >>> read_json(b'{"model": "lead"}')
    {'model': 'lead'}
    """
    try:
        request = json.loads(body)
    except ValueError:
        raise Refusal(400, "The body of the request is not JSON.") from None
    if not isinstance(request, dict):
        raise Refusal(400, "The body of the request is not a JSON object.")
    return request


def read_style(request: Mapping[str, Any]) -> str:
    """The chat model of a request.

    Raises:
        Refusal: 404, there is no such model.
    """
    model = request.get("model")
    if model not in STYLES:
        raise Refusal(
            404, f"There is no chat model {model!r}; there are {', '.join(STYLES)}.", "model_not_found"
        )
    return str(model)


def read_messages(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a chat request.

    Raises:
        Refusal: 400, there are none.
    """
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise Refusal(400, "messages is not a list of at least one message.")
    return messages


def read_count(request: Mapping[str, Any], name: str, default: int, most: int) -> int:
    """A whole number from 1 to ``most``.

    >>> read_count({"n": 3}, "n", default=1, most=128)
    3

    Raises:
        Refusal: 400, it is something else.
    """
    value = request.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise Refusal(400, f"{name} is {value!r}; use a whole number from 1 to {most}.")
    return value


def read_dimensions(request: Mapping[str, Any]) -> int:
    """Length of the vectors that an embedding request wants, from ``dimensions`` or the model's name.

    >>> read_dimensions({"model": "hashing-384"})
    384

    Raises:
        Refusal: 404, there is no such model.
    """
    named = _HASHING.fullmatch(str(request.get("model")))
    if not named:
        raise Refusal(
            404,
            f"There is no embedding model {request.get('model')!r}; there is hashing-N, such as hashing-384.",
            "model_not_found",
        )
    return read_count(request, "dimensions", default=int(named[1]), most=99_999)


def read_texts(request: Mapping[str, Any]) -> list[str]:
    """The texts of an embedding request, which may come as tokens.

    >>> read_texts({"input": "one"}), read_texts({"input": ["one", "two"]})
    (['one'], ['one', 'two'])

    Raises:
        Refusal: 400, there are none.
    """
    given = request.get("input")
    if isinstance(given, list) and given and all(isinstance(one, int) for one in given):
        given = [given]
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise Refusal(400, "input is neither a text nor a list of at least one text.")
    return [_text(one) for one in texts]


def _text(given: Any) -> str:
    if isinstance(given, str) and given:
        return given
    if isinstance(given, list) and given and all(isinstance(token, int) for token in given):
        try:
            return encoding().decode(given)
        except (KeyError, IndexError, OverflowError):
            raise Refusal(400, "input holds numbers that are no tokens of cl100k_base.") from None
    raise Refusal(400, "input holds something that is neither a text of at least one character nor tokens.")
