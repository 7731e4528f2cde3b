"""What a process and all that it starts take, read from /proc while they run."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Watch:
    """What was seen.

    Attributes:
        seconds: from beginning to end.
        cpu_seconds: of the process and its descendants; the last half second of each may be missed.
        driver_megabytes: most memory that the process itself had.
        most_megabytes: most memory that any of them had.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    driver_megabytes: int = 0
    most_megabytes: int = 0


@contextmanager
def watched(pid: int, every: float = 0.3) -> Iterator[Watch]:
    """Watch a process and its descendants for as long as the block runs."""
    watch, ended = Watch(), threading.Event()
    started, taken = time.monotonic(), dict[int, float]()

    def look() -> None:
        while not ended.wait(every):
            for each in family(pid):
                taken[each] = max(taken.get(each, 0.0), cpu_seconds(each))
                memory = _megabytes(each)
                watch.most_megabytes = max(watch.most_megabytes, memory)
                if each == pid:
                    watch.driver_megabytes = max(watch.driver_megabytes, memory)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.seconds = round(time.monotonic() - started, 2)
        ended.set()
        thread.join()
        watch.cpu_seconds = round(sum(taken.values()), 1)


def cpu_seconds(pid: int) -> float:
    """Processor seconds that a process took so far; 0 if it is gone."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def family(pid: int) -> list[int]:
    """The process and all that it started which live, it first."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    found = [pid]
    for each in found:
        found += children[each]
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, the state first; nothing if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def _megabytes(pid: int) -> int:
    """The process's peak resident memory."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
