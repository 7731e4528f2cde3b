"""From an empty cluster to a green platform, by the README's commands and nothing else."""

from __future__ import annotations

import json
import sys
import time

import pytest

from .cluster import running, wait_for
from .conftest import PARTS, Stack, applications
from .documents import README, commands
from .figures import Figures

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]


def test_the_readme_is_all_that_was_typed(stack: Stack) -> None:
    assert len(stack.typed) == 5
    assert {one.split()[0] for one in stack.typed} <= {"kubectl", "make"}


def test_parts_came_in_the_order_of_their_waves(stack: Stack) -> None:
    born = {
        one["metadata"]["name"]: one["metadata"]["creationTimestamp"] for one in applications(stack.cluster)
    }
    ready = {name: max(ready_times(stack, name)) for name in PARTS}
    for later, wave in PARTS.items():
        for earlier in (name for name in PARTS if PARTS[name] < wave):
            assert ready[earlier] <= born[later], f"{later} was made before {earlier} was ready"


def ready_times(stack: Stack, part: str) -> list[str]:
    """When each Pod of a part became ready."""
    label = "cnpg.io/cluster" if part == "postgres" else "app.kubernetes.io/name"
    pods = stack.cluster.get("pods", "--selector", f"{label}={part}")
    running = [pod for pod in pods if pod["status"]["phase"] == "Running"]
    return [
        condition["lastTransitionTime"]
        for pod in running
        for condition in pod["status"]["conditions"]
        if condition["type"] == "Ready"
    ]


def test_first_leaderboard_is_in_mlflow(stack: Stack, figures: Figures) -> None:
    """The README's last two lines: a study, and where its leaderboard is seen."""
    page = [one.text for one in commands(README, "For the platform engineer")]
    study, look = page[len(stack.typed) :]
    started = time.monotonic()
    said = stack.cluster.shell(study, seconds=1500)
    assert "mlflow    http" in said, said
    seconds = stack.seconds + time.monotonic() - started
    figures["seconds from the first command to a leaderboard in MLflow"] = seconds
    with running(stack.cluster, "bash", "-c", look):
        ask = [sys.executable, "-c", RUNS]
        found = wait_for(lambda: stack.cluster.attempt(*ask).stdout, "MLflow behind the port-forward", 60)
    assert "answer_correctness" in found


RUNS = """
import json, urllib.request
def ask(what, body):
    url = f"http://127.0.0.1:5000/api/2.0/mlflow/{what}/search"
    asked = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(asked, timeout=10))
known = ask("experiments", {"max_results": 100})["experiments"]
print(ask("runs", {"experiment_ids": [each["experiment_id"] for each in known]})["runs"])
"""


@pytest.mark.parametrize("chart", PARTS)
def test_helm_test_passes(stack: Stack, chart: str) -> None:
    # Argo CD renders charts and keeps no releases, so the test's Pods are rendered and run as Helm would.
    if chart == "jupyter" and not (stack.fork.folder / "notebooks").is_dir():
        pytest.skip("the checkout has no notebooks, and the test of jupyter looks for them")
    application = stack.cluster.get("application", chart, "--namespace", "argocd")
    values = json.dumps(application["spec"]["source"]["helm"].get("valuesObject", {}))
    pods = stack.cluster.run(
        "helm", "template", chart, f"charts/{chart}", "--namespace", "dream", "--values", "-",
        "--show-only", f"templates/tests/{test_file(stack, chart)}", stdin=values,
    )  # fmt: skip
    stack.cluster.kubectl("delete", "--ignore-not-found", "--filename", "-", stdin=pods)
    stack.cluster.kubectl("apply", "--filename", "-", stdin=pods)
    try:
        wait_for_end(stack, f"{chart}-test")
    finally:
        stack.cluster.kubectl("delete", "--ignore-not-found", "--wait=false", "--filename", "-", stdin=pods)


def test_file(stack: Stack, chart: str) -> str:
    (file,) = (stack.fork.folder / "charts" / chart / "templates" / "tests").glob("*.yaml")
    return file.name


test_file.__test__ = False


def wait_for_end(stack: Stack, pod: str) -> None:
    def ended() -> str:
        phase = stack.cluster.get("pod", pod)["status"]["phase"]
        return phase if phase in ("Succeeded", "Failed") else ""

    phase = wait_for(ended, f"the end of {pod}")
    assert phase == "Succeeded", stack.cluster.kubectl("logs", pod)


def test_memory_of_the_whole(stack: Stack, figures: Figures) -> None:
    (node,) = (one["metadata"]["name"] for one in stack.cluster.get("nodes"))
    summary = json.loads(stack.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    used = {
        pod["podRef"]["name"]: pod["memory"]["workingSetBytes"] / 2**20
        for pod in summary["pods"]
        if "memory" in pod and pod["podRef"]["namespace"] == "dream"
    }
    figures["MiB of each Pod"] = {name: round(each) for name, each in sorted(used.items())}
    figures["MiB of the stack"] = sum(used.values())
    assert sum(used.values()) < 6 * 1024
