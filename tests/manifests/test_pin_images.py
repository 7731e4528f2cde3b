"""``infra/pin-images`` against a real registry on this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .programs import ROOT, program

SCRIPT = ROOT / "infra" / "pin-images"


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """Address of a registry in memory, on a free port of the loopback."""
    command = [program("crane"), "registry", "serve", "--address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr
            # It says its port in its first line: "serving on port 41651".
            for line in server.stderr:
                if found := re.search(r"(?:port |:)(\d+)\b", line.split("serving", 1)[-1]):
                    yield f"127.0.0.1:{found[1]}"
                    break
            else:
                raise AssertionError("the registry did not start")
        finally:
            server.terminate()


def push(reference: str, content: str, folder: Path) -> str:
    """Put an image with one file into the registry; returns the digest that the registry computed."""
    layer, file = folder / "layer.tar", folder / "content"
    file.write_text(content)
    subprocess.run(["tar", "-cf", layer, "-C", folder, file.name], check=True)
    command: list[str | Path] = [program("crane"), "append", "--new_layer", layer, "--new_tag", reference]
    pushed = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(pushed.stdout).strip().rpartition("@")[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one chart of two images, and an overlay that takes another version of one."""
    write(tmp_path / "argocd/apps/values.yaml", {"parts": {
        "store": {"path": "charts/store", "values": {"image": {"tag": "1.1"}}},
        "plain": {"path": "argocd/overlays/plain/manifests", "kind": "kustomize"},
        "off": {"path": "charts/store", "enabled": False},
        "operator": {"chart": {"name": "x"}, "values": {}},
    }})  # fmt: skip
    write(
        tmp_path / "argocd/overlays/newer/values.yaml",
        {"parts": {"store": {"values": {"image": {"tag": "2.0"}}}}},
    )
    return tmp_path


def charts(root: Path, registry: str) -> None:
    image = {"repository": f"{registry}/team/store", "tag": "1.0", "digest": "", "pullPolicy": "IfNotPresent"}
    client = {"repository": f"{registry}/team/client", "tag": "3.1", "digest": ""}
    pod = {"spec": {"containers": [{"name": "store", "image": f"{registry}/team/store:1.1"}]}}
    write(root / "argocd/overlays/plain/manifests/pod.yaml", pod)
    write(root / "charts/store/values.yaml", {"image": image, "client": {"image": client}, "replicas": 1})


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))


def pin(root: Path, *arguments: str, crane: str | None = None) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        sys.executable,
        SCRIPT,
        "--root",
        root,
        "--crane",
        crane or program("crane"),
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_digests_are_the_registrys_own(registry: str, repository: Path, tmp_path: Path) -> None:
    charts(repository, registry)
    store = push(f"{registry}/team/store:1.1", "store 1.1", tmp_path)
    client = push(f"{registry}/team/client:3.1", "client", tmp_path)
    newer = push(f"{registry}/team/store:2.0", "store 2.0", tmp_path)
    assert len({store, client, newer}) == 3

    done = pin(repository)
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((repository / "argocd/overlays/pinned/values.yaml").read_text())
    expected = {"image": {"digest": store}, "client": {"image": {"digest": client}}}
    plain = {"images": [f"{registry}/team/store:1.1@{store}"]}
    assert written == {"parts": {"store": {"values": expected}, "plain": plain}}

    assert pin(repository, "--overlay", "newer", "--out", str(tmp_path / "out.yaml")).returncode == 0
    assert (
        yaml.safe_load((tmp_path / "out.yaml").read_text())["parts"]["store"]["values"]["image"]["digest"]
        == newer
    )


def test_nothing_is_written_when_one_image_is_unknown(
    registry: str, repository: Path, tmp_path: Path
) -> None:
    charts(repository, f"{registry}/elsewhere")
    push(f"{registry}/elsewhere/team/store:1.1", "store", tmp_path)
    done = pin(repository)
    assert done.returncode == 1
    assert "elsewhere/team/client:3.1" in done.stderr and "Traceback" not in done.stderr
    assert not (repository / "argocd/overlays/pinned").exists()


def test_a_registry_out_of_reach_is_said(repository: Path) -> None:
    charts(repository, "127.0.0.1:1")
    done = pin(repository)
    assert done.returncode == 1
    assert "nothing was written" in done.stderr and "127.0.0.1:1/team/store:1.1" in done.stderr


def test_what_is_missing_is_said(repository: Path) -> None:
    assert "there is no overlay nowhere" in pin(repository, "--overlay", "nowhere").stderr
    charts(repository, "127.0.0.1:1")
    assert "no-such-crane is not installed" in pin(repository, crane="no-such-crane").stderr
