"""The study as a workflow and as a RayJob: accepted by the real schemas, and made of commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml
from typer.main import get_command

from dream.cli import app

from .conftest import kubeconform
from .programs import ROOT
from .render import documents, kustomize

FOLDER = ROOT / "argocd" / "workflows"


def one(kind: str) -> Any:
    (found,) = [d for d in documents(kustomize(FOLDER)) if d["kind"] == kind]
    return found


def steps() -> list[str]:
    """The workflow's commands in the order in which they depend on each other."""
    (dag,) = [t["dag"]["tasks"] for t in one("WorkflowTemplate")["spec"]["templates"] if "dag" in t]
    before = {task["name"]: re.findall(r"\b[a-z]+\b", task.get("depends", "")) for task in dag}
    done: list[str] = []
    while len(done) < len(dag):
        ready = [name for name, needs in before.items() if name not in done and set(needs) <= set(done)]
        assert ready, "the tasks wait for each other"
        done += ready
    commands = {task["name"]: task["arguments"]["parameters"][0]["value"] for task in dag}
    return [commands[name] for name in done]


def test_the_manifests_are_valid(schema_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "workflows.yaml").write_text(kustomize(FOLDER))
    job = yaml.safe_load((FOLDER / "rayjob.yaml").read_text())
    job["metadata"]["name"] = job["metadata"].pop("generateName") + "1"  # as the API server makes it
    (tmp_path / "rayjob.yaml").write_text(yaml.safe_dump(job))
    assert kubeconform(schema_folder, tmp_path) == {}


def test_a_misspelt_field_would_be_seen(schema_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "workflows.yaml").write_text(kustomize(FOLDER).replace("entrypoint:", "entrypiont:"))
    assert "entrypiont" in str(kubeconform(schema_folder, tmp_path))


def test_steps_are_commands_of_the_shell_in_the_notebooks_order() -> None:
    assert steps() == ["corpus read", "golden build", "plan", "run", "verdict"]
    command: Any = get_command(app)
    for step in steps():
        found = command
        for word in step.split():
            found = found.commands[word]
    job = yaml.safe_load((FOLDER / "rayjob.yaml").read_text())
    assert shlex.split(job["spec"]["entrypoint"])[:2] == ["dream", "run"]


def test_the_form_and_the_clock_fill_the_same_parameters() -> None:
    spec = one("WorkflowTemplate")["spec"]
    form = {p["name"]: p["value"] for p in spec["arguments"]["parameters"]}
    clock = one("CronWorkflow")["spec"]["workflowSpec"]
    assert clock["workflowTemplateRef"]["name"] == one("WorkflowTemplate")["metadata"]["name"]
    assert {p["name"]: p["value"] for p in clock["arguments"]["parameters"]} == form
    assert all(p["description"] for p in spec["arguments"]["parameters"])
    text = yaml.safe_dump(spec)
    assert set(re.findall(r"workflow\.parameters\.(\w+)", text)) == set(form)


def test_the_steps_pods_are_as_closed_as_the_charts() -> None:
    spec = one("WorkflowTemplate")["spec"]
    (container,) = [t["container"] for t in spec["templates"] if "container" in t]
    assert spec["podMetadata"]["labels"] == {"dream.dev/job": "true"}  # what the policies let in
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    values = yaml.safe_load((ROOT / "charts" / "jupyter" / "values.yaml").read_text())["image"]
    assert container["image"] == f"{values['repository']}:{values['tag']}"
    named = {v["name"]: v for v in container["env"]}
    jupyter = yaml.safe_load((ROOT / "charts" / "jupyter" / "values.yaml").read_text())
    assert named["RAY_ADDRESS"]["value"] == jupyter["ray"]["address"]
    assert named["MLFLOW_TRACKING_URI"]["value"] == jupyter["mlflow"]["trackingUri"]
    assert named["AWS_ENDPOINT_URL"]["value"] == jupyter["s3"]["endpoint"]
