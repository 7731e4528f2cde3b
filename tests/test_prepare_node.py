"""prepare-node.sh and upgrade-node.sh on a whole Debian in a folder, with real apt, keys and packages.

The packages are small ones of the right names and versions, in archives made here and signed with a key made
here; everything else is the scripts' and Debian's own.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.test_kubeadm import KUBEADM, VERSIONS, Done, run, tools

pytestmark = pytest.mark.servers
__all__ = ["tools"]

OURS = {"kubelet", "kubeadm", "kubectl", "cri-tools", "kubernetes-cni"}
SYSTEM = ["conntrack", "curl", "ethtool", "gnupg", "iptables", "openssl", "socat", "ca-certificates"]


def shell(command: str, **options: object) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return str(done.stdout)


def make_package(folder: Path, name: str, version: str, unit: bool) -> None:
    """A package that holds its own name and, for a service, a unit as systemd wants it."""
    tree = folder / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: tests <t@example.org>\n"
        "Description: stands in\n",
        "utf-8",
    )
    if unit:
        service = tree / f"lib/systemd/system/{name.removesuffix('.io')}.service"
        service.parent.mkdir(parents=True)
        service.write_text("[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n", "utf-8")
    shell(f"dpkg-deb --root-owner-group --build {tree} {folder}/{name}_{version.replace('~', '_')}.deb")
    shutil.rmtree(tree)


def make_archive(folder: Path, packages: dict[str, str], home: Path, flat: bool) -> None:
    """An apt archive, signed: flat as Kubernetes', or with a suite as Docker's."""
    lists = folder if flat else folder / "dists/bookworm"
    binary = folder if flat else lists / "stable/binary-amd64"
    binary.mkdir(parents=True, exist_ok=True)
    for name, version in packages.items():
        make_package(folder, name, version, unit=name in {"kubelet", "containerd.io"})
    shell(f"cd {folder} && dpkg-scanpackages --multiversion . 2>/dev/null >{binary}/Packages")
    about = "" if flat else "Suite=bookworm Codename=bookworm Components=stable Architectures=amd64"
    options = " ".join(f"-o APT::FTPArchive::Release::{each}" for each in about.split())
    release = shell(f"cd {lists} && rm -f Release InRelease && apt-ftparchive {options} release .")
    (lists / "Release").write_text(release, "utf-8")
    shell(f"gpg --homedir {home} --batch --yes --clearsign -o {lists}/InRelease {lists}/Release")


class Machine:
    """A Debian in a folder, and archives that it can reach."""

    def __init__(self, root: Path, versions: Path) -> None:
        self.root, self.versions = root, versions

    def run(self, script: str, *arguments: str) -> Done:
        return run(script, "--root", self.root, "--versions", self.versions, *arguments)

    def chroot(self, command: str) -> str:
        return shell(f"chroot {self.root} {command}")

    def state(self) -> dict[str, tuple[int, int, bytes | str]]:
        """Every file below /etc, and what dpkg holds: path to mode, time and content."""
        found: dict[str, tuple[int, int, bytes | str]] = {}
        for path in [*(self.root / "etc").rglob("*"), self.root / "var/lib/dpkg/status"]:
            about = path.lstat()
            if stat.S_ISLNK(about.st_mode):
                found[str(path)] = (about.st_mode, 0, str(path.readlink()))
            elif stat.S_ISREG(about.st_mode):
                found[str(path)] = (about.st_mode, about.st_mtime_ns, path.read_bytes())
        return found


@pytest.fixture(scope="module")
def machine(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    if os.geteuid() != 0:
        assert not os.environ.get("CI")
        pytest.skip("a Debian in a folder takes root")
    for command in ("dpkg-scanpackages", "apt-ftparchive", "gpg"):
        if not shutil.which(command):
            shell("apt-get update -qq && apt-get install -y -qq dpkg-dev apt-utils gnupg >/dev/null")
    folder = tmp_path_factory.mktemp("machine")
    root = folder / "root"
    cluster = KUBEADM.parents[2] / "shared/cluster/cluster"
    shell(f"{cluster} root {root} --suite bookworm systemd {' '.join(SYSTEM)}")
    (root / "etc/fstab").write_text("UUID=1 / ext4 defaults 0 1\n/dev/sdb1 none swap sw 0 0\n", "utf-8")

    home = folder / "gpg"
    home.mkdir(mode=0o700)
    gpg = f"gpg --homedir {home} --batch"
    shell(f"{gpg} --passphrase '' --quick-gen-key 'archive <a@example.org>' rsa2048 sign never")
    key = shell(f"{gpg} --with-colons --list-keys | awk -F: '/^fpr/ {{print $10; exit}}'").strip()
    served = root / "srv"  # inside, so that apt in there reaches it
    release = VERSIONS["KUBERNETES_PACKAGE"]
    kubernetes = dict.fromkeys(("kubelet", "kubeadm", "kubectl"), release)
    kubernetes |= {
        "cri-tools": VERSIONS["CRI_TOOLS_PACKAGE"],
        "kubernetes-cni": VERSIONS["KUBERNETES_CNI_PACKAGE"],
    }
    containerd = f"{VERSIONS['CONTAINERD_VERSION']}-{VERSIONS['CONTAINERD_REVISION']}~debian.12~bookworm"
    for name, packages in {
        "kubernetes/old": kubernetes,
        "kubernetes/new": kubernetes | dict.fromkeys(("kubelet", "kubeadm", "kubectl"), "1.37.1-1.1"),
    }.items():
        (served / name).mkdir(parents=True)
        make_archive(served / name, packages, home, flat=True)
        shell(f"{gpg} --armor --export >{served / name}/Release.key")
    (served / "docker/debian").mkdir(parents=True)
    make_archive(served / "docker/debian", {"containerd.io": containerd}, home, flat=False)
    shell(f"{gpg} --armor --export >{served}/docker/debian/gpg")

    # curl runs outside, apt inside: one path that means the same to both
    (folder / "served").symlink_to(served)
    shell(f"mkdir -p {root}{folder} && ln -s /srv {root}{folder}/served")
    versions = folder / "versions.env"
    text = (KUBEADM / "versions.env").read_text("utf-8")
    text += f"KUBERNETES_ARCHIVE=file://{folder}/served/kubernetes/old\nKUBERNETES_KEY={key}\n"
    text += f"DOCKER_ARCHIVE=file://{folder}/served/docker\nDOCKER_KEY={key}\n"
    versions.write_text(text, "utf-8")
    return Machine(root, versions)


def test_a_machine_is_prepared_once(machine: Machine) -> None:
    before = machine.state()
    dry = machine.run("prepare-node.sh", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert machine.state() == before, "a dry run changed something"
    for shown in (
        "+br_netfilter",
        "+net.ipv4.ip_forward=1",
        "+# no swap under Kubernetes: /dev/sdb1",
        "apt-mark",
    ):
        assert shown in dry.stdout

    first = machine.run("prepare-node.sh")
    assert first.returncode == 0, first.stdout + first.stderr
    installed = machine.chroot("dpkg-query -W -f '${Package}=${Version}\\n'").split()
    for name in ("kubelet", "kubeadm", "kubectl"):
        assert f"{name}={VERSIONS['KUBERNETES_PACKAGE']}" in installed
    assert set(machine.chroot("apt-mark showhold").split()) == OURS | {"containerd.io"}
    fstab = (machine.root / "etc/fstab").read_text("utf-8")
    assert fstab == "UUID=1 / ext4 defaults 0 1\n# no swap under Kubernetes: /dev/sdb1 none swap sw 0 0\n"
    assert "SystemdCgroup = true" in (machine.root / "etc/containerd/config.toml").read_text("utf-8")
    wants = machine.root / "etc/systemd/system/multi-user.target.wants"
    assert {each.name for each in wants.iterdir()} >= {"kubelet.service", "containerd.service"}
    assert stat.S_IMODE((machine.root / "opt/local-path-provisioner").stat().st_mode) == 0o700

    after = machine.state()
    second = machine.run("prepare-node.sh")
    assert second.stdout == "node: nothing to change\n", second.stdout + second.stderr
    assert machine.state() == after
    assert machine.run("prepare-node.sh", "--dry-run").stdout == "node: nothing to change\n"


def test_what_was_changed_by_hand_is_put_back_and_nothing_else(machine: Machine) -> None:
    machine.run("prepare-node.sh")
    sysctl = machine.root / "etc/sysctl.d/90-dream-kubernetes.conf"
    sysctl.write_text("net.ipv4.ip_forward=0\n", "utf-8")
    machine.chroot("apt-mark unhold kubelet")
    done = machine.run("prepare-node.sh")
    assert done.stdout.splitlines()[-1] == "node: 2 changes", done.stdout
    assert "net.ipv4.ip_forward=1" in sysctl.read_text("utf-8")
    assert "kubelet" in machine.chroot("apt-mark showhold").split()


def test_an_archive_with_another_key_is_refused(machine: Machine, tmp_path: Path) -> None:
    machine.run("prepare-node.sh")
    wrong = tmp_path / "versions.env"
    wrong.write_text(machine.versions.read_text("utf-8") + f"KUBERNETES_KEY={'A' * 40}\n", "utf-8")
    before = machine.state()
    done = Machine(machine.root, wrong).run("prepare-node.sh")
    assert done.returncode == 2
    assert f"not {'A' * 40}; nothing was taken from there" in done.stderr
    assert machine.state() == before


def test_an_upgrade_goes_one_minor_version_up_and_never_back(machine: Machine, tmp_path: Path) -> None:
    machine.run("prepare-node.sh")

    def asked_for(version: str, archive: str) -> Machine:
        text = machine.versions.read_text("utf-8")
        text += f"KUBERNETES_VERSION={version}\nKUBERNETES_PACKAGE={version}-1.1\n"
        path = tmp_path / f"{version}.env"
        path.write_text(text.replace("/kubernetes/old", f"/kubernetes/{archive}"), "utf-8")
        return Machine(machine.root, path)

    assert "more than one minor version" in asked_for("1.38.0", "new").run("upgrade-node.sh").stderr
    assert "run upgrade-node.sh" in asked_for("1.37.1", "new").run("prepare-node.sh").stderr
    newer = asked_for("1.37.1", "new")
    before = machine.state()
    assert "would run" in newer.run("upgrade-node.sh", "--dry-run").stdout
    assert machine.state() == before
    done = newer.run("upgrade-node.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.chroot("dpkg-query -W -f '${Version}' kubelet") == "1.37.1-1.1"
    assert set(machine.chroot("apt-mark showhold").split()) == OURS | {"containerd.io"}
    assert newer.run("upgrade-node.sh").stdout == "node: nothing to change\n"
    assert "cannot go back" in machine.run("upgrade-node.sh").stderr
