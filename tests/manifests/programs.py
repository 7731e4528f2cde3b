"""The programs that the manifest checks run: Helm, kubectl, kubeconform, crane, argocd, checkov."""

from __future__ import annotations

import fcntl
import functools
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.fixtures import missing
from tests.servers.programs import cluster_programs

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
CACHE = Path.home() / ".cache" / "dream" / "manifest-tools"
LOCK = Path(__file__).with_name("tools.lock")


@functools.cache
def program(name: str) -> str:
    """Path of a program: the one on the PATH, else the test cluster's; skips the test where there is none."""
    if found := shutil.which(name):
        return found
    folder = cluster_programs()
    if folder is None or not (folder / name).exists():
        missing(f"{name} is neither on the PATH nor among the test cluster's programs: install it")
    return str(folder / name)


def crd_folder() -> Path:
    """Folder with the operators' schemas; skips the test where there is none."""
    folder = SHARED / "crds"
    if not folder.exists():
        missing(f"{folder} is not there: the operators' resources cannot be validated")
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
                    missing(f"the scanners cannot be installed: {made.stderr.strip()}")
            done.write_text(wanted)
    return CACHE / "venv"
