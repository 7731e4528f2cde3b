"""A study in whose midst every part is killed, upgraded and given new secrets.

It is run again whenever its driver died with a Pod, and must end with the leaderboard of an undisturbed one,
having paid for nothing twice but the calls that were in flight when something broke. The model that is also
the judge has a server that nobody touches, so that its count is the truth.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from tests.sweep.shell import Ended, numbers

from . import studies
from .cluster import Cluster, CommandFailed, end, wait_for
from .conftest import Stack, wait_until_green
from .figures import Figures

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

COUNTING = "http://counting:8000/v1"
AT_ONCE = 2  # calls, as the study says
MOST_RUNS = 12
SLOW_CALL = 2.0  # seconds, so that much is left to do when the last disturbance comes, on a slow machine too


@dataclass
class Disturbance:
    """A study that goes on, whatever happens, and what happened.

    Attributes:
        broken: what was done to it while it ran.
        paid_before: calls that the judge's server had counted when each was done.
        runs: how many runs it took.
    """

    cluster: Cluster
    study: str
    broken: list[str] = field(default_factory=list)
    paid_before: list[int] = field(default_factory=list)
    runs: int = 0
    process: Any = None

    def go_on(self) -> None:
        """Start it again if it is not under way; the parts that it needs may still be coming up."""
        if self.process is not None and self.process.poll() is None:
            return
        assert self.runs < MOST_RUNS, f"it ended {self.runs} times: {self.process.communicate()}"
        self.runs += 1
        wait_for(self.connected, "a Ray that answers", seconds=300)
        self.process = studies.started(self.cluster, self.study, "--storage s3://dream/disturbed")

    def connected(self) -> bool:
        program = "import socket; socket.create_connection(('dream-ray-head', 10001), 3)"
        try:
            self.cluster.python(studies.JUPYTER, program, seconds=30)
        except CommandFailed:
            return False
        return True

    def paid(self) -> int:
        """Calls of the undisturbed server so far; -1 while nobody can ask."""
        with contextlib.suppress(CommandFailed):
            return studies.calls(self.cluster, "counting")["chat"]
        return -1

    def in_the_midst(self, what: str, do: Callable[[], object]) -> None:
        """Do something to it once it has made some calls since the last disturbance."""
        self.go_on()
        before = wait_for(lambda: self.paid() + 1, f"a count before {what}") - 1

        def moving() -> bool:
            if self.process.poll() == 0:
                pytest.fail(f"the study had ended before {what}: make it longer")
            self.go_on()
            return self.paid() >= before + 4

        wait_for(moving, f"some calls before {what}", seconds=400)
        self.paid_before.append(self.paid())
        do()
        self.broken.append(what)

    def finish(self) -> Ended:
        """Run it until a run ends well."""
        while True:
            self.go_on()
            ended = studies.finished(self.process, seconds=900)
            if ended.code == 0:
                return ended


@dataclass(frozen=True)
class Outcome:
    """How the disturbed study ended, and what the judge's server counted."""

    ended: Ended
    counted: dict[str, Any]
    disturbance: Disturbance


@pytest.fixture(scope="module")
def counting(stack: Stack) -> Iterator[Cluster]:
    """A second server of the models beside the first, so that one of them is left in peace."""
    make = (
        "helm template counting charts/models --namespace dream --skip-tests --set fullnameOverride=counting"
    )
    stack.cluster.shell(f"{make} | kubectl apply --filename -")
    stack.cluster.kubectl("rollout", "status", "deployment/counting")
    yield stack.cluster
    stack.cluster.shell(f"{make} | kubectl delete --wait=false --filename -")


@pytest.fixture(scope="module")
def alone(counting: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, Any]]:
    """The study when nobody disturbs it, at full speed, and what the judge's server counted."""
    folder, quick = tmp_path_factory.mktemp("quick"), replace(studies.SLOW, more="")
    study = studies.send(counting, folder, "undisturbed", quick, good=COUNTING)
    ended = studies.finished(studies.started(counting, study, "--storage s3://dream/undisturbed"), 900)
    assert ended.code == 0, ended.errors
    counted = studies.calls(counting, "counting")
    counting.python(studies.JUPYTER, POST, "calls/reset", "")
    return ended, counted


POST = """
import sys, urllib.request
path, body = sys.argv[1:]
urllib.request.urlopen(f"http://counting:8000/{path}", data=body.encode(), timeout=20)
"""


def pace(cluster: Cluster, seconds: float) -> None:
    """From now on the judge takes so long to answer."""
    cluster.python(studies.JUPYTER, POST, "latency", json.dumps({"latency": seconds}))


