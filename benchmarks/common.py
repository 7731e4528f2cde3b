"""What the programs share: a study on the offline server, a run of `dream` seen from outside, the result.

Every model of these studies is a name at the offline server's address, the embeddings included, so that
whoever is compared with DREAM asks the very same models, and the server's own counts tell who asked what.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import Watch, watched
from dream.models.offline import Faults, RunningServer, ServerOptions, start

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart"

SIX = (
    "faithfulness", "answer_relevancy", "context_precision", "context_recall", "answer_correctness",
    "answer_similarity",
)  # fmt: skip


def read_options(description: str | None, quick: str) -> argparse.Namespace:
    """The options that all programs have: ``--quick`` and ``--json``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


@contextmanager
def serving(latency: float) -> Iterator[RunningServer]:
    """The offline server, each of whose answers takes so many seconds."""
    with start(ServerOptions(faults=Faults(latency=latency))) as server:
        yield server


def counts_anew(server: RunningServer) -> None:
    """Let the server forget what it was asked so far."""
    address = server.url.removesuffix("/v1") + "/calls/reset"
    urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=30).close()


def write_corpus(folder: Path) -> Path:
    """The quickstart's nine documents as plain text, which everybody reads alike."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for source in sorted((QUICKSTART / "source").glob("*.md")):
        (corpus / f"{source.stem}.txt").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return corpus


def make_questions(number: int) -> list[dict[str, str]]:
    """The quickstart's questions, then as many made from the documents' sentences as are still wanted."""
    lines = (QUICKSTART / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    found = [
        {"id": row["id"], "question": row["question"], "reference": row["reference"]}
        for row in rows
        if row["kind"] != "unanswerable"
    ]
    for sentence in _sentences():
        if len(found) >= number:
            break
        first = " ".join(sentence.split()[:6])
        asked = f'What follows "{first}", and why does it matter?'
        found.append({"id": f"made{len(found)}", "question": asked, "reference": sentence})
    return found[:number]


def _sentences() -> Iterator[str]:
    seen = set()
    for source in sorted((QUICKSTART / "source").glob("*.md")):
        for paragraph in source.read_text(encoding="utf-8").split("\n\n"):
            if paragraph.startswith(("#", "|", "-", "```")):
                continue
            for sentence in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
                if 60 < len(sentence) < 300 and sentence[:30] not in seen:
                    seen.add(sentence[:30])
                    yield sentence


def write_study(
    folder: Path,
    url: str,
    *,
    questions: Sequence[Mapping[str, str]],
    llms: Sequence[str],
    embeddings: Mapping[str, Any],
    search: Mapping[str, Any],
    calls_at_once: int,
    metrics: Sequence[str] = SIX,
    objective: str = "answer_correctness",
) -> Path:
    """A study of the quickstart's texts, with chat models at the server's address.

    Args:
        folder: where corpus, questions and study are written.
        url: base address of the offline server.
        questions: from ``make_questions``.
        llms: chat models of the server; each is searched.
        embeddings: of the study, as in its file; each is searched, and the first compares answers.
        search: methods and knobs.
        calls_at_once: that the study allows.
        metrics: of the study.
        objective: one of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "corpus").exists():
        write_corpus(folder)
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)), encoding="utf-8")
    models = {
        name: {"provider": "openai", "model": name, "base_url": url, "api_key": None}
        for name in dict.fromkeys([*llms, "judge"])
    }
    study = {
        "name": "benchmark",
        "corpus": "corpus",
        "golden": "questions.jsonl",
        "models": {"llms": models, "embeddings": dict(embeddings), "judge": "judge"},
        "search": {"llm": list(llms), "embedding": list(embeddings), **search},
        "metrics": list(metrics),
        "objective": objective,
        "limits": {"calls_at_once": calls_at_once},
    }
    path = folder / "study.yaml"
    path.write_text(json.dumps(study, indent=1), encoding="utf-8")  # JSON is YAML
    return path


def served_embedding(url: str, dimensions: int) -> dict[str, Any]:
    """An embedding of the offline server, as a study names it."""
    return {"provider": "openai", "model": f"hashing-{dimensions}", "base_url": url, "api_key": None}


@dataclass(frozen=True)
class Run:
    """A run of `dream` from outside.

    Attributes:
        said: what it printed as JSON.
        watch: its seconds, processor seconds and memory.
    """

    said: dict[str, Any]
    watch: Watch

    @property
    def arm_questions(self) -> int:
        """Arms × questions."""
        return len(self.said["arms"]) * int(self.said["questions"])


def dream_run(study: Path, storage: str | Path, environment: Mapping[str, str] | None = None) -> Run:
    """`dream run` as a user starts it, from its first to its last moment, page and MLflow included.

    Raises:
        RuntimeError: it failed, or an arm did, or a score is missing.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DREAM_"))}
    command = [sys.executable, "-m", "dream.cli", "run", str(study), "--storage", str(storage)]
    process = subprocess.Popen(
        [*command, "--json", "--quiet"],
        cwd=study.parent,
        env={**clean, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with watched(process.pid) as watch:
            out, errors = process.communicate()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        told = f"{errors[-2000:]}\n{out[-2000:]}"  # what failed in a run that has a result is in the result
        raise RuntimeError(f"dream run ended with {process.returncode}: {told}")
    return Run(json.loads(out), watch)


def tell(what: str, found: Mapping[str, Any]) -> None:
    """Say on standard error how far a program is, so that one of half an hour is not silent."""
    print(f"{what}: {json.dumps(found)}", file=sys.stderr, flush=True)


def finish(
    options: argparse.Namespace, ratio: float, target: str, met: bool, found: Mapping[str, Any]
) -> int:
    """Print the result; gives the exit code.

    A quick look fails only when the program breaks: its ratio says little, being mostly start-up.
    """
    result = {
        "ratio": round(ratio, 3),
        "target": target,
        "met": met,
        "quick": bool(options.quick),
        **found,
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
    }
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:<22} {value}")
    return 0 if met or options.quick else 1


def outline(run: Run) -> dict[str, Any]:
    """What a run took, for a result."""
    return {
        **asdict(run.watch),
        "arm_questions": run.arm_questions,
        "model_calls": run.said["model_calls"],
        "embedded_texts": run.said["embedded_texts"],
    }
