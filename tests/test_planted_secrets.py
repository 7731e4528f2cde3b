"""A secret in every place where one can stand, and none in anything that a run prints, writes or stores."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dream.models.offline import ServerOptions, start
from tests.servers.mlflow import mlflow_on
from tests.servers.process import new_secret
from tests.servers.s3 import S3Server
from tests.sweep.shell import dream, small_study

pytestmark = [pytest.mark.servers, pytest.mark.faults]

SEARCH = "{method: [chunks], llm: [good], embedding: [remote]}"
METRICS = "metrics: [answer_relevancy, mrr]\nobjective: mrr"


def models(chat: str, embedding: str) -> str:
    return f"""
  llms:
    good: {{provider: openai, model: extractive, base_url: "{chat}", api_key: "${{CHAT_KEY}}", retries: 0}}
  embeddings:
    remote:
      {{provider: openai, model: hashing-64, base_url: "{embedding}", api_key: "${{EMBED_KEY}}", retries: 0}}
  judge: good
"""


@contextlib.contextmanager
def echoing(status: int) -> Iterator[str]:
    """A server that refuses everybody and repeats what it was sent, keys included."""

    class Echo(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            sent = str(self.headers).replace("\r", "").replace("\n", "; ")
            body = f'{{"error": {{"message": "refused: {sent}", "code": "x"}}}}'.replace("\n", " ").encode()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


class Planted:
    """Secrets by the place they stand in, and the search for them."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    def new(self, place: str) -> str:
        self.secrets[place] = "planted" + new_secret().replace("-", "x").replace("_", "y")
        return self.secrets[place]

    def must_not_be_in(self, text: bytes, where: str) -> None:
        for place, secret in self.secrets.items():
            assert secret.encode() not in text, f"the secret of {place} stands in {where}"

    def must_not_be_below(self, folder: Path) -> None:
        looked = 0
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):  # sockets
                if path.is_file() and not path.is_symlink():
                    self.must_not_be_in(path.read_bytes(), str(path))
                    looked += 1
            self.must_not_be_in(str(path).encode(), "the name of a file")
        assert looked, folder


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Where Ray keeps its session; short, for a socket's name has at most 107 letters."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def told(planted: Planted, *words: str | Path, cwd: Path, env: Mapping[str, str], code: int) -> str:
    """Run a command at debug level; everything that it printed, searched."""
    ended = dream(*words, "--log-level", "debug", cwd=cwd, env=env)
    said = str(ended.said) + ended.errors
    planted.must_not_be_in(said.encode(), f"what dream {words[0]} printed")
    assert ended.code == code, said
    assert "Traceback" not in said
    return said


