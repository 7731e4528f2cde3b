"""The image: what its Dockerfile promises, and that its versions are the lock's and the charts'."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

from infra.image import dockerfile, sbom

ROOT = Path(__file__).parents[1]
IMAGE = ROOT / "infra" / "image"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
STAGES = dockerfile.read_stages(DOCKERFILE)
FINAL = STAGES[-1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OURS = "ghcr.io/dream-rag/dream"


def locked(path: Path) -> dict[str, set[str]]:
    """Package to its versions: more than one where they differ between Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", path.read_text("utf-8"), re.M):
        found.setdefault(name, set()).add(version)
    return found


LOCK = locked(ROOT / "requirements.lock")


def labels() -> dict[str, str]:
    lines = [argument for name, argument in FINAL.instructions if name == "LABEL"]
    return dict(re.findall(r'([\w.]+)="([^"]*)"', " ".join(lines)))


def chart_files(name: str) -> list[Path]:
    found = sorted((ROOT / "charts").glob(f"*/{name}"))
    assert found, "there are no charts"
    return found


def program(name: str) -> str:
    """A linter from the development lock, beside this Python."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        assert not os.environ.get("CI"), f"{name} is missing: it belongs into the development lock"
        pytest.skip(f"{name} is not installed here")
    return str(path)


# --- what the Dockerfile is made of ---


def test_the_reader_of_the_dockerfile_does_what_it_shows() -> None:
    assert doctest.testmod(dockerfile).failed == 0


def test_every_step_runs_once_in_order_and_the_last_one_as_the_user() -> None:
    steps = dockerfile.steps(STAGES)
    assert [script for _, script in steps] == sorted(each.name for each in (IMAGE / "steps").glob("*.sh"))
    assert [user for user, script in steps if script != "50-check.sh"] == ["0"] * (len(steps) - 1)
    assert steps[-1] == ("1000:1000", "50-check.sh")
    assert all(os.access(each, os.X_OK) for each in (IMAGE / "steps").glob("*.sh"))


def test_nothing_is_done_outside_the_steps() -> None:
    """What the test cluster's root file system would then lack."""
    for stage in STAGES:
        for instruction, argument in stage.instructions:
            assert instruction in {"SHELL", "RUN", "COPY", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD"} | {
                "ARG",
                "LABEL",
            }, f"{instruction} is in no list of steps"
            if instruction == "RUN":
                assert argument.split()[-1].startswith("/src/infra/image/steps/"), argument


def test_base_is_an_exact_version_and_each_other_stage_an_earlier_one() -> None:
    earlier: set[str] = set()
    external = []
    for stage in STAGES:
        if stage.base not in earlier:
            external.append(stage.base)
        earlier.add(stage.name)
    assert len(external) == 1 and len(STAGES) >= 3, "one base, built on in several stages"
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", external[0])
    assert labels()["org.opencontainers.image.base.name"] == f"docker.io/library/{external[0]}"


def test_final_stage_runs_as_a_user_with_tini_and_names_its_sbom() -> None:
    assert FINAL.last("USER") == "1000:1000"
    assert json.loads(FINAL.last("ENTRYPOINT")) == ["/usr/bin/tini", "--"]
    assert json.loads(FINAL.last("CMD"))[0] == "dream"
    assert labels()["dev.dream.sbom"] in (IMAGE / "steps" / "40-sbom.sh").read_text("utf-8")
    assert "org.opencontainers.image.revision" in labels()
    copied = [argument for name, argument in FINAL.instructions if name == "COPY"]
    assert copied == ["--from=build /opt/dream /opt/dream"], "the build's tools stay behind"


def test_the_image_speaks_to_nobody_and_finds_its_programs() -> None:
    environment = dockerfile.environment(FINAL)
    assert environment["PATH"].startswith("/opt/dream/bin:")
    assert environment["RAGAS_DO_NOT_TRACK"] == "true"  # "1" does not count
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    secret = re.compile(r"PASSWORD|SECRET|_KEY$|AUTH_TOKEN")
    assert not [name for name in environment if secret.search(name)]


def test_only_what_is_named_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    builder = (IMAGE / "build-rootfs.sh").read_text("utf-8")
    named = re.search(r"^for part in (.*); do$", builder, re.M)
    assert named and set(named[1].split()) == let_in, "the two builders see different sources"
    assert all((ROOT / part).exists() for part in let_in)


def test_the_notebooks_lie_where_the_chart_looks_for_them() -> None:
    path = yaml.safe_load((ROOT / "charts/jupyter/values.yaml").read_text("utf-8"))["notebooks"]["path"]
    steps = {each.name: each.read_text("utf-8") for each in (IMAGE / "steps").glob("*.sh")}
    # links followed: their documents are links to the examples'
    assert f"cp -rL /src/notebooks {path}\n" in steps["30-dream.sh"]
    assert f"[ -s {path}/01_corpus.ipynb ]" in steps["50-check.sh"]


