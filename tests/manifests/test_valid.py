"""Every chart and every overlay renders, and Kubernetes 1.36 and the operators would accept it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import kubeconform
from .programs import crd_folder, program
from .render import (
    APPS,
    Case,
    chart_cases,
    charts,
    is_helm_test,
    overlay_cases,
    overlay_sets,
    run_helm,
    title,
)
from .schemas import custom_schemas

GOOD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: good}
spec:
  selector: {matchLabels: {app: good}}
  template:
    metadata: {labels: {app: good}}
    spec: {containers: [{name: good, image: "good:1.0.0"}]}
"""


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_lints(chart: Path) -> None:
    values = ["--set", "repository.url=https://git.example.org/d.git,repository.revision=main"]
    done = run_helm("lint", "--strict", "--quiet", chart, *(values if chart == APPS else []))
    assert done.returncode == 0, done.stdout + done.stderr


def test_charts_are_valid_against_the_schemas(invalid: dict[str, list[str]]) -> None:
    wrong = {case.name: invalid[case.name] for case in chart_cases() if invalid[case.name]}
    assert not wrong


@pytest.mark.parametrize("names", overlay_sets(), ids=title)
def test_overlays_are_valid_against_the_schemas(
    names: tuple[str, ...], invalid: dict[str, list[str]]
) -> None:
    wrong = {case.name: invalid[case.name] for case in overlay_cases(names) if invalid[case.name]}
    assert not wrong


def test_nothing_is_rendered_twice_within_one_namespace(cases: tuple[Case, ...]) -> None:
    for case in cases:
        names = [(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in case.documents]
        assert len(names) == len(set(names)), f"{case.name} renders a resource twice"


def test_every_chart_has_a_helm_test() -> None:
    # A chart whose proof was forgotten would still pass all other checks here.
    without = [case.name for case in chart_cases() if not any(map(is_helm_test, case.documents))]
    assert not without


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (("replicas:", "replicas: 1"), ""),
        (("spec:\n  selector", "spec:\n  replicass: 1\n  selector"), "replicass"),
        (("spec:\n  selector", "spec:\n  replicas: one\n  selector"), "replicas"),
        (("metadata: {name: good}", "metadata: {name: good, label: {}}"), "label"),
        (('image: "good:1.0.0"', "images: good"), "images"),
        (("apps/v1", "apps/v1beta1"), "could not find schema"),
    ],
)
def test_the_validator_sees(
    broken: tuple[str, str], complaint: str, schema_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.yaml").write_text(GOOD.replace(*broken))
    found = kubeconform(schema_folder, tmp_path).get("one.yaml", [])
    assert (complaint in "".join(found)) and bool(found) == bool(complaint)


@pytest.mark.parametrize(
    ("resource", "complaint"),
    [
        ("apiVersion: ray.io/v1\nkind: RayCluster\nspec: {headGroupSpec: {}, autoscalr: true}", "autoscalr"),
        ("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nspec: {instances: three}", "instances"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {project: dream}", "destination"),
        ("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nspec: {gatewayClassName: a}", "listeners"),
    ],
)
def test_the_validator_knows_the_operators_resources(
    resource: str, complaint: str, schema_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.yaml").write_text(f"{resource}\nmetadata: {{name: one}}\n")
    (found,) = kubeconform(schema_folder, tmp_path)["one.yaml"]
    assert complaint in found


def test_all_shared_schemas_are_used() -> None:
    program("kubeconform")
    assert len(list(custom_schemas(crd_folder()))) >= 18
