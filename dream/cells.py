"""Classes and functions that a user wrote in a notebook: their source, and their way to the workers.

They live in ``__main__``, which no worker can import, so they travel by value. Their source is read
where they were written, as part of the ledger's key, and travels with them.
"""

from __future__ import annotations

import hashlib
import inspect
import linecache
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

NOTEBOOK = "__main__"

DIGEST = "__dream_digest__"  # of the source, set where that can be read


def from_notebook(thing: Any) -> bool:
    """Whether a class or function was written in a notebook's cell, or in the script that runs."""
    return getattr(thing, "__module__", None) == NOTEBOOK


def notebook_digest(thing: Any) -> str:
    """Hash of the source of a notebook's class or function, and of all in the notebook that it uses.

    A helper in another cell counts, as do the values of the plain constants it names: what would change
    the thing's results must change the hash. On another machine it is the hash that the thing was sent with.
    """
    if not all(function.__globals__ is vars(sys.modules[NOTEBOOK]) for function in _functions(thing)):
        return str(thing.__dict__[DIGEST])
    texts: dict[str, str] = {}
    _gather(thing, texts)
    digest = hashlib.sha256(
        "\0".join(f"{name}\n{texts[name]}" for name in sorted(texts)).encode()
    ).hexdigest()
    return digest[:16]


def packed(things: Sequence[Any]) -> bytes:
    """The notebook's things as bytes that ``unpacked`` turns back on another machine."""
    from ray import cloudpickle

    for thing in things:
        setattr(thing, DIGEST, notebook_digest(thing))
    if not things:
        return b""
    return bytes(cloudpickle.dumps(list(things)))  # type: ignore[no-untyped-call]


def unpacked(data: bytes) -> list[Any]:
    """What was packed; the data come from the user's own driver, never from a corpus or the ledger."""
    from ray import cloudpickle

    return list(cloudpickle.loads(data)) if data else []


def _gather(thing: Any, texts: dict[str, str]) -> None:
    name = getattr(thing, "__qualname__", repr(thing))
    if name in texts:
        return
    texts[name] = _source(thing)
    bases = [base for base in thing.__mro__[1:] if from_notebook(base)] if isinstance(thing, type) else []
    for base in bases:
        _gather(base, texts)
    for function in _functions(thing):
        for used in sorted(_names(function.__code__)):
            value = function.__globals__.get(used)
            if value is None or isinstance(value, types.ModuleType):
                continue
            if from_notebook(value) and isinstance(value, type | types.FunctionType):
                _gather(value, texts)
            elif isinstance(value, str | bytes | int | float | bool | tuple | frozenset):
                texts[used] = repr(value)


def _functions(thing: Any) -> Iterator[types.FunctionType]:
    if isinstance(thing, type):
        for value in vars(thing).values():
            plain = inspect.unwrap(getattr(value, "__func__", getattr(value, "fget", None) or value))
            if isinstance(plain, types.FunctionType) and from_notebook(plain):  # not what pydantic adds
                yield plain
    else:
        yield thing


def _names(code: types.CodeType) -> set[str]:
    """Global names that a piece of code uses, in its inner functions too."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _source(thing: Any) -> str:
    """Text of the whole cell, or file, that a thing was written in; its code where there is no text."""
    functions = list(_functions(thing))
    for function in functions:
        lines = linecache.getlines(function.__code__.co_filename)
        if lines:
            return _block(thing, lines)
    return "".join(
        function.__code__.co_code.hex() + repr(function.__code__.co_consts) for function in functions
    )


def _block(thing: Any, lines: list[str]) -> str:
    """Only the thing's own statement: what else stands in its cell may print and try at will."""
    import ast

    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:  # a cell with magics
        return "".join(lines)
    for node in tree.body:
        if (
            isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name == thing.__name__
        ):
            return ast.unparse(node)
    return "".join(lines)
