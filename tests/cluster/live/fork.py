"""The fork: this checkout as a platform engineer would push it, her one address set, served by Git."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .cluster import CACHE, ROOT

ADDRESS = "git://10.88.0.1/dream.git"
OVERLAY = Path(__file__).with_name("overlay.yaml")


@dataclass(frozen=True)
class Fork:
    """A checkout whose commits Argo CD follows.

    Attributes:
        folder: the checkout; documents' commands are run here.
        address: where Argo CD reads it.
    """

    folder: Path
    address: str

    def git(self, *words: str) -> str:
        """A git command in the checkout."""
        who = ["-c", "user.name=platform", "-c", "user.email=platform@example.org"]
        return subprocess.run(
            ["git", *who, *words], cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout

    def push(self, message: str) -> str:
        """Commit what changed and push it; gives the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", "--force", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD").strip()


def make_fork(folder: Path) -> Fork:
    """Copy this checkout, set the address and the overlays as the README says, and push it.

    The test cluster's server is used, or with a cluster of your own the repository that
    ``DREAM_TEST_GIT`` (where to push) and ``DREAM_TEST_GIT_URL`` (where Argo CD reads it) name.
    """
    address = os.environ.get("DREAM_TEST_GIT_URL", ADDRESS)
    target = os.environ.get("DREAM_TEST_GIT", str(CACHE / "run" / "git" / "dream.git"))
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        os.utime(folder / name, (0, 0))  # older than the environment, or make would install it anew

    root = folder / "argocd" / "root" / "application.yaml"
    text = re.sub(r"repoURL: .*", f"repoURL: {address}", root.read_text())
    overlays = "\n".join(f"        - ../overlays/{name}/values.yaml" for name in ("laptop", "test"))
    root.write_text(text.replace("        - values.yaml\n", f"        - values.yaml\n{overlays}\n"))
    (folder / "argocd" / "overlays" / "test").mkdir()
    shutil.copy(OVERLAY, folder / "argocd" / "overlays" / "test" / "values.yaml")

    fork = Fork(folder, address)
    if "DREAM_TEST_GIT" not in os.environ and not Path(target).exists():
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", target], check=True)
    fork.git("init", "--quiet", "--initial-branch=main")
    fork.git("remote", "add", "origin", target)
    fork.push("The fork, with its address and overlays")
    return fork


def use_local_release(fork: Fork, manifests: Path) -> None:
    """Put the test cluster's copy of Argo CD's release in the place of the one on the net.

    The copy is the release without its web page, and with images that this node has.
    """
    file = fork.folder / "argocd" / "bootstrap" / "kustomization.yaml"
    shutil.copytree(manifests, file.parent / "release")
    file.write_text(re.sub(r"- https://\S+", "- release", file.read_text()))
    fork.push("Argo CD's release from this machine")
