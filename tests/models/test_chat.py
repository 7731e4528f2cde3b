"""Chat models and embeddings over HTTP, against the offline server and the faults it can be told to have."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import numpy as np
import pytest

from dream.errors import ModelError
from dream.ledger import Ledger
from dream.models.capacity import Rules
from dream.models.chat import ChatModel, Reply, chat_identity, open_chat
from dream.models.embedding import embed_texts, embedding_identity, open_embedder
from dream.models.hashing import embed_by_hashing
from dream.models.limits import Gate
from dream.models.offline import Faults, RunningServer, ServerOptions, start
from dream.storage import open_storage
from dream.study import OpenAIChat, OpenAIEmbedding

pytestmark = pytest.mark.servers

KEY = "sk-0123456789abcdef"
QUESTION = [
    {"role": "user", "content": "Context:\n\nA chunk holds 512 tokens.\n\nQuestion: How many tokens?"}
]

Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def key(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SERVER_KEY", KEY)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with start() as running:
        yield running


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(open_storage(tmp_path / "ledger"))


def with_chat(url: str, use: Callable[[ChatModel], Awaitable[Result]], **settings: Any) -> Result:
    model = OpenAIChat(provider="openai", **{"model": "extractive", "base_url": url, **settings})

    async def run() -> Result:
        gate = Gate(Rules(calls_at_once=4))
        chat = open_chat("small", model, seed=7, gate=gate, offline_url=None)
        try:
            return await use(chat)
        finally:
            await chat.client.close()

    return asyncio.run(run())


def faulty(**faults: Any) -> Any:
    return start(ServerOptions(faults=Faults(**faults)))


def asked(chat: ChatModel) -> Awaitable[Reply]:
    return chat.ask(QUESTION)


def test_tokens_and_dollars_are_counted(server):
    async def use(chat: ChatModel) -> tuple[Reply, int, float]:
        first, _ = await asyncio.gather(chat.ask(QUESTION), chat.ask(QUESTION))
        return first, chat.meter.calls.total(), chat.meter.dollars

    reply, calls, spent = with_chat(server.url, use, prices={"input": 2.0, "output": 8.0})
    assert "512" in reply.text and reply.input_tokens > reply.output_tokens > 3 and 0 < reply.seconds < 10
    assert calls == 2
    assert spent == pytest.approx(2 * (2 * reply.input_tokens + 8 * reply.output_tokens) / 1e6)


def test_a_429_is_waited_for_as_long_as_the_server_says():
    with faulty(rate_limited=1.0, retry_after=1.5) as server:
        started = time.monotonic()
        reply = with_chat(server.url, asked)
        assert 1.5 <= time.monotonic() - started < 10
        assert "512" in reply.text and reply.seconds >= 1.5
        assert server.calls()["errors"] == {"429": 1} and server.calls()["chat"] == 1


def test_a_500_is_tried_again():
    with faulty(failing=1.0, attempts=2) as server:
        assert "512" in with_chat(server.url, asked).text
        assert server.calls()["errors"] == {"500": 2} and server.calls()["chat"] == 1


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"failing": 1.0, "attempts": 9}, "small: the call failed (Error code: 500"),
        ({"rate_limited": 1.0, "attempts": 9, "retry_after": 0.01}, "small: too many requests, after all"),
        ({"latency": 5.0}, "small: no answer in time, after all retries; raise its timeout"),
    ],
)
def test_a_call_that_fails_for_good_is_one_sentence_and_not_recorded(ledger, faults, said):
    with faulty(**faults) as server:
        started = time.monotonic()
        with pytest.raises(ModelError) as told:
            with_chat(
                server.url, lambda chat: chat.ask_once(ledger, "generate", QUESTION), retries=1, timeout=0.5
            )
        assert time.monotonic() - started < 5
    assert str(told.value).startswith(said) and "\n" not in str(told.value)
    assert not ledger.made and list(ledger.storage.list("ledger/")) == []


def whole(text: str) -> None:
    """Only a sentence that is finished is of use."""
    if not text.rstrip().endswith((".", "!", "?")):
        raise ValueError("it breaks off")


def test_an_answer_that_was_cut_is_asked_for_again_and_never_recorded(ledger):
    with faulty(truncated=0.2) as server:

        def ask(repeat: int) -> Callable[[ChatModel], Awaitable[Reply]]:
            return lambda chat: chat.ask_once(ledger, "judge", QUESTION, repeat=repeat, accept=whole)

        for repeat in range(12):
            whole(with_chat(server.url, ask(repeat)).text)
        cut = server.calls()["errors"]["truncated"]
        assert cut > 0 and server.calls()["chat"] == 12 + cut and server.calls()["repeats"] == 0
    texts = [ledger.storage.get(found.key) for found in ledger.storage.list("ledger/judge/")]
    assert len(texts) == 12 == ledger.made["judge"]
    for text in texts:
        whole(json.loads(text.partition(b"\n")[2])["text"])


def test_a_model_that_never_gives_the_form_is_told_and_nothing_is_recorded(server, ledger):
    def refuse(text: str) -> None:
        raise ValueError("verdict: Field required\nand much more")

    with pytest.raises(ModelError) as told:
        with_chat(server.url, lambda chat: chat.ask_once(ledger, "judge", QUESTION, accept=refuse))
    assert "3 answers were not in the form that was asked for (verdict: Field required)" in str(told.value)
    assert not ledger.made and list(ledger.storage.list("ledger/")) == []


def test_the_same_request_is_asked_once_and_repeats_are_requests_of_their_own(ledger):
    with start() as server:

        async def use(chat: ChatModel) -> list[Reply]:
            calls = [chat.ask_once(ledger, "judge", QUESTION, repeat=repeat) for repeat in [0, 1, 2] * 4]
            return list(await asyncio.gather(*calls))

        replies = with_chat(server.url, use)
        assert replies[:3] * 4 == replies
        assert server.calls()["chat"] == 3 == ledger.made["judge"] and server.calls()["repeats"] == 0
        assert with_chat(server.url, use) == replies
        assert server.calls()["chat"] == 3


def test_whatever_changes_the_answer_changes_the_record(server, ledger):
    asks = [
        ({}, {}),
        ({"model": "lead"}, {}),
        ({"temperature": 0.5}, {}),
        ({"max_tokens": 64}, {}),
        ({"send_seed": False}, {}),
        ({}, {"max_tokens": 4096}),
    ]
    for settings, parameters in asks:
        with_chat(
            server.url,
            lambda chat, p=parameters: chat.ask_once(ledger, "generate", QUESTION, **p),
            **settings,
        )
    assert ledger.made["generate"] == len(asks)
    # what does not change it: patience and prices
    for settings in ({"timeout": 5}, {"retries": 1}, {"prices": {"input": 3}}):
        with_chat(server.url, lambda chat: chat.ask_once(ledger, "generate", QUESTION), **settings)
    assert ledger.made["generate"] == len(asks)


def test_no_more_calls_are_under_way_than_the_gate_lets_in():
    with faulty(latency=0.2) as server:

        async def use(chat: ChatModel) -> float:
            await chat.ask(QUESTION)  # the connection is open now
            started = time.monotonic()
            await asyncio.gather(*(chat.ask(QUESTION, seed=seed) for seed in range(8)))
            return time.monotonic() - started

        assert 0.4 <= with_chat(server.url, use) < 1.2  # eight calls by fours


def test_a_wrong_key_is_told_without_the_key():
    options = ServerOptions(api_key_env="SERVER_KEY")
    with start(options) as server, pytest.MonkeyPatch.context() as patch:
        assert with_chat(server.url, asked).text
        patch.setenv("OPENAI_API_KEY", "sk-another-secret")
        with pytest.raises(ModelError) as told:
            with_chat(server.url, asked)
    assert str(told.value) == "small: the server refused the key (HTTP 401); check the key"
    assert told.value.__cause__ is None


@contextmanager
def repeating_server(status: int) -> Iterator[str]:
    """A server that repeats the caller's key in what it answers, as some do."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            key = self.headers["authorization"]
            body = json.dumps({"error": {"message": f"Who is {key}?\nYou sent {key}."}}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_a_key_is_never_in_what_is_told(status):
    with repeating_server(status) as url:
        for ask in (
            lambda: with_chat(url, asked, retries=0),
            lambda: embedder_at(url, retries=0).embed(["text"]),
        ):
            with pytest.raises(ModelError) as told:
                ask()
            assert KEY not in str(told.value) and KEY[4:12] not in str(told.value)
            assert "\n" not in str(told.value)


def test_a_key_is_not_shown_by_the_model_itself(server):
    async def use(chat: ChatModel) -> str:
        return repr(chat) + json.dumps(chat.identity)

    assert KEY not in with_chat(server.url, use)


def test_a_server_that_is_not_there_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match="small: the server cannot be reached"):
            with_chat(url, asked, retries=0)


