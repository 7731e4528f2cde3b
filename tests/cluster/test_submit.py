"""Studies that run on a cluster by themselves: a RayJob as the API server takes it, a job as Ray runs it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dream.cluster.access import Cluster
from dream.cluster.submit import has_operator, ray_job
from dream.study_file import load_study
from infra.secrets.cluster import make_namespace
from tests.servers.ray import RayCluster, ray_cluster
from tests.servers.s3 import S3Server
from tests.sweep.shell import OFFLINE, SEARCH, dream, dream_command, environment, small_study, wait_until

CRDS = Path(__file__).parents[3] / "shared" / "crds"


@pytest.mark.servers
def test_a_ray_job_is_taken_by_the_api_server_and_no_operator_is_seen_where_none_is(cluster: Cluster) -> None:
    from kubernetes.client import ApiextensionsV1Api

    make_namespace(cluster)
    assert not has_operator(cluster)
    schemas = ApiextensionsV1Api(cluster.client)
    for name in ("rayjobs", "rayclusters"):
        body = yaml.safe_load((CRDS / f"kuberay-1.7.0-{name}.yaml").read_text())
        schemas.create_custom_resource_definition(body)

    def established() -> bool:
        served = schemas.list_custom_resource_definition().items
        return all(
            any(each.type == "Established" and each.status == "True" for each in one.status.conditions or ())
            for one in served
        )

    wait_until(established, "the schemas' registration")
    assert not has_operator(cluster)
    where = ("ray.io", "v1", cluster.namespace)
    made = cluster.custom.create_namespaced_custom_object(
        *where, "rayjobs", ray_job("dream-small-1", "python -m dream.cluster.packed s3://a b run"),
        field_validation="Strict",
    )  # fmt: skip
    assert made["spec"]["submissionMode"] == "HTTPMode"


@pytest.fixture
def remote(s3: S3Server) -> Iterator[tuple[RayCluster, dict[str, str], str]]:
    """A Ray cluster that sees a bucket; what a laptop needs to submit to it; the ledger's address."""
    keys = s3.environment()
    with ray_cluster(keys) as running:
        laptop = {**keys, "RAY_API_SERVER_ADDRESS": running.jobs, "RAY_AUTH_TOKEN": running.token}
        yield running, laptop, f"s3://{s3.bucket()}/ledger"


@pytest.mark.servers
def test_a_submitted_study_goes_on_when_its_watcher_leaves_and_is_found_again(
    tmp_path: Path, remote: tuple[RayCluster, dict[str, str], str]
) -> None:
    _, laptop, storage = remote
    study = small_study(tmp_path, models=OFFLINE, search=SEARCH)
    words = ("run", study, "--submit", "--storage", storage)
    with subprocess.Popen(
        dream_command(*words),
        cwd=tmp_path,
        env=environment(laptop),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as watching:
        assert watching.stderr is not None
        said = watching.stderr.readline()
        assert "runs on the cluster" in said, said + watching.stderr.read()
        os.killpg(watching.pid, signal.SIGINT)
        _, errors = watching.communicate(timeout=60)
    assert watching.returncode == 0 and "detached; it goes on" in errors
    again = dream(*words, "--json", cwd=tmp_path, env=laptop)
    assert again.said["job"] == said.split()[0]  # one job, however often it is submitted
    attached = dream("attach", again.said["job"], cwd=tmp_path, env=laptop)
    assert attached.code == 0, attached.errors
    here = dream("report", study, "--storage", storage, "--json", cwd=tmp_path, env=laptop)
    arms = here.said["arms"]
    assert len(arms) == 4 and not any(arm["error"] for arm in arms)


def test_a_folder_of_this_machine_cannot_be_submitted_to(tmp_path: Path) -> None:
    from dream.cluster.packed import send_study
    from dream.errors import DreamError

    study = load_study(small_study(tmp_path, models=OFFLINE, search=SEARCH))
    with pytest.raises(DreamError, match="a cluster cannot see a folder of this machine"):
        send_study(study, str(tmp_path / "store"))
