"""Every command in the operations page and in the README's chapter for platform engineers.

What can be run without a cluster is run: Helm renders with the very flags, kustomize builds the very folder,
make looks the target up, programs parse their arguments. What needs one is checked against what the charts
render: the resource that it names is there.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest

from infra.secrets.catalogue import KINDS

from .programs import ROOT, program
from .render import all_cases, documents, is_helm_test, run_helm

PAGES = (ROOT / "docs" / "operations.md", ROOT / "README.md")

# Kinds as kubectl's users write them.
KIND_OF = {"service": "Service", "statefulset": "StatefulSet", "deployment": "Deployment", "secret": "Secret"}


def commands() -> list[str]:
    """The platform's commands in code blocks, comments cut off, pipes and sequences taken apart."""
    found: list[str] = []
    for page in PAGES:
        fenced = False
        for line in page.read_text().splitlines():
            if line.startswith("```"):
                fenced = not fenced
            elif fenced or line.startswith("    "):
                command = re.split(r"\s#\s", line.strip())[0]
                parts = [part.strip() for part in re.split(r"[;|]", command)]
                found += [part for part in parts if re.match(r"(kubectl|helm|make|infra/|\.venv/)", part)]
    return list(dict.fromkeys(found))


@cache
def rendered_names() -> set[tuple[str, str]]:
    """(kind, name) of everything that any chart or overlay renders."""
    return {(doc["kind"], doc["metadata"]["name"]) for case in all_cases() for doc in case.documents}


def test_there_are_commands_of_every_kind() -> None:
    first = [command.split()[0] for command in commands()]
    assert len(first) >= 25
    assert {"kubectl", "helm", "make"} <= set(first)


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith("make ")])
def test_make_knows_the_target(command: str) -> None:
    done = subprocess.run(["make", "-n", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith("helm ")])
def test_helm_does_it(command: str) -> None:
    verb, *rest = shlex.split(command)[1:]
    names = [word for word in rest if not word.startswith("-")]
    release = names[0]
    chart = ROOT / "charts" / release
    assert chart.is_dir(), f"no chart is installed as {release}"
    if verb == "upgrade":
        flags = [word for word in rest[rest.index(f"charts/{release}") + 1 :] if word != "--reuse-values"]
        done = run_helm("template", release, chart, *flags)
        assert done.returncode == 0, done.stderr
    elif verb == "test":
        made = documents(run_helm("template", release, chart).stdout)
        assert any(is_helm_test(document) for document in made)
    else:
        assert verb in {"rollback", "uninstall"}


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith("kubectl ")])
def test_kubectl_finds_what_it_names(command: str) -> None:
    words = shlex.split(command)
    folders = [Path(ROOT, words[place + 1]) for place, word in enumerate(words) if word == "-k"]
    for folder in folders:
        assert (folder / "kustomization.yaml").is_file(), folder
        if folder.name != "bootstrap":  # its release comes from outside; test_bootstrap builds it
            assert (
                subprocess.run([program("kubectl"), "kustomize", folder], capture_output=True).returncode == 0
            )
    for word in words:
        kind, slash, name = word.partition("/")
        if slash and kind in KIND_OF:
            assert (KIND_OF[kind], name) in rendered_names(), word
    for place, word in enumerate(words[:-1]):
        name = words[place + 1]
        if word == "secret" and words[place - 1] == "get":
            assert name in KINDS, f"make secrets makes no {name}"
        if word == "statefulset":
            assert ("StatefulSet", name) in rendered_names()
        if word == "persistentvolumeclaim":
            claim, _, of = name.partition("-")
            assert ("StatefulSet", of.removesuffix("-0")) in rendered_names(), f"no StatefulSet makes {claim}"
        if word == "application":
            parts = {one for one in words[place + 1 :] if not one.startswith("-")}
            known = {name for kind, name in rendered_names() if kind == "Application"} | {"dream"}
            assert parts <= known, parts - known


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith(("infra/", ".venv/"))])
def test_programs_exist_and_take_their_arguments(command: str) -> None:
    words = shlex.split(command)
    if words[0].startswith("infra/"):
        script = ROOT / words[0]
        assert script.stat().st_mode & 0o111, f"{words[0]} cannot be executed"
        assert subprocess.run(["bash", "-n", script], capture_output=True).returncode == 0
        shown = subprocess.run([script, "--help"], capture_output=True, text=True)
        assert shown.returncode == 0, shown.stderr
        for flag in (word for word in words if word.startswith("--")):
            assert flag in shown.stdout, f"{words[0]} does not tell of {flag}"
    else:
        assert words[1:3] == ["-m", "infra.secrets"], command
        assert words[words.index("--rotate") + 1] in KINDS
