"""A Ray cluster of two machines without a common lock file: equal work is done once, and one may be lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dream.models.offline import RunningServer
from tests.faults.cluster import RayMachines
from tests.faults.conftest import CALLS_AT_ONCE, Undisturbed, make_study
from tests.faults.s3 import MortalS3
from tests.faults.watching import JSON, Record, ended, paid_once, under_way
from tests.sweep.shell import dream_command, environment, numbers, read_end, started
from tests.workers import kill_newest

pytestmark = pytest.mark.faults


def test_two_drivers_on_two_machines_ask_once_though_the_keeper_of_claims_is_killed(
    tmp_path: Path,
    models: RunningServer,
    bucket_server: MortalS3,
    machines: RayMachines,
    there: dict[str, str],
    undisturbed: Undisturbed,
    record_property: Record,
) -> None:
    storage = f"s3://{bucket_server.server.bucket()}/dream"
    study = make_study(tmp_path, models.url)
    drivers = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        drivers.append(
            subprocess.Popen(
                dream_command("run", study, "--storage", storage, *JSON),
                cwd=tmp_path / place,
                # drivers on machines of their own: each with its own folder for locks
                env=environment({**there, "TMPDIR": str(tmp_path / place)}),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        under_way(models, undisturbed)
        kill_newest(machines.workers("ray::ClaimsKeeper"))
        said = [driver.communicate(timeout=500) for driver in drivers]
    finally:
        for driver in drivers:
            driver.kill()
    assert [driver.returncode for driver in drivers] == [0, 0], said
    for driver, (stdout, stderr) in zip(drivers, said, strict=True):
        assert numbers(read_end(driver.returncode, stdout, stderr)) == undisturbed.numbers
    paid_once(models, undisturbed, record_property, again=0)
    assert models.calls()["by_kind"] == undisturbed.calls["by_kind"]


def test_a_study_goes_on_without_a_machine_that_was_killed(
    tmp_path: Path,
    models: RunningServer,
    bucket_server: MortalS3,
    machines: RayMachines,
    there: dict[str, str],
    undisturbed: Undisturbed,
    record_property: Record,
) -> None:
    storage = f"s3://{bucket_server.server.bucket()}/dream"
    study = make_study(tmp_path, models.url, trials_at_once=4)  # two on each machine
    with started(study, storage, *JSON, env=there) as process:
        under_way(models, undisturbed)
        assert machines.workers("ray::ImplicitFunc", 1), "no trial runs on the second machine"
        machines.kill(1)
        after = ended(process)
    assert after.code == 0, after.errors
    assert numbers(after) == undisturbed.numbers
    paid_once(models, undisturbed, record_property, again=CALLS_AT_ONCE)
