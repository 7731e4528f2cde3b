"""Reads the wanted fields and the data out of a ragas prompt, in any of its wire forms."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SCHEMA = "as specified in JSON Schema:\n"
_INPUT = "\ninput: {"
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class RagasPrompt:
    """What a ragas prompt wants and what it is about.

    Attributes:
        instruction: what the prompt says before its schema.
        fields: the top-level properties of the wanted JSON object; ragas names its schemas in two ways,
            their properties in one.
        schema: the JSON schema of the answer.
        data: the input of the prompt.
    """

    instruction: str
    fields: frozenset[str]
    schema: Mapping[str, Any]
    data: Mapping[str, Any]


def split_prompt(prompt: str) -> tuple[str, str]:
    r"""A prompt's head, which all calls of one kind share, and its data.

    Line breaks inside the data are escaped: ``input: {`` at the start of a line is the frame's own.

    >>> split_prompt('Judge.\ninput: {"a": 1}\nOutput: ')
    ('Judge.', '\ninput: {"a": 1}\nOutput: ')
    """
    at = prompt.rfind(_INPUT)
    return (prompt, "") if at < 0 else (prompt[:at], prompt[at:])


def read_ragas_prompt(prompt: str) -> RagasPrompt | None:
    r"""The parts of a ragas prompt, or None where the text is not one.

    >>> read = read_ragas_prompt('Sum up.\n… as specified in JSON Schema:\n'
    ...     '{"properties": {"text": {}}}Do not …\ninput: {"text": "A."}\nOutput: ')
    >>> read.fields, read.data
    (frozenset({'text'}), {'text': 'A.'})
    """
    head, tail = split_prompt(prompt)
    if not tail:
        return None
    known = _read_head(head)
    if known is None:
        return None
    try:
        data, _ = _DECODER.raw_decode(tail, len(_INPUT) - 1)
    except json.JSONDecodeError:
        return None
    instruction, fields, schema = known
    return RagasPrompt(instruction, fields, schema, data)


@functools.lru_cache(maxsize=256)
def _read_head(head: str) -> tuple[str, frozenset[str], Mapping[str, Any]] | None:
    at = head.find(_SCHEMA)
    if at < 0:
        return None
    try:
        schema, _ = _DECODER.raw_decode(head, at + len(_SCHEMA))
    except json.JSONDecodeError:
        return None
    return head[:at], frozenset(schema.get("properties", ())), schema
