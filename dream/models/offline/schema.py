"""Fills any JSON schema, for prompts that no rule knows: the answer is valid, if not clever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fill_schema(schema: Mapping[str, Any], text: str, root: Mapping[str, Any] | None = None) -> Any:
    """A value that fits a JSON schema, with ``text`` wherever a string is wanted.

    >>> fill_schema({"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}, "x")
    {'a': 'x', 'b': 0}
    """
    root = schema if root is None else root
    if "$ref" in schema:
        return fill_schema(root.get("$defs", {}).get(schema["$ref"].rsplit("/", 1)[-1], {}), text, root)
    for choices in ("anyOf", "oneOf", "allOf"):
        if schema.get(choices):
            return fill_schema(schema[choices][0], text, root)
    if "default" in schema or "const" in schema:
        return schema.get("const", schema.get("default"))
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return {name: fill_schema(part, text, root) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        items = schema.get("items", {})
        return [fill_schema(items, text, root)] * int(schema.get("minItems", 0))
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return {"boolean": False, "null": None}.get(kind, text)
