"""From an empty cluster to a green platform, by the README's commands and nothing else."""

from __future__ import annotations

import json

import pytest

from .conftest import PARTS, Stack, applications
from .figures import Figures

pytestmark = pytest.mark.cluster


def test_the_readme_is_all_that_was_typed(stack: Stack) -> None:
    assert len(stack.typed) >= 3
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
    from .cluster import wait_for

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
