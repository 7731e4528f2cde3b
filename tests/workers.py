"""Ray's processes, found by their titles and killed: actors and tasks of a run, or of a machine."""

from __future__ import annotations

import contextlib

import psutil


def workers_of(pid: int, title: str) -> list[psutil.Process]:
    """Processes below that one whose titles begin so, such as ``ray::ImplicitFunc`` for trials."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                found += [process] if " ".join(process.cmdline()).startswith(title) else []
    return found


def kill_newest(found: list[psutil.Process]) -> None:
    """Kill -9 of the one that began last."""
    assert found, "there is no such process"
    max(found, key=lambda process: process.create_time()).kill()
