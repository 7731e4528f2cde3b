"""A small study, run from the Jupyter Pod against the parts of the cluster, and on this machine alone."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dream.models.offline import start
from tests.sweep import shell

from .cluster import Cluster

JUPYTER = "jupyter-0 --container jupyter"
IN_CLUSTER = "http://models:8000/v1"

CALLS = """
import sys, urllib.request
print(urllib.request.urlopen(f"http://{sys.argv[1]}:8000/calls", timeout=20).read().decode())
"""


@dataclass(frozen=True)
class Kind:
    """What is studied: four arms, or more of them at a pace that leaves time to break something."""

    search: str = shell.SEARCH
    questions: int = 6
    more: str = ""


SMALL = Kind()
SLOW = Kind(
    "{method: [chunks, sentence_window, auto_merging], llm: [good, poor], embedding: [hashing],"
    " knobs: {chunks: {chunk_size: [96, 160]}}}",
    questions=7,
    more="limits: {calls_at_once: 2}",
)


def write(folder: Path, kind: Kind, good: str, poor: str) -> Path:
    """The study, its documents and its questions in a folder; the same but for where the models are."""
    models = shell.served(good).replace(
        f'model: lead, base_url: "{good}"', f'model: lead, base_url: "{poor}"'
    )
    return shell.small_study(
        folder, models=models, search=kind.search, more=kind.more, questions=kind.questions
    )


def on_this_machine(folder: Path, kind: Kind = SMALL) -> shell.Ended:
    """Run it with what DREAM brings: a Ray, a storage folder and an MLflow database of its own.

    Beside a cluster on two cores Ray may not start in the time it gives itself, so it may try again.
    """
    with start() as server:
        study = write(folder, kind, server.url, server.url)
        for _ in range(4):
            ended = shell.run(study, folder / "storage")
            if ended.code == 0:
                break
        assert ended.code == 0, ended.errors
        return ended


def send(cluster: Cluster, folder: Path, name: str, kind: Kind = SMALL, good: str = IN_CLUSTER) -> str:
    """Put the study into the home of the Jupyter Pod and its documents into the store.

    Returns:
        its path in the Pod.
    """
    study = write(folder / name, kind, good, IN_CLUSTER)
    study.write_text(study.read_text().replace("corpus: corpus", f"corpus: s3://dream/documents/{name}"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(study.parent, arcname=name)
    text = b64encode(packed.getvalue()).decode()
    unpack = "mkdir -p ~/studies && base64 --decode | tar --extract --directory ~/studies"
    cluster.kubectl("exec", "-i", *JUPYTER.split(), "--", "bash", "-c", unpack, stdin=text)
    in_pod(cluster, f"cd ~/studies/{name} && dream corpus push corpus s3://dream/documents/{name} --quiet")
    return f"studies/{name}/study.yaml"


def in_pod(cluster: Cluster, command: str, seconds: float = 300) -> str:
    """A line typed in a terminal of Jupyter."""
    return cluster.kubectl("exec", *JUPYTER.split(), "--", "bash", "-c", command, seconds=seconds)


def started(cluster: Cluster, study: str, options: str = "") -> subprocess.Popen[str]:
    """``dream run`` under way in the Pod."""
    return cluster.start(
        "kubectl", "--namespace", "dream", "exec", *JUPYTER.split(), "--",
        "dream", "run", study, "--json", "--quiet", *options.split(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finished(process: subprocess.Popen[str], seconds: float = 400) -> shell.Ended:
    """How it ended."""
    out, err = process.communicate(timeout=seconds)
    try:
        said = json.loads(out)
    except ValueError:
        said = {"text": out}
    return shell.Ended(process.returncode, said, err)


def in_cluster(cluster: Cluster, study: str) -> shell.Ended:
    """Run it to its end in the Pod."""
    return finished(started(cluster, study))


def calls(cluster: Cluster, service: str = "models") -> dict[str, Any]:
    """What the models behind a Service counted: calls, and how many of them were repeats."""
    return json.loads(cluster.python(JUPYTER, CALLS, service))
