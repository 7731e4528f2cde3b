"""What a fault test sees of a study under way: how far it is, how it ended, and what was paid twice."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from dream.models.offline import RunningServer
from tests.faults.conftest import BATCH, Undisturbed
from tests.sweep.shell import Ended, read_end, wait_until

JSON = ("--json", "--quiet")

Record = Callable[[str, object], None]


def under_way(models: RunningServer, undisturbed: Undisturbed, share: float = 0.4) -> None:
    """Wait until that share of the calls was made."""
    wanted = share * undisturbed.calls["chat"]
    wait_until(lambda: models.calls()["chat"] > wanted, "so many of the calls", 400)


def ended(process: subprocess.Popen[str]) -> Ended:
    said, errors = process.communicate(timeout=300)
    return read_end(process.returncode, said, errors)


def paid_once(models: RunningServer, undisturbed: Undisturbed, record: Record, *, again: int) -> None:
    """The calls of the undisturbed study were made, and at most so many of them once more."""
    paid, whole = models.calls(), undisturbed.calls
    more = {name: paid[name] - whole[name] for name in ("chat", "embedded_texts")}
    record("paid", f"{paid['chat']} calls, {paid['repeats']} repeats, {more} more than undisturbed")
    assert 0 <= more["chat"] <= again
    assert 0 <= more["embedded_texts"] <= again * BATCH
    assert paid["repeats"] <= again
