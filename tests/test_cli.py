"""The shell: help with examples, exit codes, JSON, and one sentence for a user's mistake."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from dream.cli import app
from tests.sweep.shell import OFFLINE, SEARCH, dream, dream_command, environment, small_study

COMMANDS = [
    *("init", "doctor", "plan", "run", "report", "connect"),
    *("corpus read", "corpus push", "golden build", "golden audit", "judge audit", "models serve"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(command: str, tmp_path: Path) -> None:
    shown = dream(*command.split(), "--help", cwd=tmp_path)
    assert shown.code == 0
    assert f"Example: dream {command}" in shown.said["text"]
    assert "--json" in shown.said["text"]


def test_init_writes_a_study_that_loads_and_a_schema(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    made = dream("init", "--name", "mine", "--json", cwd=tmp_path)
    assert made.code == 0, made.errors
    assert json.loads((tmp_path / made.said["schema"]).read_text())["title"] == "Study"

    from dream.study_file import load_study

    assert load_study(tmp_path / "study.yaml").name == "mine"

    again = dream("init", cwd=tmp_path)
    assert (again.code, again.errors) == (
        2, "error: study.yaml: the file exists already; give another name, or remove it\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "name"), [("Our documents, 2024", "Our-documents-2024"), ("2024", "2024"), ("§", "my-study")]
)
def test_init_calls_the_study_as_its_folder(tmp_path: Path, folder: str, name: str) -> None:
    from dream.study_file import load_study

    (tmp_path / folder / "documents").mkdir(parents=True)
    made = dream("init", cwd=tmp_path / folder)
    assert made.code == 0, made.errors
    assert load_study(tmp_path / folder / "study.yaml").name == name


def test_init_refuses_what_would_be_no_study_and_places_that_cannot_be_written(tmp_path: Path) -> None:
    for name in ("a: b", "my study", "", "mine\n"):
        refused = dream("init", "--name", name, cwd=tmp_path)
        assert refused.code == 2
        assert refused.errors.startswith(
            f"error: --name: {name!r} cannot name a study; give one that matches"
        )
        assert refused.errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    refused = dream("init", "file/below/study.yaml", cwd=tmp_path)
    said = "file/below/study.yaml: cannot be written: Not a directory; name a folder you can write to"
    assert (refused.code, refused.errors) == (2, f"error: {said}\n")


def test_a_golden_dataset_that_is_not_built_is_told_and_no_model_is_asked(tmp_path: Path) -> None:
    study = small_study(tmp_path, models=OFFLINE, search=SEARCH)
    study.write_text(
        study.read_text().replace("golden: questions.jsonl", "golden: {generate: {questions: 4}}")
    )
    ended = dream("report", study, cwd=tmp_path)
    said = "study.yaml:3 golden: the golden dataset is not built yet; run: dream golden build STUDY"
    assert (ended.code, ended.errors) == (2, f"error: {said}\n")


def test_a_failed_mlflow_does_not_hide_the_result(tmp_path: Path) -> None:
    study = small_study(tmp_path, models=OFFLINE, search=SEARCH)
    down = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    shown = dream("report", study, "--quiet", cwd=tmp_path, env=down)
    assert shown.code == 1
    assert "sentence_window" in shown.said["text"] and "report.html" in shown.said["text"]
    assert shown.errors.startswith("error: http://127.0.0.1:9: no MLflow server answers")
    assert shown.errors.count("\n") == 1
    told = dream("report", study, "--json", cwd=tmp_path, env=down)
    assert told.code == 1 and len(told.said["arms"]) == 4
    assert told.said["mlflow_run"] is None and "no MLflow server answers" in told.said["mlflow_error"]
    assert Path(told.said["report"]).is_file()


def test_a_mistake_is_one_sentence_with_its_line_and_no_traceback(tmp_path: Path) -> None:
    study = small_study(tmp_path, models=OFFLINE, search=SEARCH.replace("chunks", "chunkz"))
    for command in ("plan", "run", "report"):
        ended = dream(command, study, cwd=tmp_path)
        line = 1 + study.read_text().splitlines().index(f"search: {SEARCH.replace('chunks', 'chunkz')}")
        assert ended.code == 2
        assert ended.errors.startswith(f"error: study.yaml:{line} search.method[0]: 'chunkz' is not a method")
        assert "did you mean 'chunks'?" in ended.errors
        assert ended.errors.count("\n") == 1


def test_plan_counts_and_calls_nothing(tmp_path: Path) -> None:
    study = small_study(tmp_path, models=OFFLINE, search=SEARCH)
    found = dream("plan", study, "--json", cwd=tmp_path)
    assert found.code == 0, found.errors
    assert (found.said["arms"], found.said["questions"], found.said["indexes"]) == (4, 6, 2)
    assert (found.said["arms_done"], found.said["indexes_done"]) == (0, 0)
    # at most the answer, 9 calls of the judge and one for each of the four contexts; equal ones are one
    assert 4 * 6 * 4 < found.said["model_calls"] < 4 * 6 * (1 + 9 + 4)
    assert found.said["remaining"]["calls"]["generate"] == 4 * 6
    assert not list((tmp_path / ".dream").rglob("generate")), "a plan must write nothing that it made up"


def test_corpus_read_lists_what_could_not_be_read(tmp_path: Path) -> None:
    study = small_study(tmp_path, models=OFFLINE, search=SEARCH)
    (tmp_path / "corpus" / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    found = dream("corpus", "read", study, "--json", cwd=tmp_path)
    assert found.code == 0, found.errors
    assert [each["id"] for each in found.said["documents"]] == [
        "06-ray-in-practice.md", "08-operations-handbook.md",
    ]  # fmt: skip
    assert [(each["id"], each["kind"]) for each in found.said["problems"]] == [("broken.pdf", "corrupt")]


def test_doctor_tells_of_each_part_and_what_to_do(tmp_path: Path) -> None:
    down = '{provider: openai, model: x, base_url: "http://127.0.0.1:9/v1", api_key: null, retries: 0}'
    models = OFFLINE.replace("{provider: offline, style: lead}", down)
    study = small_study(tmp_path, models=models, search=SEARCH)
    found = dream("doctor", study, "--json", cwd=tmp_path, env={"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    parts = {check["part"]: check for check in found.said["checks"]}
    assert found.code == 1
    assert [part for part, check in parts.items() if not check["well"]] == ["chat model poor", "MLflow"]
    assert "check base_url" in parts["chat model poor"]["found"]
    assert parts["corpus corpus"]["found"] == "2 files"
    assert parts["questions questions.jsonl"]["found"] == "6 questions"


@pytest.mark.servers
def test_models_serve_prints_its_address_and_counts_calls(tmp_path: Path) -> None:
    process = subprocess.Popen(
        dream_command("models", "serve", "--json"),
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = ""
    while not lines.rstrip().endswith("}"):
        lines += process.stdout.readline()
    url = json.loads(lines)["url"]
    body = json.dumps({"model": "lead", "messages": [{"role": "user", "content": "hello"}]}).encode()
    for _ in range(2):
        request = urllib.request.Request(
            f"{url}/chat/completions", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["choices"][0]["message"]["content"]
    with urllib.request.urlopen(url.removesuffix("/v1") + "/calls") as answer:
        counts = json.load(answer)
    assert (counts["chat"], counts["repeats"]) == (2, 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0


def leaves(command: Any, name: str = "dream") -> Iterator[tuple[str, set[str]]]:
    """Every command below, by its whole name, with its options."""
    below = getattr(command, "commands", {})
    for word, each in below.items():
        yield from leaves(each, f"{name} {word}")
    if not below:
        yield name, {option for parameter in command.params for option in parameter.opts}


def test_every_command_speaks_json_and_every_one_that_takes_time_can_be_quiet() -> None:
    commands = dict(leaves(typer.main.get_command(app)))
    assert {"dream run", "dream corpus read", "dream judge audit", "dream models serve"} <= set(commands)
    # attach shows what a job prints, as it is
    assert {name for name, options in commands.items() if "--json" not in options} == {"dream attach"}
    # these do one thing at once, or wait for Ctrl-C
    at_once = {"dream init", "dream connect", "dream attach", "dream models serve"}
    assert {name for name, options in commands.items() if "--quiet" not in options} == at_once


@pytest.mark.parametrize("command", ["plan", "corpus read", "doctor"])
def test_quiet_says_nothing_on_standard_error_and_json_is_all_on_standard_output(
    command: str, tmp_path: Path
) -> None:
    study = small_study(tmp_path, models=OFFLINE, search=SEARCH, questions=1)
    told = dream(*command.split(), study, "--storage", tmp_path / "store", "--json", cwd=tmp_path)
    assert "text" not in told.said, told.said
    assert "/" in told.errors, "progress is shown"
    quiet = dream(*command.split(), study, "--storage", tmp_path / "store", "--json", "--quiet", cwd=tmp_path)
    assert (quiet.errors, "text" in quiet.said) == ("", False)
