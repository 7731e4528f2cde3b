"""A real Kubernetes API server: that of KUBECONFIG, or one started here without nodes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dream.cluster.access import Cluster, open_cluster
from tests.servers.fixtures import missing
from tests.servers.process import free_port, new_secret, own_folder, running
from tests.servers.programs import cluster_programs


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[Path]:
    if os.environ.get("KUBECONFIG"):
        yield Path(os.environ["KUBECONFIG"])
        return
    programs = cluster_programs()
    if programs is None:
        missing("no kube-apiserver: set KUBECONFIG to a cluster for tests")
    with api_server(programs) as config:
        yield config


@contextlib.contextmanager
def api_server(programs: Path) -> Iterator[Path]:
    """etcd and kube-apiserver on free ports of this machine; yields a kubeconfig."""
    from kubernetes.client import ApiClient, Configuration, CoreV1Api

    etcd, peer, port, token = free_port(), free_port(), free_port(), new_secret()
    with own_folder("etcd") as database, own_folder("apiserver") as folder:
        (folder / "tokens").write_text(f"{token},admin,1,system:masters\n")
        subprocess.run(
            ["openssl", "genrsa", "-out", folder / "accounts.key", "2048"], check=True, capture_output=True
        )
        url = f"http://127.0.0.1:{etcd}"
        store = [programs / "etcd", f"--data-dir={database}", "--unsafe-no-fsync", "--log-level=warn"]
        store += [f"--listen-client-urls={url}", f"--advertise-client-urls={url}"]
        store += [f"--listen-peer-urls=http://127.0.0.1:{peer}"]
        server = [programs / "kube-apiserver", f"--etcd-servers={url}", "--bind-address=127.0.0.1"]
        server += [f"--secure-port={port}", f"--cert-dir={folder}", f"--token-auth-file={folder}/tokens"]
        server += ["--service-account-issuer=https://test", "--authorization-mode=RBAC"]
        server += [f"--service-account-key-file={folder}/accounts.key"]
        server += [f"--service-account-signing-key-file={folder}/accounts.key"]
        server += ["--service-cluster-ip-range=10.96.0.0/16", "--disable-admission-plugins=ServiceAccount"]
        settings = Configuration(host=f"https://127.0.0.1:{port}")
        settings.api_key = {"authorization": f"Bearer {token}"}
        settings.verify_ssl = False
        settings.retries = False

        def ready() -> bool:
            from kubernetes.client import ApiException
            from urllib3.exceptions import HTTPError

            try:
                CoreV1Api(ApiClient(settings)).read_namespace("default")
            except (ApiException, HTTPError):
                return False
            return True

        config = folder / "kubeconfig"
        there = {"server": settings.host, "insecure-skip-tls-verify": True}
        config.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "clusters": [{"name": "test", "cluster": there}],
                    "users": [{"name": "test", "user": {"token": token}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                }
            )
        )
        with (
            running(store, {}, database, lambda: True),
            running(server, {}, folder, ready, [token], seconds=120),
        ):
            yield config


@pytest.fixture
def cluster(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A namespace of its own, which does not exist yet."""
    import urllib3

    urllib3.disable_warnings()
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
    here = open_cluster(f"test-{uuid.uuid4().hex[:8]}")
    yield here
    with contextlib.suppress(Exception):
        here.core.delete_namespace(here.namespace)
