"""The platform's parts, as the charts name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One part of the platform.

    Attributes:
        name: of its chart, and the label ``app.kubernetes.io/name`` of what it makes.
        selector: finds its Pods.
        service: its Service.
        ports: that a person or laptop needs, each with what it is for.
        secrets: those that it cannot start without.
        optional: whether the platform is whole without it.
    """

    name: str
    selector: str
    service: str
    ports: Mapping[int, str]
    secrets: tuple[str, ...] = ()
    optional: bool = False


PARTS = (
    Part("minio", "app.kubernetes.io/name=minio", "minio", {9000: "S3"}, ("dream-minio", "dream-s3"), True),
    # CloudNativePG labels its Pods itself; the single Pod carries the chart's label.
    Part("postgres", "cnpg.io/cluster=postgres", "postgres-rw", {5432: "Postgres"}, ("dream-postgres",)),
    Part(
        "mlflow", "app.kubernetes.io/name=mlflow", "mlflow", {5000: "MLflow"}, ("dream-postgres", "dream-s3")
    ),
    Part("models", "app.kubernetes.io/name=models", "models", {8000: "offline models"}, (), True),
    Part(
        "dream-ray",
        "app.kubernetes.io/name=dream-ray",
        "dream-ray-head",
        {10001: "Ray client", 8265: "Ray dashboard and Jobs API"},
        ("dream-ray-auth", "dream-s3"),
    ),
    Part("jupyter", "app.kubernetes.io/name=jupyter", "jupyter", {8888: "JupyterLab"}, ("dream-jupyter",)),
)  # fmt: skip

# The keys that a Secret must have; the charts name them so.
SECRET_KEYS: Mapping[str, tuple[str, ...]] = {
    "dream-minio": ("root-user", "root-password"),
    "dream-s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "dream-postgres": ("username", "password"),
    "dream-ray-auth": ("auth_token",),
    "dream-jupyter": ("token",),
}

# These run one and the same image, so that Ray, Python and DREAM cannot differ.
ONE_IMAGE = ("dream-ray", "jupyter", "models")
