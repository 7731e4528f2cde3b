"""A whole command as a Ray job, over plain HTTP: for where the Ray client cannot connect.

The study travels through the storage with its question files and modules; documents and ledger must lie
where the cluster sees them. A job goes on when this process ends, and a second start of the same command
finds it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from dream.cluster.packed import command_line, send_study
from dream.cluster.versions import own_versions
from dream.errors import DreamError
from dream.records import digest_of
from dream.study import Study
from dream.sweep.progress import Status, Watcher

JOBS_PORT = 8265

SECONDS_BETWEEN_LOOKS = 1.0

SECONDS_TO_TAKE = 60.0

_PROGRESS = re.compile(
    r"^(\w+) +([\d,]+)/([\d,]+) (\w+)(?:  ([\d,]+) calls, ([\d,]+) reused(?:  \$([\d,.]+))?)?"
)


def jobs_address(ray_address: str) -> str | None:
    """Where the Jobs API of a cluster answers, or ``None`` where it does not.

    Args:
        ray_address: ``ray://host:10001``; the API is looked for at RAY_API_SERVER_ADDRESS, or on the same
            host at port 8265.
    """
    address = named_address(ray_address)
    try:
        jobs_versions(address)
    except DreamError:
        return None
    return address.rstrip("/")


def named_address(ray_address: str) -> str:
    """The Jobs API that the user names: RAY_API_SERVER_ADDRESS, else beside a ``ray://`` address.

    >>> named_address("ray://head.example:10001")
    'http://head.example:8265'
    """
    host = urlsplit(ray_address).hostname if ray_address.startswith("ray://") else None
    return os.environ.get("RAY_API_SERVER_ADDRESS") or (f"http://{host}:{JOBS_PORT}" if host else "")


def jobs_versions(address: str) -> dict[str, str]:
    """What the Jobs API tells of its versions: Ray's.

    Raises:
        DreamError: nothing answers there, or it refuses the token.
    """
    headers = {}
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{address.rstrip('/')}/api/version", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return {"Ray": str(json.load(answer)["ray_version"])}
    except (OSError, ValueError, KeyError) as error:
        refused = isinstance(error, urllib.error.HTTPError) and error.code in (401, 403)
        todo = "set RAY_AUTH_TOKEN to the cluster's token" if refused else "start it, or mend RAY_ADDRESS"
        raise DreamError(f"no Jobs API of Ray answers ({error})", address, todo) from None


def run_job(
    address: str,
    command: Sequence[str],
    study: Study,
    storage: str,
    notebook: bytes = b"",
    watcher: Watcher | None = None,
) -> str:
    """Run ``dream COMMAND study.yaml`` on the cluster and wait for its end; gives the end of its log.

    A command that says by its exit code that some arms failed has ended well: the ledger tells which.

    Args:
        address: of the Jobs API.
        command: such as ``["run"]`` or ``["golden", "build"]``.
        study: goes along with the files that it names.
        storage: address of the ledger, which the cluster must see.
        notebook: methods and metrics from cells, as ``pack_notebook`` gives them.
        watcher: is shown the progress that the job prints.

    Raises:
        DreamError: the storage is a folder of this machine, or the job could not run.
        KeyboardInterrupt: stopped by the user; the job is stopped too.
    """
    client = jobs_client(address)
    check = f"python -m dream.cluster.check {json.dumps(json.dumps(own_versions()))}"
    line = f"{check} && {command_line(storage, send_study(study, storage, notebook), command)}"
    name = _start(client, f"dream-{study.name}-{digest_of(line)[:10]}", line)
    try:
        return _follow(client, name, address, watcher)
    except KeyboardInterrupt:
        client.stop_job(name)
        raise


def jobs_client(address: str) -> Any:
    """Ray's client of the Jobs API at that address.

    Raises:
        DreamError: nothing answers there, or it refuses the token.
    """
    from ray.job_submission import JobSubmissionClient

    # Ray's own client prefers these two to its argument, and RAY_ADDRESS may still be ray://…
    before = os.environ.get("RAY_API_SERVER_ADDRESS")
    os.environ["RAY_API_SERVER_ADDRESS"] = address
    try:
        return JobSubmissionClient(address)
    except Exception as error:  # many kinds, each with a page of text  # noqa: BLE001
        said = " ".join(str(error).split())[:200]
        raise DreamError(f"Ray's Jobs API refuses ({said})", address, "check RAY_AUTH_TOKEN") from None
    finally:
        if before is None:
            del os.environ["RAY_API_SERVER_ADDRESS"]
        else:
            os.environ["RAY_API_SERVER_ADDRESS"] = before


def _start(client: Any, base: str, line: str) -> str:
    """Submit, unless the same command is under way already; gives the job's name."""
    for number in count(1):
        name = f"{base}-{number}"
        with contextlib.suppress(RuntimeError):  # no such job
            if client.get_job_status(name).is_terminal():
                continue
            return name
        return start_job(client, name, line)
    raise AssertionError("count() does not end")


def start_job(client: Any, name: str, line: str) -> str:
    """Submit a command; gives its name. A cluster that has just started is given a minute to take it.

    Raises:
        DreamError: the cluster does not take it.
    """
    deadline = time.monotonic() + SECONDS_TO_TAKE
    while True:
        try:
            return str(client.submit_job(entrypoint=line, submission_id=name))
        except RuntimeError as error:
            # 500: the agent that starts jobs is not up yet, or not found yet
            if "status code 500" not in str(error) or time.monotonic() > deadline:
                said = " ".join(str(error).split())[-200:]  # the reason stands at the end
                todo = "look at the head's log, then try again"
                raise DreamError(f"Ray does not take the job ({said})", name, todo) from None
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _follow(client: Any, name: str, address: str, watcher: Watcher | None) -> str:
    seen = 0
    while True:
        ended = client.get_job_status(name).is_terminal()  # first: what was logged until then is whole
        log = client.get_job_logs(name)
        if watcher:
            for status in statuses(log[seen:]):
                watcher(status)
        seen = max(log.rfind("\n") + 1, 0)
        if ended:
            break
        time.sleep(SECONDS_BETWEEN_LOOKS)
    code = client.get_job_info(name).driver_exit_code
    last = log.strip().splitlines()[-15:]
    if code not in (0, 1):
        told = next((line for line in reversed(last) if line.startswith("error: ")), "") or " ".join(
            last[-3:]
        )
        raise DreamError(
            f"the job {name} ended with code {code}: {told.removeprefix('error: ')[:300]}",
            address,
            f"see its log: ray job logs {name}",
        )
    return "\n".join(last)


def statuses(log: str) -> Iterator[Status]:
    """The progress that lines of a log tell.

    >>> list(statuses("sweep    36/108 questions  385 calls, 359 reused  $0.20"))[0].done
    36
    """
    for line in log.splitlines():
        if found := _PROGRESS.match(line):
            stage, done, total, unit, calls, reused, dollars = (
                (text or "0").replace(",", "") for text in found.groups()
            )
            yield Status(stage, int(done), int(total), unit, int(calls), int(reused), float(dollars))
