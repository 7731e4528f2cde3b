"""The JSON of OpenAI's API: completions, stream events, embeddings, models and errors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CREATED = 0  # a clock would make two runs differ
_PIECE = re.compile(r"\s*\S+(?:\s+\S+){0,3}\s*")


@dataclass(frozen=True)
class Completion:
    """An answer to a chat request.

    Attributes:
        body: the request, as it came.
        model: the model that was asked.
        text: the answer.
        finish: "stop", or "length" where the answer was cut.
        prompt_tokens: tokens of the request.
        completion_tokens: tokens of all choices.
        choices: how many times the answer is given.
    """

    body: bytes
    model: str
    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    choices: int

    def frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """What every completion and every stream event holds."""
        name = hashlib.blake2b(self.body, digest_size=12).hexdigest()
        return {
            "id": f"chatcmpl-{name}",
            "object": kind,
            "created": CREATED,
            "model": self.model,
            "system_fingerprint": "offline",
            "choices": choices,
        }

    @property
    def usage(self) -> dict[str, int]:
        """Token counts."""
        return usage(self.prompt_tokens, self.completion_tokens)


def usage(prompt: int, completion: int = 0) -> dict[str, int]:
    """OpenAI's usage object.

    >>> usage(3, 2)
    {'prompt_tokens': 3, 'completion_tokens': 2, 'total_tokens': 5}
    """
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def write_completion(done: Completion) -> dict[str, Any]:
    """A whole chat completion."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": done.text, "refusal": None},
            "logprobs": None,
            "finish_reason": done.finish,
        }
        for index in range(done.choices)
    ]
    return {**done.frame("chat.completion", choices), "usage": done.usage}


def write_events(done: Completion, include_usage: bool) -> Iterator[bytes]:
    """A chat completion as server-sent events of a few words each."""

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + dump({**done.frame("chat.completion.chunk", choices), **more}) + b"\n\n"

    def choice(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}

    for index in range(done.choices):
        yield event([choice(index, {"role": "assistant", "content": ""})])
        for piece in _PIECE.findall(done.text):
            yield event([choice(index, {"content": piece})])
        yield event([choice(index, {}, done.finish)])
    if include_usage:
        yield event([], usage=done.usage)
    yield b"data: [DONE]\n\n"


def write_embeddings(model: str, vectors: NDArray[np.float32], packed: bool, tokens: int) -> dict[str, Any]:
    """Embedding vectors as lists of numbers, or packed as base64 of little-endian float32.

    >>> import numpy as np
    >>> write_embeddings("hashing-2", np.float32([[1, 0]]), packed=True, tokens=1)["data"]
    [{'object': 'embedding', 'index': 0, 'embedding': 'AACAPwAAAAA='}]
    """
    data = [
        {"object": "embedding", "index": index, "embedding": _pack(vector) if packed else vector.tolist()}
        for index, vector in enumerate(vectors)
    ]
    counted = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": counted}


def write_models(names: Sequence[str]) -> dict[str, Any]:
    """The list of models."""
    return {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "created": CREATED, "owned_by": "dream-offline"} for name in names
        ],
    }


def write_error(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """An error as OpenAI words it.

    >>> write_error("No such model.", "invalid_request_error", "model_not_found")["error"]["code"]
    'model_not_found'
    """
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def dump(value: Any) -> bytes:
    r"""Compact JSON.

    >>> dump({"a": "é"})
    b'{"a":"\xc3\xa9"}'
    """
    # a request may hold half of a surrogate pair, which UTF-8 cannot
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _pack(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
