"""Every mistake in a study file is answered with its line, its field, the value seen and what is allowed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from dream.cli import app
from dream.errors import StudyError
from dream.study import Section, Study
from dream.study_file import load_study, used_models

ROOT = Path(__file__).parents[1]

STUDY = """\
name: mine
corpus: documents
golden: questions.csv
models:
  llms:
    small: {provider: offline}
    large: {provider: openai, model: gpt}
  embeddings:
    words: {provider: hashing}
  judge: small
search:
  method: [chunks]
  llm: [small]
  embedding: [words]
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "documents").mkdir()
    (tmp_path / "questions.csv").write_text("question,reference\n")
    return tmp_path


def load(folder: Path, text: str = STUDY, **environment: str) -> Study:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load_study(path, environment)


def changed(old: str, new: str) -> str:
    assert STUDY.count(old) == 1
    return STUDY.replace(old, new)


def mistakes(folder: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(StudyError) as told:
        load(folder, text, **environment)
    return str(told.value).splitlines()


# what stands in the file, what is put in its place, and what must be said of it
MISTAKES = [
    ("name: mine", "name: my study", "study.yaml:1 name: 'my study': "),
    ("name: mine\n", "", "study.yaml:1 name: is missing; add it"),
    ("name: mine", "name: 2024", "study.yaml:1 name: 2024: input should be a valid string"),
    ("name: mine", "name: [mine", "study.yaml:2: is not valid YAML: "),
    ("name: mine", "name: mine\n? [a]\n: b", "study.yaml:2: is not valid YAML: "),
    ("name: mine", "name: !!python/name:os.system", "study.yaml:1: is not valid YAML: "),
    ("models:", "model:", "study.yaml:4 model: unknown key 'model'; did you mean 'models'? allowed are name"),
    ("name: mine", "name: &me [*me]", "study.yaml: is nested too deeply, or an alias stands within its own"),
    ("name: mine", f"name: {'[' * 2000}", "study.yaml: is nested too deeply, or an alias stands within its"),
    ("models:", "\tmodels:", "study.yaml:4: is not valid YAML: found character '\\t'"),
    (
        "provider: offline",
        "provider: offlin",
        "study.yaml:6 models.llms.small.provider: 'offlin' is not a provider; allowed are 'openai', 'of",
    ),
    (
        "provider: offline",
        "style: lead",
        "study.yaml:6 models.llms.small: has no provider; add provider: one of openai, offline",
    ),
    (
        "provider: hashing",
        "dimensions: 32",
        "study.yaml:9 models.embeddings.words: has no provider; add provider: one of openai, minilm, hashing",
    ),
    (
        "provider: offline",
        "provider: offline, style: long",
        "study.yaml:6 models.llms.small.style: 'long' is not allowed; "
        "allowed are 'extractive', 'verbose' or 'lead'",
    ),
    (
        "provider: offline",
        "provider: offline, seed: 3",
        "study.yaml:6 models.llms.small.seed: unknown key 'seed'; allowed are provider, style",
    ),
    (
        "provider: hashing",
        "provider: hashing, dimensions: 8",
        "study.yaml:9 models.embeddings.words.dimensions: 8: input should be greater than or equal to 16",
    ),
    (
        "provider: hashing",
        "provider: hashing, dimensions: many",
        "study.yaml:9 models.embeddings.words.dimensions: 'many': input should be a valid integer",
    ),
    ("{provider: offline}", "offline", "study.yaml:6 models.llms.small: 'offline' is not a mapping; "),
    (
        "model: gpt",
        "model: gpt, base_url: ftp://host",
        "study.yaml:7 models.llms.large.base_url: 'ftp://host': string should match pattern '^https?://'",
    ),
    (
        "model: gpt",
        "model: gpt, temperature: 3",
        "study.yaml:7 models.llms.large.temperature: 3: input should be less than or equal to 2",
    ),
    (
        "model: gpt",
        "model: gpt, prices: {input: -1}",
        "study.yaml:7 models.llms.large.prices.input: -1: input should be greater than or equal to 0",
    ),
    (
        "judge: small",
        "judge: big",
        "study.yaml:10 models.judge: 'big' is not defined; allowed are small, large",
    ),
    (
        "judge: small",
        "judge: small\n  judge_embedding: x",
        "study.yaml:11 models.judge_embedding: 'x' is not defined; allowed are words",
    ),
    (
        "llm: [small]",
        "llm: [small, tiny]",
        "study.yaml:13 search.llm[1]: 'tiny' is not defined; allowed are small, large",
    ),
    ("llm: [small]", "llm: [small, small]", "study.yaml:13 search.llm: ['small', 'small']: 'small' is named"),
    ("llm: [small]", "llm: []", "study.yaml:13 search.llm: []: list should have at least 1 item"),
    ("llm: [small]", "llm: small", "study.yaml:13 search.llm: 'small': input should be a valid list"),
    ("method:", "methods:", "study.yaml:12 search.methods: unknown key 'methods'; did you mean 'method'? "),
    ("method:", "knobs: {chunks: 5}\n  method:", "study.yaml:12 search.knobs.chunks: 5 is not a mapping"),
    ("corpus: documents", "corpus: [a]", "study.yaml:2 corpus: ['a']: input should be a valid string"),
    ("corpus: documents", "corpus: gs://bucket", "study.yaml:2 corpus: 'gs://bucket' is no known kind of"),
    ("golden: questions.csv", "golden: {}", "study.yaml:3 golden: {}: no source of questions; give files"),
    (
        "golden: questions.csv",
        "golden: {generate: {questions: 0}}",
        "study.yaml:3 golden.generate.questions: 0: input should be greater than or equal to 1",
    ),
    (
        "golden: questions.csv",
        "golden: [{path: questions.csv, columns: {answer: a}}]",
        "study.yaml:3 golden[0].columns.answer: unknown key 'answer'; allowed are question, reference",
    ),
    ("name: mine", "k: 0\nname: mine", "study.yaml:1 k: 0: input should be greater than or equal to 1"),
    ("name: mine", "seed: -1\nname: mine", "study.yaml:1 seed: -1: input should be greater than"),
    (
        "name: mine",
        "limits: {calls_at_once: 0}\nname: mine",
        "study.yaml:1 limits.calls_at_once: 0: input should be greater than or equal to 1",
    ),
    (
        "name: mine",
        "metrics: [mrr, f1]\nname: mine",
        "study.yaml:1 metrics: the objective 'answer_correctness' is not among the metrics; "
        "set objective to one of: mrr, f1",
    ),
    (
        "name: mine",
        "name: mine\nobjective: speed",
        "study.yaml:2 objective: the objective 'speed' is not among the metrics; set objective to one of: f",
    ),
    ("name: mine", "name: mine\nname: yours", "study.yaml:2 name: the key stands twice; keep one of them"),
    (
        "    words:",
        "    words: {provider: minilm}\n    words:",
        "study.yaml:10 models.embeddings.words: the key stands twice; keep one of them",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES, ids=[new.strip()[:40] for _, new, _ in MISTAKES])
def test_a_mistake_is_told_with_line_field_value_and_what_is_allowed(folder, old, new, said):
    told = mistakes(folder, changed(old, new))
    assert len(told) == 1 and told[0].startswith(said), told


def test_all_mistakes_are_told_at_once(folder):
    text = changed("llm: [small]", "llm: [a, b]").replace("judge: small", "judge: c").replace("nts", "s")
    assert [line.split(": ")[0] for line in mistakes(folder, text)] == [
        "study.yaml:10 models.judge",
        "study.yaml:13 search.llm[0]",
        "study.yaml:13 search.llm[1]",
        "study.yaml:2 corpus",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("documents", "nowhere", "study.yaml:2 corpus: there is no folder {}/nowhere; give a folder"),
        ("questions.csv", "q.csv", "study.yaml:3 golden.files[0]: there is no file {}/q.csv; mend the path"),
        (
            "questions.csv",
            "[questions.csv, q.csv]",
            "study.yaml:3 golden.files[1]: there is no file {}/q.c",
        ),
        ("name: mine", "modules: [m.py]\nname: mine", "study.yaml:1 modules[0]: there is no file {}/m.py;"),
        ("questions.csv", "documents", "study.yaml:3 golden.files[0]: there is no file {}/documents;"),
    ],
)
def test_a_missing_file_is_told_with_its_whole_path(folder, old, new, said):
    (told,) = mistakes(folder, changed(old, new))
    assert told.startswith(said.format(folder.resolve()))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- a\n- b\n", "only words"])
def test_a_file_that_holds_no_study_is_told(folder, text):
    assert mistakes(folder, text) == ["study.yaml: holds no study; write one with: dream init"]


def test_a_file_that_cannot_be_read_is_told(folder):
    with pytest.raises(StudyError, match=r"nowhere\.yaml: there is no such file; .*dream init"):
        load_study(folder / "nowhere.yaml")
    with pytest.raises(StudyError, match="cannot be read"):
        load_study(folder)
    (folder / "study.yaml").write_bytes("name: Zoë".encode("latin-1"))
    with pytest.raises(StudyError, match="give a UTF-8 text file"):
        load_study(folder / "study.yaml")


@pytest.mark.parametrize("written", ["sk-12345", "'${HOME}sk-12345'", "12345678", "[sk-12345]", "''"])
def test_a_key_in_the_file_is_refused_and_not_repeated(folder, written):
    text = changed("model: gpt", f"model: gpt, api_key: {written}")
    (told,) = mistakes(folder, text, HOME="/x")
    assert told.startswith("study.yaml:7 models.llms.large.api_key: a key must not stand in a file; ")
    assert "12345" not in told


def test_the_value_of_a_key_does_not_enter_the_study(folder):
    text = changed("llm: [small]", "llm: [small, large]")
    study = load(folder, text, OPENAI_API_KEY="sk-12345")
    assert study.models.llms["large"].api_key == "${OPENAI_API_KEY}"
    assert "12345" not in study.model_dump_json() + repr(study) + study.text


def test_environment_variables_are_filled_in(folder):
    text = changed("model: gpt", "model: '${M:-gpt}-${N}', base_url: '${U:-http://localhost/v1}'")
    model = load(folder, text, N="mini").models.llms["large"]
    assert (model.model, model.base_url) == ("gpt-mini", "http://localhost/v1")
    model = load(folder, text, N="mini", M="a", U="https://host/v1").models.llms["large"]
    assert (model.model, model.base_url) == ("a-mini", "https://host/v1")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("corpus: documents", "corpus: $X", "study.yaml:2 corpus"),
        ("questions.csv", "[questions.csv, $X]", "study.yaml:3 golden[1]"),
        ("judge: small", "judge: $X", "study.yaml:10 models.judge"),
        ("llm: [small]", "llm: [small, $X]", "study.yaml:13 search.llm[1]"),
        ("model: gpt", "model: gpt, timeout: $X", "study.yaml:7 models.llms.large.timeout"),
        ("model: gpt", "model: gpt, base_url: $X, api_key: null", "study.yaml:7 models.llms.large.base_url"),
        ("model: gpt", "model: gpt, api_key: $X", "study.yaml:7 models.llms.large.api_key"),
    ],
)
def test_a_missing_variable_is_told_once_with_its_field(folder, old, new, said):
    text = changed(old, new.replace("$X", "'${NOT_SET}'"))
    if "large" in said:
        text = text.replace("llm: [small]", "llm: [large]")
    todo = "the environment variable NOT_SET is not set; export NOT_SET=…"
    told = mistakes(folder, text, OPENAI_API_KEY="sk")
    assert told == [f"{said}: {todo}"]


