"""Ray Datasets, wherever the driver is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray import ObjectRef


def streamed(run: Callable[..., Any], *arguments: Any) -> ObjectRef[Any]:
    """A reference to what a function gives that runs a Ray Dataset.

    It is called in a task, which takes no processor: a driver that came through ``ray://`` cannot run a
    Dataset itself. Where the task's machine is lost, another begins again, so the function records what it
    makes. It begins when what it is given by reference is there.
    """
    import ray

    found: ObjectRef[Any] = ray.remote(num_cpus=0, max_retries=3)(_quietly).remote(run, *arguments)
    return found


def _quietly(run: Callable[..., Any], *arguments: Any) -> Any:
    """Without bars; what Datasets tell goes to Ray's own file."""
    from ray.data import DataContext

    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)  # whoever runs it tells errors, in a sentence
    DataContext.get_current().enable_progress_bars = False
    return run(*arguments)
