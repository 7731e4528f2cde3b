"""Equal work is done once in the whole cluster: two machines without a common lock file, two drivers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dream.models.offline import start
from tests.faults.cluster import QUIET, RayMachines, ray_machines
from tests.faults.conftest import SLOW, Undisturbed, make_study
from tests.servers.s3 import S3Server
from tests.sweep.shell import dream_command, environment, numbers, read_end

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def machines(s3: S3Server) -> Iterator[RayMachines]:
    with ray_machines([s3.environment()] * 2, cpus=2) as found:
        yield found


def test_two_drivers_on_two_machines_ask_every_question_once(
    tmp_path: Path, s3: S3Server, machines: RayMachines, undisturbed: Undisturbed
) -> None:
    storage = f"s3://{s3.bucket()}/dream"
    with start(SLOW) as models:
        study = make_study(tmp_path, models.url)
        drivers = []
        for place in ("one", "two"):
            (tmp_path / place).mkdir()
            # drivers on machines of their own: each with its own folder for locks and for MLflow
            env = {**s3.environment(), **QUIET, "RAY_ADDRESS": machines.address}
            env |= {"TMPDIR": str(tmp_path / place)}
            drivers.append(
                subprocess.Popen(
                    dream_command("run", study, "--storage", storage, "--json", "--quiet"),
                    cwd=tmp_path / place,
                    env=environment(env),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        said = [driver.communicate(timeout=500) for driver in drivers]
        assert [driver.returncode for driver in drivers] == [0, 0], said
        paid = models.calls()
    assert paid["repeats"] == 0
    assert paid["by_kind"] == undisturbed.calls["by_kind"]
    assert paid["embedded_texts"] == undisturbed.calls["embedded_texts"]
    for driver, (stdout, stderr) in zip(drivers, said, strict=True):
        assert numbers(read_end(driver.returncode, stdout, stderr)) == undisturbed.numbers