def test_steps_install_by_hash_and_compile() -> None:
    packages = (IMAGE / "steps" / "20-packages.sh").read_text("utf-8")
    tools = (IMAGE / "tools.sh").read_text("utf-8")
    assert "--require-hashes -r /src/requirements.lock" in packages
    assert "--require-hashes" in tools and "UV_COMPILE_BYTECODE=1" in tools and "UV_LINK_MODE=copy" in tools
    for lock in (ROOT / "requirements.lock", IMAGE / "tools.lock"):
        entries = re.split(r"\n(?=\S)", lock.read_text("utf-8").strip())
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    system = (IMAGE / "steps" / "10-system.sh").read_text("utf-8")
    assert "--no-install-recommends" in system and "rm -rf /var/lib/apt/lists/*" in system
    assert {"ca-certificates", "tini", "wget", "bash"} <= set(system.split())


# --- one version of everything ---


def test_python_is_one_minor_version_everywhere() -> None:
    minor = re.match(r"python:(3\.\d+)\.", STAGES[0].base)[1]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert set(re.findall(r"--python-version (\S+)", makefile)) == {minor}, "the lock is for another Python"
    texts = [DOCKERFILE, *(each.read_text("utf-8") for each in IMAGE.rglob("*.sh"))]
    assert set(re.findall(r"\bpython(3\.\d+)", "\n".join(texts))) == {minor}
    assert minor == PROJECT["project"]["requires-python"].removeprefix(">=").split(",")[0]


def test_ray_is_one_version_in_lock_project_and_charts() -> None:
    (ray,) = LOCK["ray"]
    assert any(each == f"ray[tune,client,default]=={ray}" for each in PROJECT["project"]["dependencies"])
    chart = yaml.safe_load((ROOT / "charts/dream-ray/Chart.yaml").read_text("utf-8"))
    values = yaml.safe_load((ROOT / "charts/dream-ray/values.yaml").read_text("utf-8"))
    assert (chart["appVersion"], values["rayVersion"]) == (ray, ray)


def test_mlflow_chart_is_the_locks_mlflow() -> None:
    chart = yaml.safe_load((ROOT / "charts/mlflow/Chart.yaml").read_text("utf-8"))
    assert {chart["appVersion"]} == LOCK["mlflow"]


def test_every_chart_takes_the_image_that_the_dockerfile_makes() -> None:
    version = PROJECT["project"]["version"]
    assert labels()["org.opencontainers.image.version"] == version
    assert f"{OURS}:{version}" in DOCKERFILE
    tags = {}
    for path in chart_files("values.yaml"):
        image = yaml.safe_load(path.read_text("utf-8"))["image"]
        if image["repository"] == OURS:
            tags[path.parent.name] = image["tag"]
    assert set(tags) >= {"dream-ray", "jupyter", "models"}
    assert set(tags.values()) == {version}, tags


def test_the_lock_holds_what_each_role_of_the_image_starts() -> None:
    needed = {"ray", "jupyterlab", "mlflow", "psycopg2-binary", "boto3", "ragas", "onnxruntime"}
    assert needed <= set(LOCK)


def test_tools_are_the_projects_own_versions() -> None:
    tools = locked(IMAGE / "tools.lock")
    wanted = [line for line in (IMAGE / "tools.in").read_text("utf-8").split() if "==" in line]
    assert {f"{name}=={version}" for name in ("uv", "hatchling") for version in tools[name]} == set(wanted)
    assert f"hatchling=={next(iter(tools['hatchling']))}" in PROJECT["build-system"]["requires"]
    assert f"UV_VERSION := {next(iter(tools['uv']))}\n" in (ROOT / "Makefile").read_text("utf-8")


# --- the bill of materials ---


def test_sbom_names_every_installed_package_and_comes_out_the_same_twice() -> None:
    command = [sys.executable, str(IMAGE / "sbom.py")]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
    bill = json.loads(first)
    components = [*bill["components"], bill["metadata"]["component"]]
    python = {each["purl"] for each in components if each["purl"].startswith("pkg:pypi/")}
    assert python == {f"pkg:pypi/{sbom.plain(each.name)}@{each.version}" for each in distributions()}
    assert bill["specVersion"] in labels()["dev.dream.sbom.format"]
    references = [each["bom-ref"] for each in components]
    assert len(references) == len(set(references))
    ray = next(each for each in components if each["name"] == "ray")
    assert ray["licenses"][0]["license"]["name"].startswith("Apache")


def test_sbom_lists_debian_packages_that_are_installed_and_no_others(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.15-1~deb12u1\n"
        "Description: one\n two\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\n"
        "Version: 1\n",
        "utf-8",
    )
    found = sbom.debian_components(status, "12")
    assert [each["purl"] for each in found] == [
        "pkg:deb/debian/libssl3@3.0.15-1~deb12u1?arch=amd64&distro=debian-12"
    ]
    assert sbom.debian_components(tmp_path / "none", "12") == []


# --- linters ---


def test_dockerfile_passes_hadolint() -> None:
    done = subprocess.run([program("hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_scripts_pass_shellcheck() -> None:
    backup = [ROOT / "infra" / "backup" / name for name in ("save", "restore")]
    scripts = [str(each) for each in (*sorted(IMAGE.rglob("*.sh")), *backup)]
    command = [program("shellcheck"), "--external-sources", "--source-path=SCRIPTDIR", *scripts]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
