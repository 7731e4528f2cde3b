"""A real S3 server: MinIO where its program is found, else moto's."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.process import answers, free_port, new_secret, own_folder, running
from tests.servers.programs import cluster_programs


@dataclass(frozen=True)
class S3Server:
    """A server that is up.

    Attributes:
        endpoint: its address.
        access_key: user name.
        secret_key: password.
        program: ``minio`` or ``moto``.
    """

    endpoint: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    program: str
    region: str = "us-east-1"

    def environment(self) -> dict[str, str]:
        """The variables that DREAM, boto3 and MLflow read."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client(self) -> Any:
        """A boto3 client of this server."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(s3={"addressing_style": "path"}),
        )

    def bucket(self) -> str:
        """Name of a new, empty bucket."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """All keys in a bucket."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextlib.contextmanager
def s3_server(
    settings: Mapping[str, str] | None = None, data: Path | None = None, before: S3Server | None = None
) -> Iterator[S3Server]:
    """Start an S3 server with credentials of its own.

    Args:
        settings: more for MinIO.
        data: where MinIO keeps its objects; by default a folder that ends with the server.
        before: a server that has ended: this one takes its address and credentials.
    """
    minio = minio_program()
    access_key, secret_key, port = "test" + uuid.uuid4().hex[:12], new_secret(), free_port()
    if before:
        access_key, secret_key = before.access_key, before.secret_key
        port = int(before.endpoint.rpartition(":")[2])
    endpoint = f"http://127.0.0.1:{port}"
    with own_folder("s3") as folder:
        if minio:
            kept = data or folder / "data"
            kept.mkdir(exist_ok=True)
            command = [minio, "server", str(kept), "--quiet", "--address", f"127.0.0.1:{port}"]
            environment = {
                "MINIO_ROOT_USER": access_key,
                "MINIO_ROOT_PASSWORD": secret_key,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
                **(settings or {}),
            }
            health = f"{endpoint}/minio/health/ready"
        else:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
            environment = {}
            health = f"{endpoint}/moto-api/"
        with running(command, environment, folder, lambda: answers(health), [access_key, secret_key]):
            yield S3Server(endpoint, access_key, secret_key, "minio" if minio else "moto")


@functools.cache
def minio_program() -> str | None:
    """MinIO on the PATH, or from the test cluster's programs, if it is to be had."""
    if found := shutil.which("minio"):
        return found
    folder = cluster_programs()
    return shutil.which("minio", path=str(folder)) if folder else None
