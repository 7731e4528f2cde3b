"""The images that the charts name, made for a node that can pull none.

Ours comes from the Dockerfile's own steps. MinIO and its client are the real programs; CloudNativePG's
PostgreSQL is Debian's, packed by the test cluster and given the charts' name here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.servers.programs import cluster_programs

from .cluster import CACHE, DREAM_IMAGE, ROOT, SHARED, Cluster

# What our image is made from.
SOURCES = ("LICENSE", "README.md", "pyproject.toml", "requirements.lock", "dream", "examples", "notebooks")
STEPS = "infra/image"


def values(chart: str) -> dict:
    """The values that a chart comes with."""
    return yaml.safe_load((ROOT / "charts" / chart / "values.yaml").read_text())


def named(image: dict[str, str]) -> str:
    return f"{image['repository']}:{image['tag']}"


def digest_of_sources() -> str:
    """A digest of all that our image is made from."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *SOURCES, STEPS],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    digest = hashlib.sha256()
    for name in sorted(filter(None, listed)):
        if (ROOT / name).is_file():
            digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    return digest.hexdigest()


def archive(name: str) -> Path:
    """Where the test cluster keeps an image, which it gives to the node of every cluster it starts."""
    return CACHE / "images" / (name.translate(str.maketrans("/:@", "___")) + ".tar")


def make_ours() -> None:
    """Build our image, unless the very same sources were built before; about a minute."""
    stamp = archive(DREAM_IMAGE).with_suffix(".sha256")
    wanted = digest_of_sources()
    if stamp.exists() and archive(DREAM_IMAGE).exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    folder = CACHE / "roots" / "dream"
    subprocess.run(["rm", "-rf", folder], check=True)
    try:
        build = [ROOT / "infra" / "image" / "build-rootfs.sh", SHARED, folder, DREAM_IMAGE]
        done = subprocess.run(build, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        stamp.write_text(wanted)
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)  # many times faster than Python does it


def make_store() -> None:
    """MinIO's server and client, from the test cluster's programs."""
    minio = values("minio")
    server, client = named(minio["image"]), named(minio["client"])
    if archive(server).exists() and archive(client).exists():
        return
    programs = cluster_programs()
    assert programs is not None, f"{SHARED} is missing"
    folder = CACHE / "roots" / "minio"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run([SHARED, "root", folder, "--suite", "bookworm"], check=True)
        for program in ("minio", "mc"):
            shutil.copy(programs / program, folder / "usr" / "bin" / program)
        subprocess.run([SHARED, "image", server, folder, "--", "minio"], check=True)
        subprocess.run([SHARED, "image", client, folder, "--", "mc"], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def name_postgres(cluster: Cluster) -> None:
    """Give the test cluster's PostgreSQL 17 the exact name that the chart asks for."""
    wanted = named(values("postgres")["cnpg"]["image"])
    repository = wanted.partition(":")[0]
    # The node's own containerd; outside of the cluster's namespaces its socket is a file like any other.
    socket = CACHE / "run" / "containerd" / "containerd.sock"
    containerd = ["ctr", "--address", str(socket), "--namespace", "k8s.io", "images", "tag", "--force"]
    cluster.run(*containerd, f"{repository}:17", wanted)