def test_a_missing_variable_of_a_model_that_is_not_used_is_no_mistake(folder):
    text = changed("model: gpt", "model: '${M}', base_url: '${U}', api_key: '${K}'")
    assert used_models(load(folder, text)) == {("llms", "small"), ("embeddings", "words")}
    told = mistakes(folder, text.replace("judge: small", "judge: large"))
    assert [line.partition(": ")[2].split()[3] for line in told] == ["M", "U", "K"]


@pytest.mark.parametrize("environment", [{}, {"OPENAI_API_KEY": ""}])
def test_a_key_that_is_used_must_be_set(folder, environment):
    text = changed("llm: [small]", "llm: [large]")
    (told,) = mistakes(folder, text, **environment)
    assert told.startswith("study.yaml:7 models.llms.large.api_key: the environment variable OPENAI_API_KEY")
    assert load(folder, text, OPENAI_API_KEY="sk")


@pytest.mark.parametrize(
    "golden",
    [
        "questions.csv",
        "[questions.csv]",
        "[{path: questions.csv}]",
        "{files: [questions.csv]}",
        "{files: [{path: questions.csv, columns: {}}]}",
    ],
)
def test_golden_has_short_forms(folder, golden):
    study = load(folder, changed("golden: questions.csv", f"golden: {golden}"))
    assert [file.path for file in study.golden.files] == ["questions.csv"] and study.golden.generate is None


