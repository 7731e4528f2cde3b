"""`dream plan` against what the run then used, and what it says where something is not known."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dream import verbs
from dream.models.embedding import Embedder, embed_texts, embedding_identity
from dream.models.hashing import embed_by_hashing
from dream.models.offline import Faults, ServerOptions, start
from dream.study_file import load_study
from dream.sweep.plan import Plan
from tests.sweep.shell import SEARCH, dream, run, served, small_study

HALF = SEARCH.replace("llm: [good, poor]", "llm: [good]")
A_MINUTE = 240
ONE_QUESTION = 12  # seconds: three calls, as measured on a machine however busy, and an import
PRICES = {"extractive": "{input: 0.4, output: 1.6}", "lead": "{input: 2, output: 8}"}


def priced(url: str) -> str:
    text = served(url)
    for model, prices in PRICES.items():
        text = text.replace(f"model: {model},", f"model: {model}, prices: {prices},")
    embedding = (
        f'{{provider: openai, model: hashing-64, base_url: "{url}", api_key: null, prices: {{input: 1}}}}'
    )
    return re.sub(r"\{provider: hashing.*\}", embedding, text)


def planned(study: Path) -> Plan:
    return verbs.plan(load_study(study), storage=str(study.parent / "store"))


def assert_foretold(plan: Plan, used: dict[str, Any]) -> None:
    """Every figure within 15 % of what the run says it used; time as the limits allow for those figures."""
    left = vars(plan.remaining)
    for name in ("model_calls", "input_tokens", "output_tokens", "dollars"):
        assert left[name] == pytest.approx(used[name], rel=0.15), name
        assert vars(plan.low)[name] <= used[name] <= vars(plan.high)[name], name
    for name in ("embedded_texts", "embedding_tokens"):
        assert left[name] == pytest.approx(used[name], rel=0.15), name
    for kind, number in used["calls"].items():
        # Unpaid vectors find other chunks; one answer more that equals another is three calls fewer.
        assert left["calls"][kind] == pytest.approx(number, rel=0.15, abs=3), kind
    # A busy machine makes a run slower, and nothing makes it faster than its limits: so the forecast is held
    # against what the limits make of the calls used, and one question's calls, which follow one another.
    at_the_limits = (used["model_calls"] + used["embedding_requests"]) / A_MINUTE * 60
    assert at_the_limits * 0.85 <= left["asking_seconds"] <= at_the_limits * 1.15 + ONE_QUESTION
    assert used["asking_seconds"] >= left["asking_seconds"] * 0.85 - ONE_QUESTION


@pytest.mark.servers
def test_a_run_uses_what_the_plan_foretold_cold_half_warm_and_nothing_after(tmp_path: Path) -> None:
    with start(ServerOptions(faults=Faults(latency=0.2))) as server:
        limits = f"limits: {{requests_per_minute: {A_MINUTE}, dollars: 0.03}}"
        study = small_study(tmp_path, models=priced(server.url), search=HALF, more=limits, questions=6)
        cold = planned(study)
        assert server.calls()["chat"] == 0
        assert (cold.model_calls_recorded, cold.indexes_done, cold.arms_done) == (0, 0, 0)
        assert cold.cap == (0.03, 0.0) and cold.cap_share is not None and 0 < cold.cap_share < 1
        study.write_text(study.read_text().replace(", dollars: 0.03", ", dollars: 5"))
        first = run(study, tmp_path / "store")
        assert first.code == 0, first.errors
        assert_foretold(cold, first.said)

        study.write_text(study.read_text().replace(HALF, SEARCH))
        half = planned(study)
        assert half.model_calls_recorded == first.said["model_calls"]
        assert half.cap is not None and half.cap[1] == pytest.approx(first.said["dollars"], rel=0.01)
        second = run(study, tmp_path / "store")
        assert second.code == 0, second.errors
        assert_foretold(half, second.said)
        # What the new LLM is shown is recorded, and it answers by the rule of its stand-in.
        assert half.remaining.calls == second.said["calls"]
        both = first.said["model_calls"] + second.said["model_calls"]
        assert half.model_calls == pytest.approx(both, rel=0.15)

        after = planned(study)
        assert (after.model_calls, after.model_calls_recorded) == (both, both)
        left = after.remaining
        assert (left.model_calls, left.embedded_texts, left.dollars, left.asking_seconds) == (0, 0, 0.0, 0.0)
        assert after.arms_done == 4 and server.calls()["repeats"] == 0


NOWHERE = "http://127.0.0.1:9/v1"
OTHER = '{{provider: openai, model: {name}, base_url: "http://127.0.0.1:9/v1", api_key: null}}'


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def make(models: str = priced(NOWHERE), more: str = "", golden: str = "") -> Path:
        path = small_study(
            tmp_path_factory.mktemp("plan"), models=models, search=HALF, more=more, questions=2
        )
        if golden:
            path.write_text(path.read_text().replace("golden: questions.jsonl", f"golden: {golden}"))
        return path

    return make


def test_a_model_without_a_price_costs_an_unknown_amount_and_never_nothing(
    study: Callable[..., Path],
) -> None:
    unknown = planned(study(served(NOWHERE), more="limits: {dollars: 1}"))
    assert unknown.unpriced == ("good",) and unknown.remaining.dollars is None and unknown.cap_share is None
    assert "dollars unknown for good" in str(unknown) and "$0" not in str(unknown)
    assert all(kind.dollars is None for kind in unknown.kinds)

    some = (
        served(NOWHERE)
        .replace("judge: good", "judge: poor")
        .replace("model: lead,", "model: lead, prices: {input: 1},")
    )
    partly = planned(study(some))
    assert partly.unpriced == ("good",) and partly.remaining.dollars is not None
    assert re.search(r"about \$0\.\d+ \(.*\), dollars unknown for good", str(partly))


def test_a_price_of_0_is_a_price_and_costs_nothing(study: Callable[..., Path]) -> None:
    free = planned(study(served(NOWHERE).replace("model: extractive,", "model: x, prices: {input: 0},")))
    assert free.unpriced == () and free.remaining.dollars == 0 and "no dollars" in str(free)
    assert free.remaining.model_calls > 20


def test_what_an_embedding_has_recorded_does_not_hide_the_calls_that_compare_with_it(
    study: Callable[..., Path],
) -> None:
    path = study()
    cold = planned(path)
    read = load_study(path)
    ledger = verbs.open_ledger(read, str(path.parent / "store"))
    golden = verbs.build_golden(read, ledger=ledger)
    identity = embedding_identity(read.models.embeddings["hashing"])
    short = Embedder("hashing", identity, lambda texts: embed_by_hashing(texts, 64))
    embed_texts(ledger, short, [question.reference for question in golden.questions])
    warm = planned(path)
    assert set(warm.remaining.calls) == set(cold.remaining.calls) >= {"answer_correctness"}
    assert warm.remaining.embedded_texts < cold.remaining.embedded_texts
    assert not any("came to nothing" in each for each in warm.assumptions)


def test_each_of_many_llms_answers_in_its_own_words(study: Callable[..., Path]) -> None:
    many = served(NOWHERE)
    for name in ("third", "fourth", "fifth"):
        many = many.replace("\n  embeddings:", f"\n    {name}: {OTHER.format(name=name)}\n  embeddings:", 1)
    path = study(many)
    names = ["good", "poor", "third", "fourth", "fifth"]
    calls = []
    for number in (3, 4, 5):
        path.write_text(re.sub(r"llm: \[.*?\]", f"llm: [{', '.join(names[:number])}]", path.read_text()))
        calls.append(planned(path).remaining.calls)
    for kind in ("faithfulness", "answer_relevancy"):
        third, fourth, fifth = (each[kind] for each in calls)
        assert fourth - third >= third / 6 and fifth - fourth >= third / 6, kind


def test_what_cannot_be_rehearsed_is_told_and_not_passed_over(study: Callable[..., Path]) -> None:
    path = study(more="modules: [broken.py]\nmetrics: [answer_correctness, refuses]")
    (path.parent / "broken.py").write_text(
        "from dream.metrics import metric\n\n\n@metric\n"
        "def refuses(answer, judge):\n    raise RuntimeError('no such thing')\n"
    )
    assert any(
        "score of refuses came to nothing" in each and "no such thing" in each
        for each in planned(path).assumptions
    )


def test_what_generating_the_questions_takes_is_foretold_without_doing_it(study: Callable[..., Path]) -> None:
    plan = planned(study(golden="{generate: {questions: 4, documents_per_task: 1}}"))
    kinds = {kind.kind: kind for kind in plan.kinds}
    assert not plan.golden_built and 2 <= plan.questions <= 6
    assert kinds["golden"].calls > 20 and kinds["golden"].recorded == 0 and kinds["generate"].calls > 0
    assert "questions to be generated" in str(plan)
    assert any("not generated yet" in each for each in plan.assumptions)


def test_the_shell_shows_a_line_a_table_the_cap_and_what_is_assumed(study: Callable[..., Path]) -> None:
    path = study(more="limits: {dollars: 0.001}")
    shown = dream("plan", path, "--storage", path.parent / "store", cwd=path.parent)
    assert shown.code == 0, shown.errors
    text = shown.said["text"]
    line = r"2 arms · 2 questions · 2 indexes \(0 in the ledger\) · \d+ model calls \(0 in the ledger\) · "
    assert re.match(line + r"about \$0", text)
    for wanted in (
        "faithfulness",
        "tokens in",
        "cap: $0.001; it allows about",
        "assumed: nothing is recorded of good",
    ):
        assert wanted in text, wanted
