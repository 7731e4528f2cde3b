"""Who may talk to whom: every connection of a table is tried for real, from the Pod that the row names."""

from __future__ import annotations

import base64
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .cluster import DREAM_IMAGE, Cluster, running, wait_for
from .conftest import Stack
from .documents import OPERATIONS
from .figures import Figures

pytestmark = pytest.mark.cluster

PROBE = Path(__file__).with_name("probe.py").read_text()

# Pods of nobody's: (name, namespace, labels).
CALLERS = (
    ("stranger", "dream", {}),
    ("job", "dream", {"dream.dev/job": "true"}),
    ("outsider", "elsewhere", {}),
    ("false-friend", "elsewhere", {"app.kubernetes.io/name": "jupyter", "dream.dev/job": "true"}),
    ("prometheus", "monitoring", {}),
)

STRANGERS = ("stranger", "outsider", "false-friend")

DOORS = {
    "minio": 9000, "postgres": 5432, "mlflow": 5000, "models": 8000, "jupyter": 8888, "ray client": 10001,
    "ray dashboard": 8265, "ray gcs": 6379, "ray metrics": 8080,
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A connection: who tries it, where to, showing what, and how it must end."""

    caller: str
    door: str
    shown: str
    expected: str
    how: str = "tcp"
    more: dict[str, Any] = field(default_factory=dict)


def rows(secret: dict[str, dict[str, str]]) -> list[Row]:
    """The table; secrets by name and key."""
    keys = tuple(secret["dream-s3"][name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    token, password = secret["dream-ray-auth"]["auth_token"], secret["dream-postgres"]["password"]

    def s3(caller: str, shown: str, expected: str, bucket: str = "dream", **more: Any) -> Row:
        return Row(caller, "minio", shown, expected, "s3", {"bucket": bucket, **more})

    def ask(caller: str, door: str, path: str, expected: str = "200", shown: str = "-", **more: Any) -> Row:
        headers = {"Host": f"{door}:{DOORS[door]}", **more} if door in ("mlflow", "models") else more
        return Row(caller, door, shown, expected, "http", {"path": path, "headers": headers})

    def database(caller: str, shown: str, secret: str, expected: str) -> Row:
        return Row(caller, "postgres", shown, expected, "postgres", {"user": "mlflow", "password": secret})

    def dashboard(caller: str, shown: str, header: dict[str, str], expected: str) -> Row:
        return ask(caller, "ray dashboard", "/api/jobs/", expected, shown, **header)

    def client(caller: str, shown: str, given: str, expected: str) -> Row:
        return Row(caller, "ray client", shown, expected, "ray_client", {"token": given})

    right, wrong = {"Authorization": f"Bearer {token}"}, {"Authorization": "Bearer " + "0" * len(token)}
    return [
        *(Row(who, door, "-", "dropped") for who in STRANGERS for door in DOORS),
        s3("job", "no key", "403"),
        s3("job", "a wrong key", "403", keys=("nobody", "0" * 40)),
        s3("job", "dream-s3", "200", keys=keys),
        s3("job", "dream-s3, another bucket", "403", bucket="private", keys=keys),
        Row("job", "postgres", "-", "dropped"),
        ask("job", "mlflow", "/health"),
        ask("job", "mlflow", "/api/2.0/mlflow/experiments/search?max_results=1"),
        ask("job", "mlflow", "/api/2.0/mlflow/experiments/search?max_results=1", "403", "a false host name",
            Host="mlflow.example.org"),
        ask("job", "models", "/v1/models"),
        Row("job", "jupyter", "-", "dropped"),
        dashboard("job", "no token", {}, "401"),
        dashboard("job", "a wrong token", wrong, "403"),
        dashboard("job", "dream-ray-auth", right, "200"),
        client("job", "no token", "", "not let in"),
        client("job", "a wrong token", "0" * len(token), "not let in"),
        client("job", "dream-ray-auth", token, "let in"),
        Row("job", "ray gcs", "-", "open"),
        Row("job", "ray metrics", "-", "dropped"),
        ask("prometheus", "ray metrics", "/metrics"),
        Row("prometheus", "ray dashboard", "-", "dropped"),
        Row("prometheus", "ray client", "-", "dropped"),
        s3("jupyter", "dream-s3", "200", keys=keys),
        ask("jupyter", "mlflow", "/health"),
        ask("jupyter", "models", "/health"),
        dashboard("jupyter", "dream-ray-auth", right, "200"),
        Row("jupyter", "postgres", "-", "dropped"),
        Row("jupyter", "ray metrics", "-", "dropped"),
        Row("jupyter", "API server", "-", "dropped"),
        Row("jupyter", "world", "-", "dropped"),
        s3("ray worker", "dream-s3", "200", keys=keys),
        ask("ray worker", "mlflow", "/health"),
        ask("ray worker", "models", "/health"),
        Row("ray worker", "postgres", "-", "dropped"),
        Row("ray worker", "jupyter", "-", "dropped"),
        Row("ray worker", "API server", "-", "dropped"),
        Row("ray worker", "world", "-", "dropped"),
        database("mlflow", "dream-postgres", password, "let in"),
        database("mlflow", "a wrong password", "0" * 40, "password refused"),
        s3("mlflow", "dream-s3", "200", bucket="mlflow", keys=keys),
        Row("mlflow", "models", "-", "dropped"),
        Row("mlflow", "ray dashboard", "-", "dropped"),
        Row("mlflow", "world", "-", "dropped"),
        Row("models", "minio", "-", "dropped"),
        Row("models", "world", "-", "dropped"),
    ]  # fmt: skip


def pod(name: str, namespace: str, labels: dict[str, str]) -> dict[str, Any]:
    """A Pod that waits to be told what to try."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "main", "image": DREAM_IMAGE, "imagePullPolicy": "IfNotPresent",
                "command": ["sleep", "infinity"],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def callers(stack: Stack) -> Iterator[dict[str, str]]:
    """How ``kubectl exec`` reaches each caller's Pod."""
    cluster = stack.cluster
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    made: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": enforced}}
        for name in ("elsewhere", "monitoring")
    ]
    made += [pod(*caller) for caller in CALLERS]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    cluster.run("kubectl", "apply", "--filename", "-", stdin=text)
    for name, namespace, _ in CALLERS:
        cluster.kubectl("wait", "--namespace", namespace, "--for=condition=Ready", f"pod/{name}")

    def first(selector: str) -> str:
        return next(each["metadata"]["name"] for each in cluster.get("pods", "--selector", selector))

    yield {
        **{name: f"{name} --namespace {namespace}" for name, namespace, _ in CALLERS},
        "jupyter": "jupyter-0 --container jupyter",
        "ray worker": first("app.kubernetes.io/name=dream-ray,app.kubernetes.io/component=worker")
        + " --container ray-worker",
        "mlflow": first("app.kubernetes.io/name=mlflow") + " --container mlflow",
        "models": first("app.kubernetes.io/name=models"),
    }
    cluster.run("kubectl", "delete", "--wait=false", "--filename", "-", stdin=text)


