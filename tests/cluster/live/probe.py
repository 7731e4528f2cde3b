"""Tries connections from inside a Pod; sent there as text, so it imports nothing of ours.

Reads a list of attempts as JSON from the variable ATTEMPTS, which is written above it, and prints one word
for each: ``open``, ``dropped``, ``refused``, or what the server answered.
"""

import json
import os
import socket
import threading
import urllib.error
import urllib.request

ATTEMPTS = json.loads(os.environ.get("ATTEMPTS", "[]"))
SECONDS = 6


def tcp(it):
    socket.create_connection((it["host"], it["port"]), SECONDS).close()
    return "open"


def http(it):
    request = urllib.request.Request(
        f"http://{it['host']}:{it['port']}{it.get('path', '/')}", headers=it.get("headers", {})
    )
    try:
        return str(urllib.request.urlopen(request, timeout=SECONDS).status)
    except urllib.error.HTTPError as answer:
        return str(answer.code)


def s3(it):
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import ClientError

    keys = it.get("keys")
    how = Config(
        connect_timeout=SECONDS,
        retries={"max_attempts": 0},
        s3={"addressing_style": "path"},
        signature_version="s3v4" if keys else UNSIGNED,
    )
    user, password = keys or (None, None)
    client = boto3.client(
        "s3", endpoint_url=f"http://{it['host']}:{it['port']}", region_name="us-east-1", config=how,
        aws_access_key_id=user, aws_secret_access_key=password,
    )  # fmt: skip
    try:
        return str(client.list_objects_v2(Bucket=it["bucket"])["ResponseMetadata"]["HTTPStatusCode"])
    except ClientError as answer:
        return str(answer.response["ResponseMetadata"]["HTTPStatusCode"])


def postgres(it):
    import psycopg2

    try:
        psycopg2.connect(
            host=it["host"], port=it["port"], dbname="mlflow", user=it["user"], password=it["password"],
            connect_timeout=SECONDS,
        ).close()  # fmt: skip
        return "let in"
    except psycopg2.OperationalError as answer:
        if "password authentication failed" in str(answer):
            return "password refused"
        raise TimeoutError from answer


def ray_client(it):
    """Ray reads its token once, so each attempt is a process of its own."""
    import subprocess
    import sys

    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    program = f"import ray; ray.init('ray://{it['host']}:{it['port']}'); print(len(ray.nodes()) > 1)"
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": it["token"]} if it.get("token") else {}
    more = {**token, "HOME": "/tmp", "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**clean, **more}, capture_output=True, text=True, timeout=150
    )
    if done.returncode == 0 and "True" in done.stdout:
        return "let in"
    # Ray's client gives no other reason for a token that is not accepted.
    words = ("authentication", "unauthenticated", "connection timeout")
    return "not let in" if any(word in done.stderr.lower() for word in words) else done.stderr[-300:]


def answer(it):
    try:
        it["found"] = globals()[it["how"]](it)
    except ConnectionRefusedError:
        it["found"] = "refused"
    except TimeoutError:
        it["found"] = "dropped"
    except Exception as error:  # a word for the table, whatever it was  # noqa: BLE001
        text = f"{type(error).__name__}: {error}"
        silent = any(word in text for word in ("timed out", "Timeout", "timeout"))
        it["found"] = "dropped" if silent else text


THREADS = [threading.Thread(target=answer, args=(each,)) for each in ATTEMPTS]
for each in THREADS:
    each.start()
for each in THREADS:
    each.join()
print(json.dumps([each["found"] for each in ATTEMPTS]))
