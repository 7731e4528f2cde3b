"""Runs a WorkflowTemplate's steps as processes, the way Argo runs them as pods."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.image import dockerfile

ROOT = Path(__file__).parents[2]

Secrets = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Step:
    """How a step's process ended; ``code`` is None where its condition did not hold."""

    code: int | None
    said: str = ""
    errors: str = ""

    @property
    def state(self) -> str:
        return "Omitted" if self.code is None else "Failed" if self.code else "Succeeded"


@dataclass(frozen=True)
class Platform:
    """What the cluster has and the manifests only name.

    Attributes:
        services: the addresses in the manifests, and those at which the tests' servers answer.
        secrets: the Secrets' values by name and key.
        folder: where the pods' volumes are.
    """

    services: Mapping[str, str]
    secrets: Secrets
    folder: Path

    def run(self, spec: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Step]:
        """All steps of a workflow in its DAG's order; ``parameters`` are what the form was filled with."""
        filled = {each["name"]: each["value"] for each in spec["arguments"]["parameters"]}
        assert set(parameters) <= set(filled), "the form has no such field"
        values = {f"workflow.parameters.{name}": text for name, text in {**filled, **parameters}.items()}
        templates = {each["name"]: each for each in spec["templates"]}
        ended: dict[str, Step] = {}
        waiting = list(templates[spec["entrypoint"]]["dag"]["tasks"])
        while waiting:
            task = next(each for each in waiting if _named(each) <= set(ended))
            waiting.remove(task)
            if not _holds(task.get("depends", ""), ended):
                ended[task["name"]] = Step(None)
                continue
            given = {f"inputs.parameters.{p['name']}": p["value"] for p in task["arguments"]["parameters"]}
            ended[task["name"]] = self._pod(templates[task["template"]]["container"], {**values, **given})
        return ended

    def _pod(self, container: Mapping[str, Any], values: Mapping[str, str]) -> Step:
        """One container: its own command, arguments and environment, in an empty home."""
        home = self.folder / f"pod-{len(list(self.folder.glob('pod-*')))}"
        home.mkdir()
        environment = _of_the_image()
        for each in container["env"]:
            if "value" in each:
                text = _substituted(each["value"], values)
                environment[each["name"]] = self.services.get(text, text)
            else:
                secret = each["valueFrom"]["secretKeyRef"]
                environment[each["name"]] = self.secrets[secret["name"]][secret["key"]]
        assert container["workingDir"] == environment["HOME"], "a pod's home is where it works"
        environment["HOME"] = str(home)
        words = [_substituted(word, values) for word in [*container["command"], *container["args"]]]
        done = subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True, timeout=300)
        return Step(done.returncode, done.stdout, done.stderr)


def _of_the_image() -> dict[str, str]:
    """What the image sets, with this Python's folders for its own; nothing of this process besides."""
    *_, final = dockerfile.read_stages((ROOT / "Dockerfile").read_text("utf-8"))
    set_there = dockerfile.environment(final)
    python = re.compile(r"/opt/dream/lib/python3\.\d+/site-packages")
    found = {
        name: python.sub(sysconfig.get_path("purelib"), text).replace("/opt/dream", sys.prefix)
        for name, text in set_there.items()
    }
    return {**found, "PYTHONPATH": str(ROOT), "PATH": f"{found['PATH']}{os.pathsep}{os.environ['PATH']}"}


def _substituted(text: str, values: Mapping[str, str]) -> str:
    """The text with ``{{name}}`` filled in; a name that nothing fills is an error, as it is for Argo."""
    return re.sub(r"\{\{\s*([\w.]+)\s*\}\}", lambda found: values[found[1]], text)


def _named(task: Mapping[str, Any]) -> set[str]:
    return set(re.findall(r"(?<![.\w])[a-z][\w-]*", task.get("depends", "")))


def _holds(condition: str, ended: Mapping[str, Step]) -> bool:
    """Whether a ``depends`` of tasks, their states and ``||`` holds."""
    if not condition:
        return True
    for part in condition.split("||"):
        name, _, state = part.strip().partition(".")
        if ended[name].state == (state or "Succeeded"):
            return True
    return False