def addresses(cluster: Cluster) -> dict[str, tuple[str, int]]:
    """Where each door is, by number: a Pod that may not ask for names must not look shut for that reason."""
    service = {each["metadata"]["name"]: each["spec"]["clusterIP"] for each in cluster.get("services")}
    head = cluster.get("pod", "dream-ray-head-0")["status"]["podIP"]
    api = cluster.get("service", "kubernetes", "--namespace", "default")["spec"]["clusterIP"]
    hosts = {**service, "postgres": service["postgres-rw"]}
    found = {door: (hosts.get(door, head), port) for door, port in DOORS.items()}
    return {**found, "API server": (api, 443), "world": ("10.88.0.1", 9418)}


def secrets(cluster: Cluster) -> dict[str, dict[str, str]]:
    """The platform's secrets, by name and key."""
    return {
        each["metadata"]["name"]: {
            key: base64.b64decode(value).decode() for key, value in each.get("data", {}).items()
        }
        for each in cluster.get("secrets")
    }


@pytest.fixture(scope="module")
def table(stack: Stack, callers: dict[str, str], figures: Figures) -> list[tuple[Row, str]]:
    """Each row with what happened."""
    where, by_caller = addresses(stack.cluster), defaultdict(list)
    for row in rows(secrets(stack.cluster)):
        by_caller[row.caller].append(row)
    tried: list[tuple[Row, str]] = []
    for caller, its in by_caller.items():
        attempts = [
            {"how": row.how, "host": where[row.door][0], "port": where[row.door][1], **row.more}
            for row in its
        ]
        program = f"import os\nos.environ['ATTEMPTS'] = {json.dumps(attempts)!r}\n{PROBE}"
        found = json.loads(stack.cluster.python(callers[caller], program))
        tried += zip(its, found, strict=True)
    figures["connections tried"] = len(tried)
    figures["connections"] = [[row.caller, row.door, row.shown, found] for row, found in tried]
    return tried


def test_every_connection_ends_as_it_must(table: list[tuple[Row, str]]) -> None:
    assert len(table) >= 20
    wrong = [f"{row.caller} → {row.door} ({row.shown}): {found}, not {row.expected}"
             for row, found in table if found != row.expected]  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_both_kinds_are_there(table: list[tuple[Row, str]]) -> None:
    refused = {"dropped", "401", "403", "not let in", "password refused"}
    assert sum(found in refused for _, found in table) >= 10
    assert sum(found not in refused for _, found in table) >= 10


def as_table(tried: list[tuple[Row, str]]) -> str:
    """The table as docs/operations.md has it: one line for each caller, what it shows and how that ends."""
    lines: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row, found in tried:
        doors = lines[row.caller, row.shown, found]
        doors += [] if row.door in doors else [row.door]
    text = "".join(
        f"| {who} | {', '.join(doors)} | {shown} | {found} |\n"
        for (who, shown, found), doors in lines.items()
    )
    return f"| from | to | showing | ends |\n| --- | --- | --- | --- |\n{text}"


def test_the_page_has_this_table(table: list[tuple[Row, str]]) -> None:
    assert as_table(table) in OPERATIONS.read_text(), f"put this into it:\n{as_table(table)}"


ASK = """
import sys, urllib.error, urllib.request
headers = {"Authorization": f"token {sys.argv[1]}"} if len(sys.argv) > 1 else {}
try:
    asked = urllib.request.Request("http://127.0.0.1:18888/api/contents", headers=headers)
    print(urllib.request.urlopen(asked).status)
except urllib.error.HTTPError as answer:
    print(answer.code)
"""


def test_jupyter_asks_for_its_token_behind_a_port_forward(stack: Stack) -> None:
    token = secrets(stack.cluster)["dream-jupyter"]["token"]
    with running(stack.cluster, "kubectl", "-n", "dream", "port-forward", "service/jupyter", "18888:8888"):
        ask = [sys.executable, "-c", ASK]
        answer = wait_for(lambda: stack.cluster.attempt(*ask).stdout.strip(), "an answer")
        assert answer == "403"
        assert stack.cluster.run(*ask, token).strip() == "200"
