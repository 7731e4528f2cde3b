"""A holdout and a race as a user runs them; what was asked is counted by the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dream.models.offline import RunningServer, ServerOptions, start
from tests.sweep.shell import QUICKSTART, dream, run

pytestmark = pytest.mark.servers

# Reference words of five letters and more that the answer holds, as a share; asks no judge.
METRIC = """
from dream.metrics import metric


@metric
def found(reference: str, answer: str) -> float:
    words = {word for word in reference.lower().split() if len(word) > 4}
    return sum(word in answer.lower() for word in words) / max(1, len(words))
"""


@pytest.fixture(scope="module")
def models() -> Iterator[RunningServer]:
    with start(ServerOptions()) as server:
        yield server


def study_of(folder: Path, url: str, mode: str, holdout: float = 0.0) -> Path:
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(METRIC)
    llms = "\n".join(
        f'    {style}: {{provider: openai, model: {style}, base_url: "{url}", api_key: null}}'
        for style in ("extractive", "verbose", "lead")
    )
    study = folder / "study.yaml"
    study.write_text(
        f"name: verdict\ncorpus: {QUICKSTART / 'corpus'}\n"
        f"golden: {{files: [{QUICKSTART / 'questions.jsonl'}], holdout: {holdout}}}\n"
        f"models:\n  llms:\n{llms}\n  embeddings: {{hashing: {{provider: hashing, dimensions: 256}}}}\n"
        "  judge: extractive\n"
        f"search: {{mode: {mode}, method: [chunks], llm: [extractive, verbose, lead], "
        "embedding: [hashing]}\n"
        "metrics: [found]\nobjective: found\nmodules: [mine.py]\nverdict: {cluster: question}\n"
    )
    return study


def test_a_race_takes_the_grids_arm_with_fewer_calls_and_the_holdout_is_asked_of_the_tie_set_only(
    tmp_path: Path, models: RunningServer
) -> None:
    with start(ServerOptions()) as other:
        grid = run(study_of(tmp_path / "grid", other.url, "grid"), tmp_path / "grid" / "store")
        assert grid.code == 0, grid.errors
        whole = other.calls()["by_kind"]["generate"]
    raced_study = study_of(tmp_path / "race", models.url, "racing", holdout=0.3)
    store = tmp_path / "race" / "store"
    raced = run(raced_study, store)
    assert raced.code == 0, raced.errors
    asked = models.calls()["by_kind"]["generate"]

    verdict = raced.said["verdict"]
    assert whole == 3 * 79
    stopped = [arm for arm in verdict["arms"] if arm["stopped_after"]]
    assert [arm["name"].split(" · ")[1] for arm in stopped] == ["lead"]
    choosing, held = verdict["questions"], verdict["holdout"]
    assert choosing + held == 79 and 15 <= held <= 32
    tied = [arm for arm in verdict["arms"] if arm["tied"]]
    assert asked == 2 * choosing + stopped[0]["stopped_after"] + len(tied) * held < whole
    assert {arm["name"] for arm in tied} <= {
        arm["name"] for arm in grid.said["verdict"]["arms"] if arm["tied"]
    }
    assert all((arm["honest"] is not None) == arm["tied"] for arm in verdict["arms"])
    assert verdict["looks"] == 1
    assert "no part in choosing" in verdict["text"]

    again = dream("verdict", raced_study, "--storage", store, "--json", cwd=raced_study.parent)
    assert again.said == verdict, "the ledger alone gives the same verdict"
    shown = dream("verdict", raced_study, "--storage", store, cwd=raced_study.parent)
    assert "Take " in shown.said["text"] and "out at" in shown.said["text"]
    assert models.calls()["by_kind"]["generate"] == asked, "a verdict calls no model"

    # another set of arms looks at the same holdout
    text = raced_study.read_text()
    raced_study.write_text(text.replace("llm: [extractive, verbose, lead]", "llm: [extractive, lead]"))
    assert run(raced_study, store).said["verdict"]["looks"] == 2
    assert json.dumps(verdict)
