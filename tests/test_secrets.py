"""`make secrets` and its rotation, against a real API server."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from dream.cluster.access import Cluster
from dream.errors import DreamError
from infra.secrets.catalogue import KINDS
from infra.secrets.cluster import read_secret
from infra.secrets.make import given_by, make_missing
from infra.secrets.rotate import ROTATING, rotate
from infra.secrets.workloads import readers
from tests.servers.process import free_port

ROOT = Path(__file__).parents[1]


def test_values_are_long_random_and_need_no_quoting() -> None:
    for kind in KINDS.values():
        first, second = kind.new(), kind.new()
        assert set(first) == kind.keys()
        for key in kind.random:
            assert re.fullmatch(r"[A-Za-z0-9]{20,}", first[key])
            assert first[key] != second[key]
        for key in kind.fixed:
            assert first[key] == second[key]
        assert set(kind.renewed()) == set(kind.random)


def test_every_secret_that_a_chart_names_is_made() -> None:
    named = {
        secret
        for values in ROOT.glob("charts/*/values.yaml")
        for secret in re.findall(r"^\s*existingSecret: *(\S+)", values.read_text(), re.MULTILINE)
    }
    assert named - {'""'} == set(KINDS)


# The rest talks to an API server: that of KUBECONFIG, or one started here without nodes.


def values(cluster: Cluster, name: str) -> dict[str, str]:
    secret = read_secret(cluster, name)
    assert secret is not None
    return {key: base64.b64decode(value).decode() for key, value in secret.data.items()}


def all_values(cluster: Cluster) -> dict[str, dict[str, str]]:
    return {name: values(cluster, name) for name in KINDS}


@pytest.mark.servers
def test_secrets_are_made_once_and_then_left_alone(cluster: Cluster) -> None:
    assert dict(make_missing(cluster)) == dict.fromkeys(KINDS, True)
    made = all_values(cluster)
    assert read_secret(cluster, "dream-postgres").type == "kubernetes.io/basic-auth"
    assert {name: set(keys) for name, keys in made.items()} == {n: k.keys() for n, k in KINDS.items()}
    assert dict(make_missing(cluster)) == dict.fromkeys(KINDS, False)
    assert all_values(cluster) == made
    labels = cluster.core.read_namespace(cluster.namespace).metadata.labels
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.servers
def test_keys_of_a_store_elsewhere_come_from_the_environment(cluster: Cluster) -> None:
    given = given_by({"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "a/b+c="}, "dream-s3")
    dict(make_missing(cluster, {"dream-s3": given}))
    assert values(cluster, "dream-s3") == given
    with pytest.raises(DreamError, match="AWS_SECRET_ACCESS_KEY not set"):
        given_by({"AWS_ACCESS_KEY_ID": "theirs"}, "dream-s3")


@pytest.mark.servers
def test_one_that_was_deleted_is_made_again_and_no_other(cluster: Cluster) -> None:
    dict(make_missing(cluster))
    made = all_values(cluster)
    cluster.core.delete_namespaced_secret("dream-jupyter", cluster.namespace)
    assert [name for name, new in make_missing(cluster) if new] == ["dream-jupyter"]
    now = all_values(cluster)
    assert now.pop("dream-jupyter") != made.pop("dream-jupyter")
    assert now == made


@pytest.mark.servers
def test_two_runs_at_once_make_one_set(cluster: Cluster) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: dict(make_missing(cluster)), range(4)))
    for name in KINDS:
        assert sum(run[name] for run in runs) == 1


@pytest.mark.servers
def test_a_secret_of_ones_own_that_lacks_a_key_is_told_without_its_values(cluster: Cluster) -> None:
    cluster.core.create_namespace({"metadata": {"name": cluster.namespace}})
    body = {"metadata": {"name": "dream-minio"}, "stringData": {"root-user": "my-own-name"}}
    cluster.core.create_namespaced_secret(cluster.namespace, body)
    with pytest.raises(DreamError, match="dream-minio lacks root-password") as error:
        dict(make_missing(cluster))
    assert "my-own-name" not in str(error.value)
    assert values(cluster, "dream-minio") == {"root-user": "my-own-name"}
    assert read_secret(cluster, "dream-mlflow") is not None  # the others are made all the same


@pytest.mark.servers
def test_the_program_prints_names_and_no_value(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "infra.secrets",
                "--namespace",
                cluster.namespace,
                *arguments,
            ],
            env={**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            cwd=ROOT,
        )

    first, second = run(), run()
    made = all_values(cluster)
    third = run("--rotate", "dream-jupyter")
    now = all_values(cluster)
    for done in (first, second, third):
        assert done.returncode == 0, done.stderr
        for kind, secret in [*made.items(), *now.items()]:
            for key in KINDS[kind].random:
                assert secret[key] not in done.stdout + done.stderr
    assert first.stdout.count("made") == len(KINDS) and "made" not in second.stdout
    assert now["dream-jupyter"] != made["dream-jupyter"]
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(value.encode() in text for it in now.values() for value in it.values() for text in written)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("name", "said"),
    [("dream-nothing", "no secret is called"), ("dream-jupyter", "run `make secrets` first")],
)
def test_what_cannot_be_rotated_is_told(cluster: Cluster, name: str, said: str) -> None:
    with pytest.raises(DreamError, match=said):
        list(rotate(cluster, name))


@pytest.mark.servers
def test_keys_of_a_store_elsewhere_are_not_replaced(cluster: Cluster) -> None:
    dict(make_missing(cluster))
    made = values(cluster, "dream-s3")
    with pytest.raises(DreamError, match="no CronJob minio-setup"):
        list(rotate(cluster, "dream-s3"))
    assert values(cluster, "dream-s3") == made


def test_a_cluster_that_does_not_answer_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(
        yaml.safe_dump(
            {
                "current-context": "a",
                "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}],
                "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                "users": [{"name": "a", "user": {}}],
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "infra.secrets"],
        env={**os.environ, "KUBECONFIG": str(config)},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "does not answer" in done.stderr


# A rotation with workloads. A thread says of each that it is ready, as nodes would, and notes their order.


def pod(secret: str) -> dict[str, Any]:
    source = {"secretKeyRef": {"name": secret, "key": "k"}}
    container = {"name": "c", "image": "example.org/none:1.0", "env": [{"name": "V", "valueFrom": source}]}
    return {"containers": [container]}


def deploy(cluster: Cluster, kind: str, name: str, labels: dict[str, str], secret: str) -> None:
    template = {"metadata": {"labels": {"w": name, **labels}}, "spec": pod(secret)}
    spec: dict[str, Any] = {"replicas": 1, "selector": {"matchLabels": {"w": name}}, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = name
        cluster.apps.create_namespaced_stateful_set(
            cluster.namespace, {"metadata": {"name": name}, "spec": spec}
        )
    else:
        cluster.apps.create_namespaced_deployment(
            cluster.namespace, {"metadata": {"name": name}, "spec": spec}
        )


def add_setup(cluster: Cluster) -> None:
    container = {
        "name": "setup",
        "image": "example.org/none:1.0",
        "env": [{"name": "RETIRED_ACCESS_KEY", "value": ""}],
    }
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"suspend": True, "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}
    cluster.batch.create_namespaced_cron_job(
        cluster.namespace, {"metadata": {"name": "minio-setup"}, "spec": spec}
    )


@contextlib.contextmanager
def nodes(cluster: Cluster) -> Iterator[list[str]]:
    """Say of everything that it is ready soon after it was asked for."""
    seen: list[str] = []
    stop = threading.Event()

    def look() -> None:
        done: set[tuple[str, int]] = set()
        while not stop.wait(0.1):
            for verbs, list_all, patch in (
                ("Deployment", cluster.apps.list_namespaced_deployment, "patch_namespaced_deployment_status"),
                (
                    "StatefulSet",
                    cluster.apps.list_namespaced_stateful_set,
                    "patch_namespaced_stateful_set_status",
                ),
            ):
                for item in list_all(cluster.namespace).items:
                    generation = item.metadata.generation
                    if (item.metadata.name, generation) in done:
                        continue
                    done.add((item.metadata.name, generation))
                    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), 1)
                    status = {"observedGeneration": generation, **counts}
                    if verbs == "StatefulSet":
                        status |= {"currentRevision": str(generation), "updateRevision": str(generation)}
                    getattr(cluster.apps, patch)(item.metadata.name, cluster.namespace, {"status": status})
                    if generation > 1:
                        seen.append(item.metadata.name)
            for job in cluster.batch.list_namespaced_job(cluster.namespace).items:
                if (job.metadata.name, 0) in done:
                    continue
                done.add((job.metadata.name, 0))
                retired = job.spec.template.spec.containers[0].env[0].value
                now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                conditions = [
                    {"type": kind, "status": "True", "lastTransitionTime": now}
                    for kind in ("SuccessCriteriaMet", "Complete")
                ]
                cluster.batch.patch_namespaced_job_status(
                    job.metadata.name,
                    cluster.namespace,
                    {"status": {"conditions": conditions, "startTime": now, "completionTime": now}},
                )
                seen.append(f"setup, forget {retired}" if retired else "setup")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


needs_no_nodes = pytest.mark.skipif(
    bool(os.environ.get("KUBECONFIG")), reason="a cluster with controllers says itself what is ready"
)


def platform(cluster: Cluster, secret: str) -> None:
    """One of each part, made in the wrong order, and one that has nothing to do with the secret."""
    deploy(cluster, "StatefulSet", "jupyter", {"app.kubernetes.io/name": "jupyter"}, secret)
    for component, kind in (("worker", "Deployment"), ("head", "StatefulSet")):
        labels = {"app.kubernetes.io/name": "dream-ray", "app.kubernetes.io/component": component}
        deploy(cluster, kind, f"ray-{component}", labels, secret)
    deploy(cluster, "Deployment", "mlflow", {"app.kubernetes.io/name": "mlflow"}, secret)
    deploy(cluster, "StatefulSet", "minio", {"app.kubernetes.io/name": "minio"}, "dream-minio")
    deploy(cluster, "Deployment", "models", {"app.kubernetes.io/name": "models"}, "another")


@pytest.mark.servers
@needs_no_nodes
def test_new_store_keys_work_before_the_former_ones_end(cluster: Cluster) -> None:
    dict(make_missing(cluster))
    add_setup(cluster)
    platform(cluster, "dream-s3")
    former = values(cluster, "dream-s3")
    with nodes(cluster) as seen:
        list(rotate(cluster, "dream-s3"))
    now = values(cluster, "dream-s3")
    assert not set(now.values()) & set(former.values())
    forget = f"setup, forget {former['AWS_ACCESS_KEY_ID']}"
    assert seen == ["setup", "mlflow", "ray-head", "ray-worker", "jupyter", forget]
    assert not read_secret(cluster, "dream-s3").metadata.annotations


@pytest.mark.servers
@needs_no_nodes
def test_an_interrupted_rotation_goes_on_with_the_same_values(cluster: Cluster) -> None:
    dict(make_missing(cluster))
    add_setup(cluster)
    platform(cluster, "dream-s3")
    former = values(cluster, "dream-s3")["AWS_ACCESS_KEY_ID"]
    with nodes(cluster) as seen:
        steps = rotate(cluster, "dream-s3")
        while "ray-head" not in next(steps):
            pass
        steps.close()  # as if this process had died here
        halfway = values(cluster, "dream-s3")
        assert ROTATING in read_secret(cluster, "dream-s3").metadata.annotations
        seen.clear()
        again = list(rotate(cluster, "dream-s3"))
        assert again[0] == "finishing a rotation that was interrupted"
    assert values(cluster, "dream-s3") == halfway
    assert seen[0] == "setup" and seen[-1] == f"setup, forget {former}"


@pytest.mark.servers
@needs_no_nodes
def test_only_what_reads_the_secret_restarts_and_names_stay(cluster: Cluster) -> None:
    dict(make_missing(cluster))
    add_setup(cluster)
    platform(cluster, "dream-s3")
    former = all_values(cluster)
    with nodes(cluster) as seen:
        list(rotate(cluster, "dream-minio"))
    assert seen == ["minio", "setup"]
    now = all_values(cluster)
    assert now["dream-minio"]["root-user"] == former["dream-minio"]["root-user"]
    assert now.pop("dream-minio") != former.pop("dream-minio")
    assert now == former


@pytest.mark.servers
@needs_no_nodes
def test_servers_restart_before_their_clients(cluster: Cluster) -> None:
    dict(make_missing(cluster))
    deploy(cluster, "Deployment", "mlflow", {"app.kubernetes.io/name": "mlflow"}, "dream-postgres")
    deploy(cluster, "StatefulSet", "postgres", {"app.kubernetes.io/name": "postgres"}, "dream-postgres")
    assert [str(it) for it in readers(cluster, "dream-postgres")] == [
        "statefulset/postgres",
        "deployment/mlflow",
    ]
    with nodes(cluster) as seen:
        list(rotate(cluster, "dream-postgres"))
    assert seen == ["postgres", "mlflow"]
    assert values(cluster, "dream-postgres")["username"] == "mlflow"
