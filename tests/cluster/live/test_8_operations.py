"""Every command of docs/operations.md and of the README's platform chapter, run in the order of the page.

The chapter on Argo CD ends with its uninstalling, so the chapters after it, which use Helm, begin on an empty
cluster. What cannot be run on the test cluster stands below with its reason, and where it is tried instead.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.manifests.programs import crd_folder

from .cluster import Cluster, CommandFailed, running, wait_for
from .conftest import Stack
from .documents import OPERATIONS, README, Command, commands
from .figures import Figures

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

# Commands that other tests run, or that no test cluster can; each begins with the words on the left.
ELSEWHERE = {
    "kubectl apply --server-side --force-conflicts -k argocd/bootstrap": "the fixture `stack` types it",
    "kubectl apply --server-side -k argocd/root": "the fixture `stack` types it",
    "kubectl apply -k argocd/root": "as above; named in a sentence",
    "kubectl -n argocd delete application minio": "test_7_delete.py types it, with postgres and jupyter",
    "kubectl -n argocd delete application": "test_7_delete.py",
    "kubectl -n dream annotate cluster postgres": "test_7_delete.py",
    "kubectl -n dream delete statefulset,deployment": "test_7_delete.py",
    "kubectl -n dream delete secret --selector": "test_7_delete.py",
    "kubectl -n dream exec jupyter-0 -- dream run": "test_1_first_contact.py",
    "kubectl -n dream port-forward service/mlflow": "test_1_first_contact.py",
    "make test-cluster": "these tests",
    "make secrets": "the fixture `stack` types it, and the chapters on Helm below begin with it",
    "make backup": "test_6_backups.py",
    "make restore": "test_6_backups.py",
    "make check-manifests": "make test runs tests/manifests",
    "make pin-images": "no registry is reached here; tests/manifests/test_pin_images.py has one of its own",
    "make chart-diff": "tests/manifests/test_chart_diff.py, with commits that differ",
    "make lock": "no package registry is reached from a cluster; it would change this checkout",
    "docker build": "no Docker here; the fixture `cluster` runs the Dockerfile's steps",
    "infra/image/build-rootfs.sh": "the fixture `cluster` runs it",
    "infra/kubeadm/": "changes a whole machine; tests/test_kubeadm.py and test_prepare_node.py run --dry-run",
    "argocd repo add": "needs Argo CD's server, which the test cluster leaves out",
    "argocd admin initial-password": "made by Argo CD's server, which the test cluster leaves out",
    "argocd app": "needs Argo CD's server, which the test cluster leaves out",
    "kubectl get tigerastatus": "Calico's; the test cluster has its own network",
    "kubectl -n dream rollout restart statefulset/postgres": "of mode single; its image is not on the node",
    "kubectl -n dream rollout restart": "named without what it restarts",
    "kubectl delete --cascade=orphan": "named without what it deletes",
}

# Commands that look at the platform, or change little of it, while Argo CD has it green: they come first.
LIVE = (
    "kubectl -n argocd wait", "kubectl -n argocd get", "kubectl -n sealed-secrets",
    "kubectl -n dream describe",
    "kubectl --namespace dream describe", "kubectl --namespace dream logs", "kubectl -n dream get",
    "kubectl -n dream logs", "kubectl -n dream create job", "kubectl get", "make rotate-secret",
    ".venv/bin/python -m infra.secrets",
)  # fmt: skip

# What the page leaves to the chapter or the sentence before.
BEFORE = {
    "kubectl delete namespace dream":
        "kubectl -n argocd delete application dream"
        " && kubectl -n argocd delete application dream-ray mlflow models minio postgres jupyter",
    "helm upgrade --install models charts/models --namespace dream":
        "make secrets && kubectl apply --server-side --force-conflicts"
        f" --filename {crd_folder()}/kuberay-1.7.0-rayclusters.yaml",
    "kubectl -n dream delete cluster postgres":
        "helm -n dream upgrade --install postgres charts/postgres --set storage.size=1Gi"
        " --set resources.requests.cpu=50m",
}  # fmt: skip

# Those that a person ends: they are given some seconds.
UNTIL_STOPPED = ("kubectl -n argocd get applications --watch", "kubectl --namespace dream port-forward")

ALL = {one.text: one for one in [*commands(README, "For the platform engineer", inline=True),
                                 *commands(OPERATIONS, inline=True)]}  # fmt: skip


def reason(text: str) -> str:
    """Why a command is not run here; nothing if it is."""
    return next((why for start, why in ELSEWHERE.items() if text.startswith(start)), "")


def in_order() -> list[Command]:
    """What is run here: first what needs the green platform, then the rest in the order of the page."""
    run = [one for one in ALL.values() if not reason(one.text)]
    return sorted(run, key=lambda one: (not one.text.startswith(LIVE), one.line))


@pytest.fixture(scope="module")
def bench(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cluster, Path]:
    """Where the commands run, and a folder with small values for each chart."""
    folder = tmp_path_factory.mktemp("values")
    overlay = yaml.safe_load((stack.fork.folder / "argocd/overlays/laptop/values.yaml").read_text())
    for part, its in overlay["parts"].items():
        (folder / f"{part}.yaml").write_text(yaml.safe_dump(its["values"]))
    return stack.cluster, folder


def as_typed(text: str, values: Path) -> str:
    """A command with the words that the page leaves to its reader, and values that fit the test's node."""
    text = re.sub(r"^(\.venv/bin/)?python -m", f"{sys.executable} -m", text)
    chart = re.search(r"charts/([a-z-]+)", text)
    if chart and text.startswith("helm") and "--reuse-values" not in text:
        text += f" --values {values}/{chart[1]}.yaml"
    return text