@pytest.fixture(scope="module")
def outcome(
    stack: Stack, alone: object, tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> Iterator[Outcome]:
    cluster = stack.cluster
    study = studies.send(cluster, tmp_path_factory.mktemp("slow"), "slow", studies.SLOW, good=COUNTING)
    started, it = time.monotonic(), Disturbance(cluster, study)
    pace(cluster, SLOW_CALL)
    try:
        for part, selector in PODS.items():
            it.in_the_midst(f"{part} killed", partial(kill, cluster, selector))
        for secret in ("dream-postgres", "dream-s3"):
            rotate = partial(cluster.run, "make", "rotate-secret", f"SECRET={secret}", seconds=900)
            it.in_the_midst(f"{secret} rotated", rotate)
        it.in_the_midst("every chart upgraded", partial(upgrade, stack))
        pace(cluster, 0)
        ended = it.finish()
    finally:
        if it.process is not None:
            end(it.process)
    counted = studies.calls(cluster, "counting")
    figures["disturbances survived"] = it.broken
    figures["judge's calls before each"] = it.paid_before
    figures["runs until the disturbed study was done"] = it.runs
    figures["seconds of the disturbed study"] = time.monotonic() - started
    figures["judge's calls, and how many of them repeated one"] = [counted["chat"], counted["repeats"]]
    yield Outcome(ended, counted, it)


# Parts in the order of how much of a study dies with them.
PODS = {
    "minio": "app.kubernetes.io/name=minio",
    "postgres": "cnpg.io/cluster=postgres",
    "mlflow": "app.kubernetes.io/name=mlflow",
    "models": "app.kubernetes.io/instance=models",
    "ray worker": "app.kubernetes.io/name=dream-ray,app.kubernetes.io/component=worker",
    "ray head": "app.kubernetes.io/name=dream-ray,app.kubernetes.io/component=head",
    "jupyter": "app.kubernetes.io/name=jupyter",
}


def kill(cluster: Cluster, selector: str) -> None:
    """End a part's Pods without a warning, and wait until others are ready."""
    old = {pod["metadata"]["uid"] for pod in cluster.get("pods", "--selector", selector)}
    assert old, selector
    cluster.kubectl("delete", "pods", "--selector", selector, "--grace-period=0", "--force", "--wait=false")

    def replaced() -> bool:
        pods = cluster.get("pods", "--selector", selector)
        return bool(pods) and all(pod["metadata"]["uid"] not in old and ready(pod) for pod in pods)

    wait_for(replaced, f"a new Pod with {selector}", seconds=400)


def ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def upgrade(stack: Stack) -> None:
    """Change the Pods of every chart in Git, and wait until Argo CD has brought it."""
    parts = "".join(
        f"  {part}:\n    values: {{podAnnotations: {{dream.dev/upgraded: '{time.time():.0f}'}}}}\n"
        for part in ("minio", "postgres", "mlflow", "models", "dream-ray", "jupyter")
    )
    overlay = stack.fork.folder / "argocd" / "overlays" / "upgrade"
    overlay.mkdir(exist_ok=True)
    (overlay / "values.yaml").write_text(f"parts:\n{parts}")
    root = stack.fork.folder / "argocd" / "root" / "application.yaml"
    line, more = "        - ../overlays/test/values.yaml\n", "        - ../overlays/upgrade/values.yaml\n"
    if more not in root.read_text():
        root.write_text(root.read_text().replace(line, line + more))
    stack.fork.push("An upgrade of every chart")
    stack.cluster.run("kubectl", "apply", "--server-side", "--kustomize", "argocd/root")
    wait_until_green(stack.cluster, stack.fork)


def test_leaderboard_is_the_undisturbed_ones(outcome: Outcome, alone: tuple[Ended, dict[str, Any]]) -> None:
    assert numbers(outcome.ended) == numbers(alone[0])


def test_every_disturbance_fell_into_a_running_study(outcome: Outcome) -> None:
    assert len(outcome.disturbance.broken) == len(PODS) + 3
    assert outcome.disturbance.runs > 1


def test_nothing_was_paid_twice_but_calls_in_flight(
    outcome: Outcome, alone: tuple[Ended, dict[str, Any]]
) -> None:
    _, before = alone
    counted, interruptions = outcome.counted, len(outcome.disturbance.broken) + outcome.disturbance.runs
    assert counted["chat"] - counted["repeats"] == before["chat"] - before["repeats"]
    assert counted["repeats"] <= before["repeats"] + AT_ONCE * interruptions