def test_no_secret_is_printed_written_or_stored_by_a_run(
    tmp_path: Path, s3: S3Server, planted: Planted, ray_folder: Path
) -> None:
    chat_key, embed_key = planted.new("the LLM's key"), planted.new("the embedding's key")
    planted.secrets["the S3 secret key"] = s3.secret_key
    token = planted.new("Ray's token")
    bucket = s3.bucket()
    mlflow_folder = tmp_path / "mlflow"
    mlflow_folder.mkdir()
    backend = f"sqlite:///{mlflow_folder / 'mlflow.db'}"
    with (
        keyed("CHAT_KEY", chat_key) as chat,
        keyed("EMBED_KEY", embed_key) as embedding,
        mlflow_on(backend, str(mlflow_folder / "artifacts"), {}, "mlflow") as mlflow,
    ):
        study = small_study(
            tmp_path, models=models(chat, embedding), search=SEARCH, more=METRICS, questions=2
        )
        user, password = planted.new("MLflow's user"), planted.new("MLflow's password")
        env = {
            **s3.environment(),
            "CHAT_KEY": chat_key,
            "EMBED_KEY": embed_key,
            "MLFLOW_TRACKING_URI": mlflow.replace("://", f"://{user}:{password}@"),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": token,
            "RAY_TMPDIR": str(ray_folder),
            "OPENAI_API_KEY": planted.new("a key that is not used"),
            "HTTPS_PROXY": f"http://me:{planted.new('the proxy password')}@127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        said = told(planted, "run", study, "--storage", f"s3://{bucket}/dream", cwd=tmp_path, env=env, code=0)
        assert "good, generate:" in said, "the workers' records are shown"
        told(planted, "plan", study, "--storage", f"s3://{bucket}/dream", cwd=tmp_path, env=env, code=0)
        asking = tmp_path / "asking.yaml"
        generate = "golden: {generate: {questions: 2, documents_per_task: 2}}"
        asking.write_text(study.read_text().replace("golden: questions.jsonl", generate))
        building = ("golden", "build", asking, "--storage", f"s3://{bucket}/asking")
        said = told(planted, *building, cwd=tmp_path, env=env, code=0)
        assert "good, golden:" in said, "the records of tasks that generate questions are shown"
        refused = {**env, "CHAT_KEY": planted.new("a wrong key")}
        with echoing(401) as wrong:
            study.write_text(study.read_text().replace(chat, f"{wrong}/v1"))
            said = told(
                planted, "run", study, "--storage", tmp_path / "refused", cwd=tmp_path, env=refused, code=1
            )
            assert "the server refused the key (HTTP 401)" in said
    planted.must_not_be_below(tmp_path)
    planted.must_not_be_below(ray_folder)
    client = s3.client()
    for key in s3.keys(bucket):
        planted.must_not_be_in(key.encode(), "an object's name")
        planted.must_not_be_in(client.get_object(Bucket=bucket, Key=key)["Body"].read(), key)


@contextlib.contextmanager
def keyed(variable: str, key: str) -> Iterator[str]:
    """The offline server, which lets in whoever has the key."""
    before = os.environ.get(variable)
    os.environ[variable] = key
    try:
        with start(ServerOptions(api_key_env=variable)) as server:
            yield server.url
    finally:
        os.environ.pop(variable) if before is None else os.environ.__setitem__(variable, before)


def test_no_refusal_or_lost_connection_tells_a_secret(tmp_path: Path, s3: S3Server, planted: Planted) -> None:
    env = {"CHAT_KEY": planted.new("the LLM's key"), "EMBED_KEY": planted.new("the embedding's key")}
    nowhere = "http://127.0.0.1:9/v1"
    with echoing(403) as wrong:
        study = small_study(
            tmp_path, models=models(f"{wrong}/v1", nowhere), search=SEARCH, more=METRICS, questions=2
        )
        user, password = planted.new("MLflow's user"), planted.new("MLflow's password")
        tracking = {**env, "MLFLOW_TRACKING_URI": wrong.replace("://", f"://{user}:{password}@")}
        said = told(planted, "doctor", study, cwd=tmp_path, env=tracking, code=1)
        assert "refused the key" in said and "cannot be reached" in said
        told(planted, "report", study, cwd=tmp_path, env=tracking, code=1)

        tracking["MLFLOW_TRACKING_URI"] = f"postgresql://{user}:{password}@127.0.0.1:9/mlflow"
        told(planted, "report", study, cwd=tmp_path, env=tracking, code=1)
        with_password = nowhere.replace("://", f"://me:{planted.new('a password in an address')}@")
        told(
            planted,
            "doctor",
            study,
            cwd=tmp_path,
            env={**tracking, "MLFLOW_TRACKING_URI": with_password},
            code=1,
        )

        denied = replace(s3, secret_key=planted.new("a wrong S3 key")).environment()
        address = f"s3://{s3.bucket()}/dream"
        if s3.program == "minio":  # moto lets everybody in
            said = told(
                planted, "plan", study, "--storage", address, cwd=tmp_path, env={**env, **denied}, code=2
            )
            assert "refused access" in said
        for endpoint in ("http://me:{}@127.0.0.1:9", "me:{}"):
            lost = {**denied, "AWS_ENDPOINT_URL": endpoint.format(planted.new("the endpoint's password"))}
            told(planted, "plan", study, "--storage", address, cwd=tmp_path, env={**env, **lost}, code=2)
        proxy = f"http://me:{planted.new('the proxy password')}@127.0.0.1:9"
        behind = {**env, **denied, "AWS_ENDPOINT_URL": "http://s3.example", "HTTP_PROXY": proxy}
        told(planted, "plan", study, "--storage", address, cwd=tmp_path, env=behind, code=2)
        told(planted, "doctor", study, cwd=tmp_path, env={**env, "HTTP_PROXY": proxy}, code=1)

        ray = {**env, "RAY_AUTH_TOKEN": planted.new("Ray's token")}
        lost = f"ray://me:{planted.new('a password for Ray')}@127.0.0.1:9"
        told(planted, "run", study, cwd=tmp_path, env={**ray, "RAY_ADDRESS": lost}, code=2)
    planted.must_not_be_below(tmp_path)


def test_a_secret_in_an_address_is_refused_without_being_repeated(tmp_path: Path, planted: Planted) -> None:
    env = {"CHAT_KEY": "x", "EMBED_KEY": "y"}
    study = small_study(tmp_path, models=models("http://h/v1", "http://h/v1"), search=SEARCH, questions=2)
    text = study.read_text()
    inside = planted.new("an address")
    for storage in (f"s3://key:{inside}@bucket/dream", f"https://me:{inside}@host/dream"):
        told(planted, "plan", study, cwd=tmp_path, env={**env, "DREAM_STORAGE": storage}, code=2)
    for was, becomes in (
        ("corpus: corpus", f"corpus: s3://key:{inside}@bucket/documents"),
        ("golden: questions.jsonl", f"golden: s3://key:{inside}@bucket/questions.jsonl"),
        ('base_url: "http://h/v1"', f'base_url: "http://me:{inside}@h/v1"'),
        ('api_key: "${CHAT_KEY}"', f'api_key: "{inside}"'),
    ):
        assert was in text
        other = tmp_path / "other.yaml"
        other.write_text(text.replace(was, becomes))
        said = told(
            planted,
            "plan",
            other,
            cwd=tmp_path,
            env={**env, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            code=2,
        )
        assert said.count("\n") <= 2
        other.unlink()
