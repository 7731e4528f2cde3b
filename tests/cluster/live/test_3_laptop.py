"""What a laptop with a kubeconfig does: look at the platform, forward its ports, and send it a study."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from . import studies
from .cluster import Cluster, end
from .conftest import Stack

pytestmark = pytest.mark.cluster

DREAM = (sys.executable, "-m", "dream.cli")


def test_doctor_finds_every_part_well(stack: Stack) -> None:
    said = json.loads(stack.cluster.run(*DREAM, "doctor", "--cluster", "--json"))
    assert said["healthy"], [check for check in said["checks"] if not check["well"]]
    assert len(said["checks"]) >= 10


@contextmanager
def connected(cluster: Cluster) -> Iterator[list[str]]:
    """`dream connect` under way; gives the lines that it prints for a shell."""
    opened = cluster.start(
        *DREAM,
        "connect",
        "--json",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        assert opened.stdout is not None
        text = ""
        for line in opened.stdout:
            text += line
            if line.startswith("}"):
                break
        told: dict[str, Any] = json.loads(text)
        yield told["exports"]
    finally:
        end(opened)


def test_a_study_is_sent_over_the_forwarded_ports_and_found_again(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its models are the platform's, so only a job in the cluster can have asked them."""
    folder: Path = tmp_path_factory.mktemp("sent")
    study = studies.write(folder / "sent", studies.SMALL, studies.IN_CLUSTER, studies.IN_CLUSTER)
    run = " ".join([*DREAM, "run", str(study), "--submit", "--storage", "s3://dream/sent"])
    with connected(stack.cluster) as exports:
        said = stack.cluster.shell("\n".join([*exports, run]), seconds=500)
        assert "mlflow    http" in said, said
        nothing_runs = stack.cluster.attempt(
            "bash", "-euc", "\n".join([*exports, " ".join([*DREAM, "attach"])]), seconds=120
        )
        assert nothing_runs.returncode == 2 and "no submitted study runs" in nothing_runs.stderr
        tracked = stack.cluster.shell(
            "\n".join([*exports, f"{sys.executable} -c {json.dumps(EXPERIMENTS)}"]), seconds=120
        )
    assert "small" in tracked


EXPERIMENTS = "import mlflow; print([each.name for each in mlflow.search_experiments()])"
