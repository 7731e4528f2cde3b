"""Bad values are refused, each with a message that names the value and says what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from .render import APPS, CHARTS, charts, template

SOME = {"cpu": "1", "memory": "1Gi"}

# Chart, values, what the message has to say. The message of Helm's own schema check begins with the path.
BAD: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    # Misspelt keys, at the top and deep inside.
    ("dream-ray", {"workerGroup": []}, ("additional properties 'workerGroup' not allowed",)),
    ("dream-ray", {"head": {"resource": {}}}, ("/head", "'resource' not allowed")),
    ("jupyter", {"storage_uri": "s3://a/b"}, ("additional properties 'storage_uri' not allowed",)),
    ("minio", {"image": {"digset": ""}}, ("/image", "'digset' not allowed")),
    ("mlflow", {"allowedHost": ["a"]}, ("additional properties 'allowedHost' not allowed",)),
    ("models", {"networkPolicy": {"enable": False}}, ("/networkPolicy", "'enable' not allowed")),
    ("postgres", {"cnpg": {"replicas": 3}}, ("/cnpg", "'replicas' not allowed")),
    # Wrong types.
    ("models", {"replicas": "two"}, ("/replicas", "got string, want integer")),
    ("minio", {"buckets": "dream"}, ("/buckets", "got string, want array")),
    ("postgres", {"parameters": {"max_connections": 200}}, ("/parameters/max_connections", "want string")),
    ("dream-ray", {"autoscaler": {"enabled": "yes"}}, ("/autoscaler/enabled", "want boolean")),
    ("jupyter", {"extraEnv": {"A": "b"}}, ("/extraEnv", "want array")),
    # Out of range.
    ("models", {"replicas": -1}, ("/replicas", "minimum: got -1, want 0")),
    ("models", {"latency": 3600}, ("/latency", "maximum: got 3,600, want 600")),
    ("mlflow", {"replicas": 0}, ("/replicas", "minimum: got 0, want 1")),
    ("mlflow", {"database": {"port": 70000}}, ("/database/port", "maximum")),
    ("postgres", {"cnpg": {"instances": 0}}, ("/cnpg/instances", "minimum")),
    # Not one of those there are.
    ("dream-ray", {"operator": "kubray"}, ("/operator", "'kuberay'", "'none'")),
    ("postgres", {"mode": "ha"}, ("/mode", "'cnpg'", "'single'")),
    ("mlflow", {"auth": {"defaultPermission": "WRITE"}}, ("/auth/defaultPermission", "'READ'")),
    ("jupyter", {"image": {"pullPolicy": "Sometimes"}}, ("/image/pullPolicy", "'IfNotPresent'")),
    # Malformed.
    ("minio", {"image": {"tag": "latest"}}, ("/image/tag", "RELEASE")),
    ("minio", {"image": {"digest": "sha256:abc"}}, ("/image/digest", "sha256")),
    ("minio", {"buckets": ["Dream_Bucket"]}, ("/buckets/0", "does not match pattern")),
    ("minio", {"storage": {"size": "50 GB"}}, ("/storage/size", "does not match pattern")),
    ("mlflow", {"artifacts": {"destination": "/artifacts"}}, ("/artifacts/destination", "s3://")),
    (
        "mlflow",
        {"artifacts": {"endpointUrl": "http://a:b@minio:9000"}},
        ("/artifacts/endpointUrl", "pattern"),
    ),
    ("mlflow", {"image": {"tag": "latest"}}, ("/image/tag", "does not match pattern")),
    ("jupyter", {"ray": {"address": "http://dream-ray-head:10001"}}, ("/ray/address", "ray://")),
    ("postgres", {"backup": {"schedule": "daily"}}, ("/backup/schedule", "does not match pattern")),
    (
        "postgres",
        {"recovery": {"targetTime": "yesterday"}},
        ("/recovery/targetTime", "does not match pattern"),
    ),
    # Well formed, but what they ask for cannot work: the charts' own words.
    ("dream-ray", {"image": {"tag": "latest"}}, ("image.tag", "name an exact version")),
    ("models", {"image": {"tag": "main"}}, ("image.tag", "name an exact version")),
    ("dream-ray", {"existingSecret": ""}, ("existingSecret is empty", "auth_token", "make secrets")),
    ("jupyter", {"existingSecret": ""}, ("existingSecret is empty", "token", "make secrets")),
    ("jupyter", {"s3": {"existingSecret": ""}}, ("s3.existingSecret is empty", "make secrets")),
    ("minio", {"existingSecret": ""}, ("existingSecret is empty", "root-user", "make secrets")),
    ("minio", {"application": {"existingSecret": ""}}, ("application.existingSecret is empty", "dream-s3")),
    ("mlflow", {"database": {"existingSecret": ""}}, ("database.existingSecret is empty", "dream-postgres")),
    (
        "mlflow",
        {"auth": {"enabled": True, "existingSecret": ""}},
        ("auth.existingSecret is empty", "dream-mlflow"),
    ),
    ("mlflow", {"httpRoute": {"enabled": True}}, ("httpRoute.parentRefs is empty", "name the Gateway")),
    ("postgres", {"existingSecret": ""}, ("existingSecret is empty", "dream-postgres")),
    ("postgres", {"database": {"owner": "postgres"}}, ("superuser", "role of its own")),
    ("postgres", {"mode": "single", "backup": {"enabled": True}}, ("backup.enabled needs mode: cnpg",)),
    ("postgres", {"backup": {"enabled": True}}, ("backup.existingSecret is empty",)),
    ("postgres", {"cnpg": {"instances": 2, "synchronousStandbys": 2}}, ("no commit would ever end",)),
    ("dream-ray", {"gcsFaultTolerance": {"enabled": True}}, ("redis.address is empty", "rocksdb")),
    (
        "dream-ray",
        {"workerGroups": [{"name": "a", "cpus": 1, "resources": {"requests": SOME, "limits": SOME}}] * 2},
        ('two groups named "a"',),
    ),
)

# The root application's own values.
BAD_PARTS: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    ({"repository": {"url": ""}}, ("repository.url is empty", "argocd/root/application.yaml")),
    ({"repository": {"url": "my fork"}}, ("/repository/url", "does not match pattern")),
    ({"repository": {"revision": ""}}, ("repository.revision is empty",)),
    ({"part": {}}, ("additional properties 'part' not allowed",)),
    ({"parts": {"minio": {"enable": False}}}, ("/parts/minio", "'enable' not allowed")),
    ({"parts": {"minio": {"wave": "first"}}}, ("/parts/minio/wave", "want integer")),
    ({"parts": {"minio": {"project": "default"}}}, ("/parts/minio/project", "'dream-operators'")),
    ({"parts": {"minio": {"path": "../secrets"}}}, ("/parts/minio/path", "does not match pattern")),
    ({"parts": {"minio": {"namespace": "kube-system"}}}, ("kube-system is not one of namespaces", "dream")),
    ({"parts": {"new": {"wave": 1}}}, ("parts.new: set either path", "chart")),
    (
        {"parts": {"kuberay-operator": {"chart": {"version": "1.x"}}}},
        ("/chart/version", "does not match pattern"),
    ),
    ({"parts": {"kuberay-operator": {"path": "charts/minio"}}}, ("parts.kuberay-operator: set either path",)),
    ({"retry": {"duration": "soon"}}, ("/retry/duration", "does not match pattern")),
)


def name(values: dict[str, Any]) -> str:
    return str(values).replace(" ", "")[:60]


@pytest.mark.parametrize(
    ("chart", "values", "says"), BAD, ids=lambda v: name(v) if isinstance(v, dict) else None
)
def test_bad_values_are_refused(chart: str, values: dict[str, Any], says: tuple[str, ...]) -> None:
    done = template(CHARTS / chart, chart, values=values)
    assert done.returncode != 0, f"{chart} takes {values}"
    missing = [word for word in says if word not in done.stderr]
    assert not missing, done.stderr


@pytest.mark.parametrize(
    ("values", "says"), BAD_PARTS, ids=lambda v: name(v) if isinstance(v, dict) else None
)
def test_bad_parts_are_refused(values: dict[str, Any], says: tuple[str, ...]) -> None:
    repository = {
        "url": "https://git.example.org/dream.git",
        "revision": "main",
        **values.get("repository", {}),
    }
    done = template(APPS, "dream", values={**values, "repository": repository})
    assert done.returncode != 0, f"the root application takes {values}"
    missing = [word for word in says if word not in done.stderr]
    assert not missing, done.stderr


def test_the_table_is_long_enough_and_speaks_of_every_chart() -> None:
    assert len(BAD) >= 25
    assert {chart for chart, _, _ in BAD} == {chart.name for chart in charts() if chart != APPS}