@pytest.mark.parametrize("command", in_order(), ids=lambda one: f"{one.line}: {one.text[:70]}")
def test_the_command_does_what_it_says(command: Command, bench: tuple[Cluster, Path]) -> None:
    cluster, values = bench
    if command.text.startswith("helm test jupyter") and not (cluster.folder / "notebooks").is_dir():
        pytest.skip("the checkout has no notebooks, and the test of jupyter looks for them")
    if first := BEFORE.get(command.text):
        cluster.shell(first, seconds=600)
        settle(cluster)
    typed = as_typed(command.text, values)
    if command.text.startswith(UNTIL_STOPPED):
        with running(cluster, "bash", "-c", typed) as process:
            time.sleep(5)
            assert process.poll() is None, "it ended by itself"
        return
    if command.text == "python -m infra.secrets --rotate dream-s3":
        with pytest.raises(CommandFailed, match="no CronJob minio-setup"):  # the sentence says: refuses
            cluster.shell(typed)
        return
    cluster.shell(typed, seconds=800)
    if command.text.startswith(("helm", "kubectl --namespace dream delete", "make rotate")):
        settle(cluster)


def settle(cluster: Cluster) -> None:
    """Wait until every Pod that is wanted is ready, as a person does before the next command."""

    def ready() -> bool:
        for each in cluster.get("deployments,statefulsets"):
            status, wanted = each.get("status", {}), each["spec"]["replicas"]
            if status.get("observedGeneration", 0) < each["metadata"]["generation"]:
                return False
            if status.get("readyReplicas", 0) != wanted or status.get("updatedReplicas", 0) != wanted:
                return False
        return True

    wait_for(ready, "every Pod ready", seconds=400)


def test_every_command_is_run_by_a_test(figures: Figures) -> None:
    unused = [start for start in ELSEWHERE if not any(text.startswith(start) for text in ALL)]
    assert not unused, f"no page has these any more: {unused}"
    figures["commands of the pages"] = len(ALL)
    figures["of these run in page order"] = len(in_order())
