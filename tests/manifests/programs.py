"""The programs that the manifest checks run: Helm, kubectl, kubeconform, crane, argocd, checkov."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
CACHE = Path.home() / ".cache" / "dream" / "manifest-tools"
LOCK = Path(__file__).with_name("tools.lock")


def absent(reason: str) -> NoReturn:
    """Skip, with the reason; but fail where nobody would read it.

    In CI a check that silently does not run is worse than one that fails.
    """
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def _test_cluster_programs() -> Path | None:
    """Where the test cluster keeps its programs; None on a machine that has no test cluster."""
    script = SHARED / "cluster" / "cluster"
    if not script.exists():
        return None
    shown = subprocess.run([script, "tools"], capture_output=True, text=True, check=True)
    return Path(shown.stdout.split()[-1])


@functools.cache
def program(name: str) -> str:
    """Path of a program: the one on the PATH, else the test cluster's; skips the test where there is none."""
    if found := shutil.which(name):
        return found
    folder = _test_cluster_programs()
    if folder is None or not (folder / name).exists():
        absent(f"{name} is neither on the PATH nor among the test cluster's programs; install it to run this")
    return str(folder / name)


def crd_folder() -> Path:
    """Folder with the operators' schemas; skips the test where there is none."""
    folder = SHARED / "crds"
    if not folder.exists():
        absent(f"{folder} is not there: the operators' resources cannot be validated")
    return folder


@functools.cache
def tools_environment() -> Path:
    """A virtual environment with checkov and the Kubernetes schemas, from ``tools.lock``; made once.

    It is apart from the project's own, because checkov pins a hundred packages to its own liking.
    """
    wanted = LOCK.read_text()
    CACHE.mkdir(parents=True, exist_ok=True)
    done = CACHE / "installed.lock"
    with (CACHE / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # two test runs at once install once
        if not done.exists() or done.read_text() != wanted:
            uv = shutil.which("uv") or str(ROOT / ".tools" / "uv" / "bin" / "uv")
            python = CACHE / "venv" / "bin" / "python"
            commands: tuple[list[str | Path], ...] = (
                [uv, "venv", "--quiet", "--clear", "--python", sys.executable, CACHE / "venv"],
                [uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", LOCK],
            )
            for command in commands:
                made = subprocess.run(command, capture_output=True, text=True, check=False)
                if made.returncode != 0:
                    absent(f"the scanners cannot be installed: {made.stderr.strip()}")
            done.write_text(wanted)
    return CACHE / "venv"
