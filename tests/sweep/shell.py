"""Runs `dream` as a user does, on a small study, and compares leaderboards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"

DOCUMENTS = ("06-ray-in-practice", "08-operations-handbook")


def small_study(folder: Path, *, models: str, search: str, more: str = "", questions: int = 6) -> Path:
    """A study of two Markdown documents and a few questions of the quickstart."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for name in DOCUMENTS:
        shutil.copy(QUICKSTART / "source" / f"{name}.md", corpus)
    rows = []
    for line in (QUICKSTART / "questions.jsonl").read_text().splitlines():
        row = json.loads(line)
        named = {piece["document"].removesuffix(".pdf") for piece in row["evidence"]}
        if named and named <= set(DOCUMENTS) and row["kind"] == "single-hop":
            row["evidence"] = [piece["text"] for piece in row["evidence"]]
            rows.append(row)
    assert len(rows) >= questions, f"the quickstart has only {len(rows)} questions on {DOCUMENTS}"
    text = "\n".join(json.dumps(row) for row in rows[:questions])
    (folder / "questions.jsonl").write_text(text)
    study = folder / "study.yaml"
    study.write_text(
        f"name: small\ncorpus: corpus\ngolden: questions.jsonl\nmodels:\n{models}\nsearch: {search}\n{more}\n"
    )
    return study


OFFLINE = """
  llms:
    good: {provider: offline, style: extractive}
    poor: {provider: offline, style: lead}
  embeddings:
    hashing: {provider: hashing, dimensions: 256}
  judge: good
"""


def served(url: str, **more: str) -> str:
    """Models as in OFFLINE, but at an address, so that the server's own counts outlive a run."""
    also = "".join(f"    {name}: {text}\n" for name, text in more.items())
    return f"""
  llms:
    good: {{provider: openai, model: extractive, base_url: "{url}", api_key: null}}
    poor: {{provider: openai, model: lead, base_url: "{url}", api_key: null}}
{also}
  embeddings:
    hashing: {{provider: hashing, dimensions: 256}}
  judge: good
"""


SEARCH = "{method: [chunks, sentence_window], llm: [good, poor], embedding: [hashing]}"


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it printed as JSON."""

    code: int
    said: dict[str, Any]
    errors: str


def dream_command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "dream.cli", *map(str, words)]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DREAM_"))}
    return {**clean, **(extra or {})}


def dream(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end."""
    ended = subprocess.run(
        dream_command(*words), cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=400
    )
    return read_end(ended.returncode, ended.stdout, ended.stderr)


def read_end(code: int, stdout: str, stderr: str) -> Ended:
    try:
        said = json.loads(stdout)
    except ValueError:
        said = {"text": stdout}
    return Ended(code, said, stderr)


def run(study: Path, storage: str | Path, env: Mapping[str, str] | None = None) -> Ended:
    return dream("run", study, "--storage", storage, "--json", "--quiet", cwd=study.parent, env=env)


def numbers(ended: Ended) -> dict[str, Any]:
    """Everything of a leaderboard that must not change between runs: all but the times."""
    assert "arms" in ended.said, ended.errors
    return {arm["name"]: {"metrics": arm["metrics"], "error": arm["error"]} for arm in ended.said["arms"]}


@contextmanager
def started(
    study: Path, storage: str | Path, *more: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A run under way, in a process group of its own as at a terminal."""
    process = subprocess.Popen(
        dream_command("run", study, "--storage", storage, *more),
        cwd=study.parent,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(true: Any, what: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.02)