def test_a_key_that_is_not_set_is_told(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelError, match="small: the environment variable OPENAI_API_KEY is not set"):
        with_chat(server.url, asked)
    assert with_chat(server.url, asked, api_key=None).text


def embedder_at(url: str, **settings: Any) -> Any:
    model = OpenAIEmbedding(provider="openai", model="hashing-64", base_url=url, **settings)
    return open_embedder("large", model)


TEXTS = [f"text {number} of many" for number in range(25)]


def test_embeddings_come_in_batches_and_in_order(ledger):
    with start() as server:
        vectors = embedder_at(server.url, batch_size=10).embed(TEXTS)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, embed_by_hashing(TEXTS, 64), atol=1e-6)
        counts = server.calls()
        assert (counts["embeddings"], counts["embedded_texts"], counts["repeats"]) == (3, 25, 0)


def test_each_text_is_embedded_once(ledger):
    with start() as server:
        embedder = embedder_at(server.url)
        first = embed_texts(ledger, embedder, [*TEXTS, *TEXTS])
        assert server.calls()["embedded_texts"] == 25 == ledger.made["embed"]
        more = embed_texts(ledger, embedder, ["one more", *TEXTS])
        assert server.calls()["embedded_texts"] == 26
    np.testing.assert_array_equal(first[:25], first[25:])
    np.testing.assert_array_equal(first[:25], more[1:])


def test_embeddings_are_tried_again_too():
    with faulty(rate_limited=1.0, retry_after=0.05) as server:
        assert embedder_at(server.url).embed(["a"]).shape == (1, 64)
        assert server.calls()["errors"] == {"429": 1}


def test_a_models_identity_holds_its_address_and_not_its_key():
    chat = OpenAIChat(provider="openai", model="m", base_url="http://host/v1/")
    vectors = OpenAIEmbedding(provider="openai", model="m", base_url="http://host/v1")
    same = {"provider": "openai", "model": "m", "base_url": "http://host/v1"}
    assert chat_identity(chat) == embedding_identity(vectors) == same