def test_paths_start_at_the_study_file(folder, monkeypatch):
    monkeypatch.chdir("/")
    study = load(folder)
    assert study.path(study.corpus) == str(folder.resolve() / "documents")
    assert study.path("s3://bucket/x") == "s3://bucket/x" and study.path("/abs") == "/abs"


def as_plain(path: Path) -> object:
    return yaml.safe_load(path.read_text("utf-8"))


def schema() -> dict[str, object]:
    return json.loads((ROOT / "docs" / "study.schema.json").read_text("utf-8"))


def test_the_published_schema_is_that_of_the_code():
    assert schema() == Study.model_json_schema(), "write docs/study.schema.json anew"


def test_every_field_is_described():
    sections = list(Section.__subclasses__())
    for section in sections:  # grows while it is walked
        sections += section.__subclasses__()
    assert len(sections) > 12
    bare = [
        f"{section.__name__}.{name}"
        for section in sections
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert bare == [] and all(section.__doc__ for section in sections)


def test_editors_accept_what_dream_accepts_and_nothing_else(folder):
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    for text in (STUDY, changed("golden: questions.csv", "golden: {generate: {questions: 5}}")):
        assert validator.is_valid(yaml.safe_load(text)) and load(folder, text)
    for old, new in [("models:", "model:"), ("{provider: offline}", "offline"), ("llm: [small]", "llm: []")]:
        assert not validator.is_valid(yaml.safe_load(changed(old, new)))


def test_what_dream_init_writes_is_a_study(folder):
    path = folder / "new" / "study.yaml"
    arguments = ["init", str(path), "--corpus", str(folder / "documents"), "--name", "first"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    study = load_study(path, {})
    assert study.name == "first" and study.path(study.corpus) == str(folder / "documents")
    assert json.loads((folder / "new" / "study.schema.json").read_text("utf-8")) == schema()
    jsonschema.validate(as_plain(path), schema())


def test_the_quickstart_is_a_study():
    path = ROOT / "examples" / "quickstart" / "study.yaml"
    jsonschema.validate(as_plain(path), schema())
    study = load_study(path, {})
    arms = len(study.search.method) * len(study.search.llm) * len(study.search.embedding)
    assert arms == 12 and len(study.metrics) == 12
