"""Ray Datasets, wherever the driver is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any


def streamed(run: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives that runs a Ray Dataset; it is called in a task, which takes no processor.

    A driver that came through ``ray://`` cannot run a Dataset itself. Where the task's machine is lost,
    another begins again, so the function records what it makes.

    Raises:
        RayError: it failed, or its machine was lost again and again.
    """
    import ray

    return ray.get(ray.remote(num_cpus=0, max_retries=3)(_quietly).remote(run, *arguments))


def _quietly(run: Callable[..., Any], *arguments: Any) -> Any:
    """Without bars; what Datasets tell goes to Ray's own file."""
    from ray.data import DataContext

    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)  # whoever runs it tells errors, in a sentence
    DataContext.get_current().enable_progress_bars = False
    return run(*arguments)
