"""checkov's policies over everything that is rendered; each exception has its reason and is needed."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from .programs import tools_environment
from .render import Case


@dataclass(frozen=True)
class Allowed:
    """A policy that some resources may break, and why that is right."""

    check: str
    resources: str
    reason: str


HELM_TESTS = r"Pod\.dream\.[a-z-]+-test"

EXCEPTIONS = (
    Allowed(
        "CKV_K8S_15", ".*", "tags are exact versions, so pulling again could only fail, never bring news"
    ),
    Allowed("CKV_K8S_43", ".*", "no digest is invented; `make pin-images` asks a registry for the real ones"),
    Allowed(
        "CKV_K8S_40", ".*", "1000 is the user that the images were made for; Pods see no files of the host"
    ),
    Allowed(
        "CKV_K8S_35",
        ".*",
        "Ray and the clients of S3 and MLflow read keys from variables only; no token of Kubernetes' API is "
        "in the Pods, so nothing in them could list the variables of others",
    ),
    Allowed("CKV_K8S_8", HELM_TESTS, "it runs once and ends; a probe would only be in its way"),
    Allowed("CKV_K8S_9", HELM_TESTS, "it serves nobody"),
    Allowed(
        "CKV2_K8S_6",
        HELM_TESTS,
        "it lives for seconds, opens no port, and tries the policies out",
    ),
)


@pytest.fixture(scope="module")
def broken(
    cases: tuple[Case, ...], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[tuple[str, str], set[str]]:
    """Policy and resource to the names of the cases in which the resource breaks the policy."""
    folder = tmp_path_factory.mktemp("scan")
    texts: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        texts[case.text + ray_pods(case)].append(case.name)  # the same text is scanned once
    names = {}
    for number, (text, owners) in enumerate(texts.items()):
        (folder / f"{number}.yaml").write_text(text)
        names[f"{number}.yaml"] = owners
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for failure in scan(folder):
        found[failure["check_id"], failure["resource"]] |= set(names[Path(failure["file_path"]).name])
    return found


def scan(folder: Path) -> list[dict[str, str]]:
    """The policies that the files of a folder break, as checkov tells them."""
    # Without --skip-download it would ask its vendor for guidelines.
    options = [
        "--framework",
        "kubernetes",
        "--skip-download",
        "--quiet",
        "--compact",
        "--soft-fail",
        "-o",
        "json",
    ]
    command: list[str | Path] = [tools_environment() / "bin" / "checkov", "-d", folder, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    said = json.loads(done.stdout)
    assert said["summary"]["resource_count"] > 0 and not said["summary"]["parsing_errors"]
    failures: list[dict[str, str]] = said["results"]["failed_checks"]
    return failures


def ray_pods(case: Case) -> str:
    """The Pods that KubeRay will make, written out, as checkov does not look into a RayCluster."""
    text = ""
    for document in case.documents:
        if document["kind"] != "RayCluster":
            continue
        groups = [document["spec"]["headGroupSpec"], *document["spec"]["workerGroupSpecs"]]
        for number, group in enumerate(groups):
            template = group["template"]
            metadata = {**template["metadata"], "name": f"ray-{number}", "namespace": "dream"}
            spec = {**template["spec"], "containers": [probed(c) for c in template["spec"]["containers"]]}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            text += f"---\n{yaml.safe_dump(pod)}"
    return text


def probed(container: Mapping[str, object]) -> dict[str, object]:
    """A container with the probes that KubeRay gives it when it has none of its own."""
    probe = {"exec": {"command": ["true"]}}
    return {"livenessProbe": probe, "readinessProbe": probe, **container}


def excepted(check: str, resource: str) -> bool:
    return any(e.check == check and re.fullmatch(e.resources, resource) for e in EXCEPTIONS)


def test_no_policy_is_broken(broken: Mapping[tuple[str, str], set[str]]) -> None:
    assert not {key: sorted(where)[:3] for key, where in broken.items() if not excepted(*key)}


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda e: e.check)
def test_every_exception_is_needed(exception: Allowed, broken: Mapping[tuple[str, str], set[str]]) -> None:
    used = [r for check, r in broken if check == exception.check and re.fullmatch(exception.resources, r)]
    assert used, f"{exception.check} is not broken by {exception.resources} any more: take the exception out"


def test_the_scan_sees_a_bad_pod(tmp_path: Path) -> None:
    bad = {"containers": [{"name": "bad", "image": "bad:latest", "securityContext": {"privileged": True}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad", "namespace": "dream"}, "spec": bad}
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(pod))
    # Privileged, the image's tag, a user that may be root.
    assert {failure["check_id"] for failure in scan(tmp_path)} >= {"CKV_K8S_16", "CKV_K8S_14", "CKV_K8S_23"}
