"""Nothing secret is written down: no Secret is rendered, no variable holds a literal, no file a key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from .pods import containers, pod_specs
from .programs import ROOT
from .render import Case, Document, describe

SECRET_NAME = re.compile(r"(PASSWORD|PASSWD|TOKEN|SECRET|ACCESS_KEY|CREDENTIAL|PRIVATE_KEY)", re.IGNORECASE)
# Variables named so that hold no secret: how to sign in, or where a file with one lies.
HARMLESS = re.compile(r"_(FILE|PATH|MODE)$|^TOKENIZERS_PARALLELISM$|EXPIR")

WRITTEN_DOWN = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "a password in an address": re.compile(r"\w+://[^\s:/@{}$]+:[^\s@/{}$]+@"),
    "a default password": re.compile(r"(?i)\b(minioadmin|changeme|hunter2|password123)\b"),
    "a value for a password": re.compile(
        r"(?im)^\s*[\w-]*(password|secret-?key|auth-?token)\s*[:=]\s*['\"]?(?!\s*$)[\w+/=-]{6,}['\"]?\s*$"
    ),
}


def literals(document: Document) -> Iterator[str]:
    """Variables of a resource's Pods that are named like a secret and hold a literal."""
    for path, pod in pod_specs(document):
        for container in containers(pod):
            for variable in container.get("env") or []:
                name = variable["name"]
                if SECRET_NAME.search(name) and not HARMLESS.search(name) and variable.get("value"):
                    yield f"{path}: {name}"


def test_no_secret_is_rendered(cases: tuple[Case, ...]) -> None:
    found = [f"{case.name}: {describe(d)}" for case in cases for d in case.documents if d["kind"] == "Secret"]
    assert not found


def test_no_variable_holds_a_secret(cases: tuple[Case, ...]) -> None:
    found = [
        f"{case.name}: {describe(d)}{where}"
        for case in cases
        for d in case.documents
        for where in literals(d)
    ]
    assert not found


def files() -> list[Path]:
    folders = [ROOT / name for name in ("charts", "argocd", "infra")]
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if "__pycache__" not in path.parts and path.suffix != ".lock")


def written_down(text: str) -> list[str]:
    return [what for what, pattern in WRITTEN_DOWN.items() if pattern.search(text)]


def test_no_file_holds_a_secret() -> None:
    assert not {str(p.relative_to(ROOT)): found for p in files() if (found := written_down(p.read_text()))}


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----", "key: AKIAABCDEFGHIJKLMNOP", "postgresql://mlflow:sesame@postgres/mlflow",
        "rootPassword: correcthorse", "user: minioadmin",
    ],
)  # fmt: skip
def test_a_secret_in_a_file_is_found(text: str) -> None:
    assert written_down(text)


def test_a_literal_is_found() -> None:
    def pod(variable: Mapping[str, object]) -> Document:
        return {"spec": {"containers": [{"name": "web", "env": [variable]}]}}

    assert list(literals(pod({"name": "RAY_AUTH_TOKEN", "value": "sesame"})))
    assert not list(literals(pod({"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": {}}})))
    assert not list(literals(pod({"name": "RAY_AUTH_MODE", "value": "token"})))
