"""The ledger's disk is full while a study makes its indexes, and while it asks."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dream.models.offline import RunningServer
from tests.faults.conftest import BATCH, CALLS_AT_ONCE, Undisturbed, make_study
from tests.faults.watching import JSON, Record, ended, paid_once, under_way
from tests.servers.fixtures import missing
from tests.sweep.shell import numbers, run, started, wait_until

pytestmark = pytest.mark.faults


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "none", folder], capture_output=True
    ).returncode:
        missing("a small disk cannot be mounted here; it takes root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(folder).free < 4096
    return filler


@pytest.mark.parametrize("doing", ["embeds", "asks"])
def test_a_full_disk_ends_the_run_in_words_and_what_was_recorded_is_kept(
    doing: str,
    small_disk: Path,
    tmp_path: Path,
    models: RunningServer,
    undisturbed: Undisturbed,
    record_property: Record,
) -> None:
    study = make_study(tmp_path, models.url)
    embedded = 2 * CALLS_AT_ONCE * BATCH
    with started(study, small_disk / "store", *JSON) as process:
        if doing == "asks":
            under_way(models, undisturbed)
        else:
            wait_until(lambda: models.calls()["embedded_texts"] >= embedded, "the first embeddings", 400)
        filler = fill(small_disk)
        after = ended(process)
    assert after.code in (1, 2)
    assert "No space left" in after.errors + str(after.said)
    assert "Traceback" not in after.errors
    filler.unlink()
    again = run(study, small_disk / "store")
    assert again.code == 0, again.errors
    assert numbers(again) == undisturbed.numbers
    # while an answer is written its place is the next call's, which may be under way when the write fails
    paid_once(models, undisturbed, record_property, again=2 * CALLS_AT_ONCE)
