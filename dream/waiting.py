"""Waiting for a coroutine in a script, and in a notebook, whose kernel runs a loop already."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end in a loop of its own, in another thread if this one has a running loop.

    >>> async def seven() -> int:
    ...     return 7
    >>> async def as_in_a_notebook() -> int:
    ...     return wait_for(seven())
    >>> wait_for(seven()), asyncio.run(as_in_a_notebook())
    (7, 7)
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
