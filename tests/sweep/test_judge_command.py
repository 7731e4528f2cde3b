"""`dream judge audit` as a whole: keys in a real terminal, the local page, labels in a bucket."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dream.models.offline import ServerOptions, start
from dream.storage import open_storage
from dream.verdict.labels import stored_labels
from tests.servers.s3 import S3Server
from tests.sweep.shell import QUICKSTART, dream, dream_command, environment
from tests.sweep.test_verdict import METRIC, swept
from tests.terminal import CTRL_C, typed

pytestmark = pytest.mark.servers

ROWS = "8"


@dataclass(frozen=True)
class Finished:
    """A study that ran, with its results in a bucket."""

    study: Path
    storage: str
    environment: Mapping[str, str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("audited")
    (folder / "mine.py").write_text(METRIC)
    study, storage = folder / "study.yaml", f"s3://{s3.bucket()}/audited"
    with pytest.MonkeyPatch.context() as patch, start(ServerOptions()) as models:
        for name, value in s3.environment().items():
            patch.setenv(name, value)
        llms = "\n".join(
            f'    {style}: {{provider: openai, model: {style}, base_url: "{models.url}", api_key: null}}'
            for style in ("extractive", "lead")
        )
        study.write_text(
            f"name: audited\ncorpus: {QUICKSTART / 'corpus'}\n"
            f"golden: [{{path: {QUICKSTART / 'questions.jsonl'}, limit: 24}}]\n"
            f"models:\n  llms:\n{llms}\n  embeddings: {{hashing: {{provider: hashing, dimensions: 256}}}}\n"
            "  judge: extractive\n"
            "search: {method: [chunks], llm: [extractive, lead], embedding: [hashing]}\n"
            "metrics: [found]\nobjective: found\nmodules: [mine.py]\n"
        )
        swept(study, storage)
        yield Finished(study, storage, environment(s3.environment()))


def audit(at: Finished, *more: str) -> list[str]:
    return dream_command("judge", "audit", at.study, "--storage", at.storage, "--rows", ROWS, *more)


def at_a_terminal(at: Finished, keys: list[bytes]) -> tuple[int, str]:
    """Run the command in a terminal, and press the keys one a prompt; its exit status, and its screen."""
    ended, screen, _ = typed(audit(at), at.study.parent, at.environment, keys)
    return ended, screen


def labels(at: Finished) -> dict[str, bool]:
    return stored_labels(open_storage(at.storage), "audited")


def test_labels_typed_at_a_terminal_outlive_ctrl_c_and_end_in_an_agreement(finished: Finished) -> None:
    ended, screen = at_a_terminal(finished, [b"y", b"n", CTRL_C])
    assert ended == 0, screen
    assert sorted(labels(finished).values()) == [False, True]
    assert "go on by running it again" in " ".join(screen.split())

    ended, screen = at_a_terminal(finished, [b"y"] * 40)

    assert ended == 0, screen
    assert "2 of" in screen.split("q stop")[0], "it goes on after the two that were labelled"
    said = dream(
        *audit(finished)[3:], "--no-ask", "--json", cwd=finished.study.parent, env=finished.environment
    )
    assert said.said["labelled"] == said.said["rows"] == len(labels(finished)) >= 4, said.errors
    assert said.said["agreement"]["rows"] > 0
    assert all(arm["corrected"] for arm in said.said["arms"])
    assert said.said["text"].split(".")[0] in " ".join(screen.split())


def test_labels_given_on_the_page_are_in_the_bucket_and_the_command_ends_with_the_audit(
    finished: Finished,
) -> None:
    for key in open_storage(finished.storage).list("labels/audited/"):
        if key.key.endswith(".json"):
            open_storage(finished.storage).delete(key.key)
    running = subprocess.Popen(
        audit(finished, "--page", "--json"),
        cwd=finished.study.parent,
        env=dict(finished.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None
        told = next(line for line in running.stderr if "http://127.0.0.1" in line)
        address = "http://127.0.0.1" + told.split("http://127.0.0.1")[1].split()[0]

        def send(verb: str, body: object) -> object:
            headers = {"Content-Type": "application/json"}
            asked = urllib.request.Request(address + verb, json.dumps(body).encode(), headers)
            return json.load(urllib.request.urlopen(asked, timeout=30))

        rows = json.load(urllib.request.urlopen(f"{address}rows", timeout=30))["rows"]
        for number, row in enumerate(rows[:3]):
            send("label", {"id": row["id"], "right": number != 1})
        assert labels(finished) == {row["id"]: number != 1 for number, row in enumerate(rows[:3])}
        send("close", {})
        said = json.loads(running.communicate(timeout=60)[0])
    finally:
        running.kill()
    assert running.returncode == 0 and said["labelled"] == 3 < said["rows"]
