"""A race with a judge that wavers, through `dream run` on Ray; what was asked is counted by the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dream.models.offline import Faults, RunningServer, ServerOptions, start
from tests.report.test_page import Elements
from tests.sweep.shell import QUICKSTART, dream

pytestmark = pytest.mark.servers


@pytest.fixture
def wavering() -> Iterator[RunningServer]:
    with start(ServerOptions(faults=Faults(wavering=0.2))) as server:
        yield server


def study_of(folder: Path, url: str) -> Path:
    study = folder / "study.yaml"
    study.write_text(
        f"name: race\ncorpus: {QUICKSTART / 'corpus'}\n"
        f"golden: [{{path: {QUICKSTART / 'questions.jsonl'}, limit: 60}}]\n"
        "models:\n  llms:\n"
        f'    one: {{provider: openai, model: extractive, base_url: "{url}", api_key: null}}\n'
        "  embeddings: {hashing: {provider: hashing, dimensions: 256}}\n  judge: one\n"
        "search: {mode: racing, method: [chunks], llm: [one], embedding: [hashing], "
        "knobs: {chunks: {top_k: [1, 6, 8]}}}\n"
        "metrics: [context_recall]\nobjective: context_recall\njudgings: 2\n"
        "limits: {trials_at_once: 1}\n"
        "verdict: {cluster: question}\n"
    )
    return study


def test_a_race_on_ray_stops_an_arm_saves_calls_and_says_so_and_the_judges_noise_is_told(
    tmp_path: Path, wavering: RunningServer
) -> None:
    study, store = study_of(tmp_path, wavering.url), tmp_path / "store"

    ended = dream("run", study, "--storage", store, "--json", "--quiet", cwd=tmp_path)

    assert ended.code == 0, ended.errors
    asked = wavering.calls()
    verdict: dict[str, Any] = ended.said["verdict"]
    stopped = [arm for arm in verdict["arms"] if arm["stopped_after"]]
    assert [arm["name"].split(" · ")[-1] for arm in stopped] == ["top_k=1"], verdict["text"]
    last = stopped[0]
    assert 8 <= last["stopped_after"] < 60 and not last["tied"] and last["p"] <= 0.01
    assert last["beaten_by"] in {arm["name"] for arm in verdict["arms"]} - {last["name"]}
    # each arm asked each of its questions once, and nobody asked anything twice
    assert asked["by_kind"]["generate"] == 2 * 60 + last["stopped_after"], asked
    assert asked["repeats"] == 0
    told = next(note for note in verdict["notes"] if note.startswith("Stopped: "))
    assert last["name"] in told and str(last["stopped_after"]) in told and last["beaten_by"] in told

    # two judgings of each answer differ, and their part of the variance stands beside the others
    matters = ended.said["matters"]
    noise = next(share for share in matters["between_scores"] if share["source"] == "judge's noise")
    assert matters["judgings"] == 2 and noise["variance"] > 0

    page = (tmp_path / "store" / "race" / "report.html").read_text()
    shown = json.loads(Elements(page).scripts[0])
    assert shown["verdict"] == verdict and shown["matters"] == matters
    assert f"stopped after {last['stopped_after']} questions" in page and "the judge's own noise" in page

    # running it again costs nothing, and gives the same; the terminal says it too
    again = dream("run", study, "--storage", store, "--json", "--quiet", cwd=tmp_path)
    assert again.said["verdict"] == verdict and wavering.calls()["chat"] == asked["chat"]
    terminal = dream("verdict", study, "--storage", store, cwd=tmp_path).said["text"]
    assert f"out at {last['stopped_after']}" in " ".join(terminal.split())
