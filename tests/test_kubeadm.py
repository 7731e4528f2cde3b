"""Bare machines to a cluster: kubeadm's own judgement of the configurations, and the scripts' manners.

kubeadm and containerd are the test cluster's programs (``shared/cluster/cluster tools``).
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.servers.fixtures import missing
from tests.servers.programs import cluster_programs
from tests.test_image import program

ROOT = Path(__file__).parents[1]
KUBEADM = ROOT / "infra" / "kubeadm"
SCRIPTS = sorted(KUBEADM.rglob("*.sh"))
# Values of the two forms that join.sh asks for; they open nothing.
TOKEN = "abcdef.0123456789abcdef"
CA_HASH = "sha256:" + hashlib.sha256(b"an authority").hexdigest()
JOIN = f"TOKEN={TOKEN}\nCA_HASH={CA_HASH}\n"


def settings(path: Path) -> dict[str, str]:
    """NAME=value lines, as the scripts read them."""
    lines = re.findall(r"^([A-Z0-9_]+)=(.*)$", path.read_text("utf-8"), re.M)
    return {name: value.strip("'") for name, value in lines}


VERSIONS = settings(KUBEADM / "versions.env")
CLUSTER = settings(KUBEADM / "cluster.env")


@pytest.fixture(scope="session")
def tools() -> Path:
    """Folder of kubeadm, etcd and others; unpacked once on a machine."""
    folder = cluster_programs()
    if folder is None:
        missing("the test cluster's programs are not on this machine")
    return folder


Done = subprocess.CompletedProcess[str]


def run(script: str, *arguments: object, path: Path | None = None, given: str = "") -> Done:
    """One of our scripts, with other programs first on its path."""
    environment = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
    command = [str(KUBEADM / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, input=given)


def rendered(name: str, **values: str) -> str:
    """A configuration with its settings filled in, by the function that the scripts use."""
    code = 'HERE=$0; . "$HERE/lib/common.sh"; options; render "$1"'
    command = ["bash", "-euo", "pipefail", "-c", code, str(KUBEADM), str(KUBEADM / name)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | values)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- configurations ---

FILLED = {
    "NODE_ADDRESS": "192.168.1.10",
    "TOKEN": TOKEN,
    "CA_HASH": CA_HASH,
    "CERTIFICATE_KEY": "0" * 64,
    "METRICS_CA_BUNDLE": "",
}


def test_kubeadm_is_of_the_version_that_is_installed(tools: Path) -> None:
    done = subprocess.run([tools / "kubeadm", "version", "-o", "short"], capture_output=True, text=True)
    assert done.stdout.strip() == f"v{VERSIONS['KUBERNETES_VERSION']}"
    version = f"--kubernetes-version=v{VERSIONS['KUBERNETES_VERSION']}"
    command = [tools / "kubeadm", "config", "images", "list", version]
    listed = subprocess.run(command, capture_output=True, text=True).stdout
    assert f"registry.k8s.io/pause:{VERSIONS['PAUSE_VERSION']}\n" in listed
    assert f"registry.k8s.io/etcd:{VERSIONS['ETCD_VERSION']}\n" in listed


@pytest.mark.parametrize("name", ["init", "join-worker", "join-control-plane", "upgrade"])
def test_kubeadm_finds_each_configuration_valid(name: str, tools: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(rendered(f"config/{name}.yaml", **FILLED), "utf-8")
    done = subprocess.run(
        [tools / "kubeadm", "config", "validate", "--config", config], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "ok", ""), done.stderr


def test_a_misspelt_setting_is_not_found_valid(tools: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    text = rendered("config/init.yaml", **FILLED).replace("serverTLSBootstrap", "serverTLSBootstrab")
    config.write_text(text, "utf-8")
    done = subprocess.run(
        [tools / "kubeadm", "config", "validate", "--config", config], capture_output=True, text=True
    )
    assert "serverTLSBootstrab" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("phase", "shown"),
    [
        ("certs all", 'Generating "etcd/ca" certificate'),
        ("kubeconfig all", f"server: https://{CLUSTER['CONTROL_PLANE_ENDPOINT']}"),
        ("control-plane all", "--kubelet-certificate-authority=/etc/kubernetes/pki/ca.crt"),
        ("etcd local", "--quota-backend-bytes=4294967296"),
        ("kubelet-start", "serverTLSBootstrap: true"),
    ],
)
def test_kubeadm_would_run_each_phase(phase: str, shown: str, tools: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        assert not os.environ.get("CI")
        pytest.skip("kubeadm asks for root")
    config, folder = tmp_path / "config.yaml", tmp_path / "dry"
    config.write_text(rendered("config/init.yaml", **FILLED), "utf-8")
    folder.mkdir()
    environment = os.environ | {"KUBEADM_INIT_DRYRUN_DIR": str(folder)}  # else it is made in /etc/kubernetes
    for each in dict.fromkeys(["certs all", phase]):  # all other phases look for the certificates
        command = [tools / "kubeadm", "init", "phase", *each.split(), "--config", config, "--dry-run"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    written = "".join(path.read_text("utf-8") for path in folder.rglob("*") if path.is_file())
    assert shown in done.stdout + written


def test_kubelets_certificates_are_checked_on_every_way() -> None:
    documents = {each["kind"]: each for each in yaml.safe_load_all(rendered("config/init.yaml", **FILLED))}
    assert documents["KubeletConfiguration"]["serverTLSBootstrap"] is True
    arguments = documents["ClusterConfiguration"]["apiServer"]["extraArgs"]
    assert {"name": "kubelet-certificate-authority", "value": "/etc/kubernetes/pki/ca.crt"} in arguments
    metrics = rendered("addons/metrics-server.yaml", **FILLED)
    parts = [each for each in yaml.safe_load_all(metrics) if each]
    (deployment,) = [each for each in parts if each["kind"] == "Deployment"]
    flags = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert not [flag for flag in flags if "insecure" in flag]
    assert any(flag.startswith("--kubelet-certificate-authority=") for flag in flags)
    (service,) = [each for each in parts if each["kind"] == "APIService"]
    assert "insecureSkipTLSVerify" not in service["spec"] and "caBundle" in service["spec"]
    approver = rendered("addons/kubelet-csr-approver.yaml", **FILLED)
    assert CLUSTER["NODE_NAMES"] in approver and CLUSTER["NODE_SUBNETS"] in approver


def test_subnets_do_not_overlap_and_calico_uses_the_clusters() -> None:
    pods, services = (ipaddress.ip_network(CLUSTER[name]) for name in ("POD_SUBNET", "SERVICE_SUBNET"))
    assert not pods.overlaps(services)
    calico = yaml.safe_load(rendered("addons/calico.yaml"))
    assert calico["spec"]["calicoNetwork"]["ipPools"][0]["cidr"] == str(pods)


def test_containerd_reads_its_configuration(tools: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(rendered("config/containerd.toml"), "utf-8")
    command = [tools / "containerd", "--config", config, "config", "dump"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"SystemdCgroup = true", done.stdout)
    assert f"registry.k8s.io/pause:{VERSIONS['PAUSE_VERSION']}" in done.stdout


@pytest.mark.parametrize("name", ["kubelet-csr-approver", "local-path", "metrics-server"])
def test_add_ons_are_hardened_and_exact(name: str) -> None:
    for part in yaml.safe_load_all(rendered(f"addons/{name}.yaml", **FILLED)):
        if part["kind"] != "Deployment":
            continue
        pod = part["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert re.search(r":v?\d+\.\d+\.\d+$", container["image"]), container["image"]
            assert container["securityContext"] == {
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"] and container["resources"]["limits"]


def test_every_version_is_exact_and_in_one_file() -> None:
    for name, value in VERSIONS.items():
        if name.endswith("_VERSION"):
            assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-\d+)?", value), f"{name}={value}"
        if name.endswith("_SHA256"):
            assert re.fullmatch(r"[0-9a-f]{64}", value)
    minor = VERSIONS["KUBERNETES_VERSION"].rpartition(".")[0]
    assert VERSIONS["KUBERNETES_PACKAGE"].startswith(VERSIONS["KUBERNETES_VERSION"] + "-")
    assert f"/v{minor}/" in VERSIONS["KUBERNETES_ARCHIVE"]
    assert f"/{VERSIONS['CALICO_VERSION']}/" in VERSIONS["CALICO_SOURCE"]
    for path in [*SCRIPTS, *KUBEADM.rglob("*.yaml")]:
        images = re.findall(r"^\s*-? ?image: (\S+)$", path.read_text("utf-8"), re.M)
        assert all(image.endswith("_VERSION}") for image in images), f"{path.name}: {images}"


# --- scripts ---


def test_scripts_pass_shellcheck() -> None:
    command = [program("shellcheck"), "--external-sources", "--source-path=SCRIPTDIR", *map(str, SCRIPTS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", [each.name for each in KUBEADM.glob("*.sh")])
def test_every_script_explains_itself(script: str) -> None:
    done = run(script, "--help")
    assert script in done.stdout, "its call is not in its head"
    text = (KUBEADM / script).read_text("utf-8")
    assert "set -euo pipefail" in text and os.access(KUBEADM / script, os.X_OK)


def test_every_script_that_changes_something_has_a_dry_run() -> None:
    # join-command.sh makes a token, which is all it is for
    without = {
        each.name for each in KUBEADM.glob("*.sh") if "--dry-run" not in run(each.name, "--help").stdout
    }
    assert without == {"join-command.sh"}


@pytest.mark.parametrize(
    ("script", "arguments", "given", "message"),
    [
        ("prepare-node.sh", ["--dryrun"], "", "there is no option --dryrun"),
        ("prepare-node.sh", ["--settings", "/none"], "", "/none cannot be read"),
        ("join.sh", ["--dry-run"], "", "no token on standard input"),
        ("join.sh", ["--dry-run"], "TOKEN=abc\n", "TOKEN on standard input has not the form of one"),
        ("join.sh", ["--dry-run"], f"{JOIN}CERTIFICATE_KEY=$(reboot)\n", "CERTIFICATE_KEY on standard input"),
        ("join.sh", ["--dry-run"], "rm -rf /\n", "standard input holds something else"),
        ("addons.sh", ["--dry-run", "flannel"], "", "there is no part flannel; there are: calico"),
        ("upgrade-node.sh", ["--dry-run"], "", "this machine wants prepare-node.sh"),
        ("etcd-snapshot.sh", ["--dry-run", "/var/backups/x"], "", "go to a control plane node"),
        ("etcd-snapshot.sh", ["--dry-run", "/var/backups/x", "many"], "", "KEEP is a number"),
        ("etcd-restore.sh", ["--dry-run", "/none.db"], "", "there is no snapshot /none.db"),
    ],
)
def test_mistakes_are_named_in_one_sentence(
    script: str, arguments: list[str], given: str, message: str
) -> None:
    done = run(script, *arguments, given=given)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    ("key", "role"), [("", "worker"), (f"CERTIFICATE_KEY={'0' * 64}\n", "control-plane")]
)
def test_a_dry_join_names_the_role_and_no_secret(key: str, role: str, tools: Path, tmp_path: Path) -> None:
    arguments = ["--dry-run", "--root", tmp_path, "--address", "192.168.1.11"]
    done = run("join.sh", *arguments, path=tools, given=JOIN + key)
    assert done.returncode == 0, done.stderr
    assert f"would run: kubeadm join as {role} of {CLUSTER['CONTROL_PLANE_ENDPOINT']}" in done.stdout
    assert TOKEN not in done.stdout and "0" * 64 not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_node_does_not_join_twice(tmp_path: Path) -> None:
    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/kubelet.conf").touch()
    done = run("join.sh", "--dry-run", "--root", tmp_path, given=JOIN)
    assert "node: nothing to change" in done.stdout


def test_a_setting_that_is_missing_is_named(tools: Path, tmp_path: Path) -> None:
    mine = tmp_path / "cluster.env"
    text = (KUBEADM / "cluster.env").read_text("utf-8")
    mine.write_text(text.replace("CONTROL_PLANE_ENDPOINT=", "CONTROL_PLANE_END="), "utf-8")
    done = run(
        "join.sh", "--dry-run", "--settings", mine, "--address", "192.168.1.11", given=JOIN, path=tools
    )
    assert done.returncode != 0
    assert "asks for CONTROL_PLANE_ENDPOINT, which neither" in done.stderr
