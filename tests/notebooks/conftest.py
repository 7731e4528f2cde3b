"""One cluster for all that runs against one: starting it takes longer than most of what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notebooks.run import clean_environment
from tests.servers.mlflow import MlflowServer
from tests.servers.ray import RayCluster, ray_cluster
from tests.servers.s3 import S3Server


@pytest.fixture(scope="session")
def cluster(s3: S3Server, mlflow_server: MlflowServer) -> Iterator[RayCluster]:
    """A Ray whose machines have what charts/dream-ray gives its pods."""
    with ray_cluster({**s3.environment(), "MLFLOW_TRACKING_URI": mlflow_server.url}) as found:
        yield found


@pytest.fixture
def environment(cluster: RayCluster, s3: S3Server, mlflow_server: MlflowServer) -> dict[str, str]:
    """What the cluster's own Jupyter has, or a laptop after `dream connect`."""
    bucket = s3.bucket()
    return clean_environment(
        {
            **cluster.environment(),
            **s3.environment(),
            "MLFLOW_TRACKING_URI": mlflow_server.url,
            "DREAM_CORPUS": f"s3://{bucket}/documents",
            "DREAM_STORAGE": f"s3://{bucket}/ledger",
        }
    )
