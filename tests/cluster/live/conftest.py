"""The cluster, its operators, the fork and the stack: each made once, on top of the one before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.sweep.shell import Ended

from . import studies
from .cluster import CACHE, SHARED, Cluster
from .documents import README, commands
from .figures import Figures
from .fork import Fork, make_fork, use_local_release
from .images import make_ours, make_store, name_postgres

# To try one file again and again: the cluster stays, and what is on it is taken as it is.
KEEP = bool(os.environ.get("DREAM_TEST_CLUSTER_KEEP"))

PARTS = {"minio": 0, "postgres": 0, "mlflow": 1, "models": 1, "dream-ray": 1, "jupyter": 2}


@pytest.fixture(scope="session")
def figures() -> Iterator[Figures]:
    """What the tests measured, printed at the end and kept for docs/operations.md."""
    found = Figures()
    yield found
    found.write()


@pytest.fixture(scope="session")
def cluster(figures: Figures) -> Iterator[Cluster]:
    """An empty cluster: that of KUBECONFIG, else one that is started here and ended at the end."""
    if os.environ.get("KUBECONFIG"):
        yield Cluster()
        return
    if not SHARED.exists():
        pytest.fail(f"no cluster: set KUBECONFIG, or put the test cluster at {SHARED.parent}")
    started = time.monotonic()
    make_ours()
    make_store()
    figures["seconds to build the images"] = time.monotonic() - started
    started = time.monotonic()
    if not (KEEP and (CACHE / "run" / "machine").exists()):
        subprocess.run([SHARED, "up"], check=True)
    try:
        for addition in ("netpol", "argocd", "cnpg"):
            subprocess.run([SHARED, addition], check=True, stdout=subprocess.DEVNULL)
        found = Cluster((str(SHARED), "in"))
        name_postgres(found)
        figures["seconds to start the cluster"] = time.monotonic() - started
        yield found
    finally:
        if not KEEP:
            subprocess.run([SHARED, "down"], check=True)


@pytest.fixture(scope="session")
def fork(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Fork:
    """The platform engineer's fork, as Argo CD reads it."""
    made = make_fork(tmp_path_factory.mktemp("fork"))
    if cluster.own:
        use_local_release(made, CACHE / "run" / "argocd")
    return made


@dataclass(frozen=True)
class Stack:
    """The platform on the cluster.

    Attributes:
        cluster: commands run in the fork's folder.
        fork: what Argo CD follows.
        typed: the commands that brought it there, as the README has them.
        seconds: from the first of them until all was green.
    """

    cluster: Cluster
    fork: Fork
    typed: tuple[str, ...]
    seconds: float


@pytest.fixture(scope="session")
def stack(cluster: Cluster, fork: Fork, figures: Figures) -> Stack:
    """The platform, brought by the commands of the README and nothing else, when all of it is green."""
    here = at_fork(cluster, fork)
    page = [one.text for one in commands(README, "For the platform engineer")]
    typed = tuple(page[: next(i for i, text in enumerate(page) if " exec " in text)])
    started = time.monotonic()
    for command in typed:
        here.shell(command, seconds=1900)
    seconds = time.monotonic() - started
    wait_until_green(here, fork)
    figures["seconds from the first command to green"] = seconds
    return Stack(here, fork, typed, seconds)


@dataclass(frozen=True)
class Finished:
    """A study in the cluster that has ended well.

    Attributes:
        study: its path in the Jupyter Pod.
        ended: how it ended, with its leaderboard.
    """

    study: str
    ended: Ended


@pytest.fixture(scope="session")
def small(stack: Stack, tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Finished:
    """The small study, run once: what later is killed, lost or deleted must leave it as it was."""
    study = studies.send(stack.cluster, tmp_path_factory.mktemp("small"), "small")
    ended = studies.in_cluster(stack.cluster, study)
    assert ended.code == 0, ended.errors
    figures["seconds of the small study in the cluster"] = ended.said["seconds"]
    return Finished(study, ended)


def at_fork(cluster: Cluster, fork: Fork) -> Cluster:
    """The cluster for one who stands in the fork; its make uses the environment that runs these tests."""
    uv = Path(sys.prefix).parent / ".tools" / "uv" / "bin"
    environment = {
        "VENV": sys.prefix,
        "PATH": f"{uv}:{os.environ['PATH']}",
        "PYTHONPATH": str(fork.folder),
        "PYTHONWARNINGS": "ignore",
    }
    return replace(cluster, folder=Path(fork.folder), environment=environment)


def wait_until_green(cluster: Cluster, fork: Fork, seconds: float = 900) -> None:
    """Wait until every part is Synced and Healthy at the fork's newest commit."""
    commit = fork.git("rev-parse", "HEAD").strip()
    limit = time.monotonic() + seconds
    while left := not_green(cluster, commit):
        assert time.monotonic() < limit, f"not green after {seconds:.0f} s: {left}"
        time.sleep(2)


def not_green(cluster: Cluster, commit: str) -> dict[str, str]:
    """What is not yet Synced to a commit and Healthy, with what Argo CD says of it."""
    found = {
        one["metadata"]["name"]: one.get("status", {})
        for one in applications(cluster)
        if one.get("status", {}).get("sync", {}).get("revision") == commit
    }
    states = {name: state(found.get(name, {})) for name in ("dream", *PARTS)}
    return {name: said for name, said in states.items() if said != "Synced Healthy"}


def applications(cluster: Cluster) -> list[dict]:
    """All Applications of Argo CD."""
    return cluster.get("applications", "--namespace", "argocd")


def state(status: dict) -> str:
    """Both words on an Application, and its message where it is not well."""
    words = f"{status.get('sync', {}).get('status', '-')} {status.get('health', {}).get('status', '-')}"
    message = status.get("operationState", {}).get("message", "")
    return words if words == "Synced Healthy" else f"{words} {message}"
