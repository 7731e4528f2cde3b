"""A holdout and a race on the quickstart, without Ray; what was asked is counted by the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dream import verbs
from dream.cli import app
from dream.ledger import Ledger
from dream.models.capacity import Rules
from dream.models.limits import Bounds
from dream.models.offline import RunningServer, ServerOptions, start
from dream.records import Corpus, to_json
from dream.retrieval.index import build_index
from dream.storage import open_storage
from dream.study_file import load_study
from dream.sweep.arms import list_arms, method_of
from dream.sweep.result import Arm, ArmResult
from dream.sweep.run import recorded, whole
from dream.sweep.setting import Setting
from dream.sweep.trial import run_arm
from dream.sweeping import Trying, answer, phases_of, score_holdout
from dream.verdict.result import SweepResult
from tests.sweep.shell import QUICKSTART

pytestmark = pytest.mark.servers

# Reference words of five letters and more that the answer holds, as a share; asks no judge.
METRIC = """
from dream.metrics import metric


@metric
def found(reference: str, answer: str) -> float:
    words = {word for word in reference.lower().split() if len(word) > 4}
    return sum(word in answer.lower() for word in words) / max(1, len(words))
"""


@pytest.fixture
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


def in_this_process(ledger: Ledger, corpus: Corpus) -> Trying:
    """What ``trying`` gives, by the same trials, one after the other and without Ray."""

    def results_of(setting: Setting, arms: Sequence[Arm]) -> list[ArmResult]:
        return [one(setting, arm) for arm in arms]

    def one(setting: Setting, arm: Arm) -> ArmResult:
        if (known := recorded(setting, arm, ledger)) and whole(known):
            return known
        method = method_of(arm)
        embedder = setting.embedder(arm.embedding)
        build_index(ledger, corpus.documents, method.splitter(), method.split, embedder)
        bounds = Bounds(Rules(calls_at_once=32))
        result = asyncio.run(run_arm(setting, arm, ledger, bounds, lambda sums: None))
        ledger.record("trial", setting.trial_inputs(arm), {**to_json(result), "arm": None})
        return result

    return results_of


def swept(path: Path, storage: Path) -> SweepResult:
    """What ``run_sweep`` does, phase by phase."""
    study = load_study(path)
    ledger = verbs.open_ledger(study, str(storage))
    corpus = verbs.gather_corpus(study, ledger=ledger)
    golden = verbs.build_golden(study, ledger=ledger, corpus=corpus)
    phases = phases_of(verbs._setting(study, verbs.place(str(storage)), corpus, golden, None))
    results_of = in_this_process(ledger, corpus)
    answered = answer(phases.choosing, list_arms(study), results_of)
    result = verbs._result(study, corpus, golden, phases, *answered)
    return score_holdout(result, phases.holdout, results_of, ledger) if phases.holdout else result


def test_a_race_takes_the_grids_arm_with_fewer_calls_and_asks_the_holdout_of_the_tie_set_only(
    tmp_path: Path, models: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with start(ServerOptions()) as other:
        grid = swept(study_of(tmp_path / "grid", other.url, "grid"), tmp_path / "grid" / "store").verdict()
        of_grid = other.calls()["by_kind"]["generate"]
    study, store = study_of(tmp_path / "race", models.url, "racing", holdout=0.3), tmp_path / "race" / "store"
    before = verbs.plan(load_study(study), storage=str(store), exact=True)

    verdict = swept(study, store).verdict()

    asked = models.calls()["by_kind"]["generate"]
    low, likely, high = (each.calls["generate"] for each in (before.low, before.remaining, before.high))
    # at the least every arm is asked the first round, and one all questions; at the most all are asked all
    assert low < asked < high and low < likely < high and likely == pytest.approx(asked, rel=0.3)
    assert high == pytest.approx(3 * 79 * 1.15, rel=0.02) and low < 3 * 79 / 2
    assert any("after the race's first" in each for each in before.assumptions)
    assert any("questions of the holdout" in each for each in before.assumptions)
    after = verbs.plan(load_study(study), storage=str(store), exact=True)
    assert (after.arms_done, after.remaining.model_calls, after.remaining.dollars) == (3, 0, 0.0)
    assert after.model_calls == asked == models.calls()["by_kind"]["generate"]
    stopped = [arm for arm in verdict.arms if arm.stopped_after]
    assert [arm.name.split(" · ")[1] for arm in stopped] == ["lead"]
    assert verdict.questions + verdict.holdout == 79 and 15 <= verdict.holdout <= 32
    due = 2 * verdict.questions + (stopped[0].stopped_after or 0) + len(verdict.tied) * verdict.holdout
    assert asked == due < of_grid == 3 * 79, (asked, due, of_grid)
    assert {arm.name for arm in verdict.tied} <= {arm.name for arm in grid.tied}
    assert all((arm.honest is not None) == arm.tied for arm in verdict.arms)
    assert verdict.looks == 1 and "no part in choosing" in verdict.text

    # the ledger alone gives the same verdict, and calls no model
    app(["verdict", str(study), "--storage", str(store), "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(verdict.to_json()))
    app(["verdict", str(study), "--storage", str(store)], standalone_mode=False)
    said = capsys.readouterr().out
    assert "Take " in said and f"out at {stopped[0].stopped_after}" in said
    assert models.calls()["by_kind"]["generate"] == asked

    # another set of arms looks at the same holdout, and that is said
    study.write_text(study.read_text().replace("llm: [extractive, verbose, lead]", "llm: [extractive, lead]"))
    again = swept(study, store).verdict()
    assert again.looks == 2 and any("looked at this holdout" in note for note in again.notes)
    assert len(list(open_storage(store).list("holdout/"))) == 2
