"""The server over HTTP, asked by the clients that people really use."""

import asyncio
import json
import os
import time
import urllib.error
import urllib.request

import numpy as np
import openai
import pytest

from dream.models.offline import Faults, RunningServer, ServerOptions, start

pytestmark = pytest.mark.servers

PROMPT = (
    "Answer the question from the context alone.\n\nContext:\n[1] Ray runs tasks and actors.\n\n"
    "[2] The ledger keeps every finished piece of work. It names each by a hash.\n\n"
    "Question: What does the ledger keep?"
)
ASKED = [{"role": "user", "content": PROMPT}]
ANSWER = "The ledger keeps every finished piece of work."
ANSWER_TOKENS = 9


def client_of(server: RunningServer, retries: int = 0, key: str = "offline") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key=key, max_retries=retries)


def test_chat_with_usage_and_choices(offline_server):
    with client_of(offline_server) as client:
        one = client.chat.completions.create(model="extractive", messages=ASKED)
        two = client.chat.completions.create(model="extractive", messages=ASKED, n=2)
    assert one.choices[0].message.content == ANSWER and one.choices[0].finish_reason == "stop"
    assert [choice.message.content for choice in two.choices] == [ANSWER, ANSWER]
    assert one.usage.completion_tokens == ANSWER_TOKENS
    assert two.usage.completion_tokens == 2 * ANSWER_TOKENS
    assert (
        one.usage.total_tokens == one.usage.prompt_tokens + ANSWER_TOKENS
        and 40 < one.usage.prompt_tokens < 80
    )


def test_async_chat(offline_server):
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=offline_server.url, api_key="offline") as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.create(model="lead", messages=ASKED, seed=seed)
                    for seed in range(20)
                )
            )
        return [answer.choices[0].message.content for answer in answers]

    assert set(asyncio.run(ask())) == {"Ray runs tasks and actors."}


def test_streaming_gives_the_same_words_piece_by_piece(offline_server):
    with client_of(offline_server) as client:
        stream = client.chat.completions.create(
            model="extractive", messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
        events = list(stream)
    pieces = [event.choices[0].delta.content or "" for event in events if event.choices]
    assert "".join(pieces) == ANSWER and sum(map(bool, pieces)) > 1
    assert [event.choices[0].finish_reason for event in events if event.choices][-1] == "stop"
    assert events[-1].usage.completion_tokens == ANSWER_TOKENS and not events[-1].choices


def test_max_tokens_cuts_the_answer(offline_server):
    with client_of(offline_server) as client:
        cut = client.chat.completions.create(model="extractive", messages=ASKED, max_tokens=3).choices[0]
    assert (cut.message.content, cut.finish_reason) == ("The ledger keeps", "length")


def test_models_and_health_and_what_is_unknown(offline_server):
    with client_of(offline_server) as client:
        assert {"extractive", "lead", "verbose", "judge", "hashing-384"} <= {
            one.id for one in client.models.list()
        }
        with pytest.raises(openai.NotFoundError, match="extractive"):
            client.chat.completions.create(model="gpt-9", messages=ASKED)
        with pytest.raises(openai.NotFoundError, match="hashing-384"):
            client.embeddings.create(model="lead", input="x")
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="lead", messages=[])
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="hashing-384", input=[])
    with urllib.request.urlopen(offline_server.url.removesuffix("/v1") + "/health", timeout=10) as answer:
        assert json.load(answer) == {"status": "ok"}


def test_embeddings_are_those_of_dream_in_both_formats(offline_server):
    from dream.models.hashing import embed_by_hashing

    texts = ["Ray runs tasks.", "The ledger keeps work.", "é ☃"]
    expected = embed_by_hashing(texts, 64)
    with client_of(offline_server) as client:
        for wire_format in ("float", "base64"):
            made = client.embeddings.create(model="hashing-64", input=texts, encoding_format=wire_format)
            got = [one.embedding for one in made.data]
            if wire_format == "base64":
                import base64

                got = [np.frombuffer(base64.b64decode(one), "<f4") for one in got]
            np.testing.assert_allclose(np.asarray(got), expected, atol=1e-7)
        assert made.usage.prompt_tokens > 3
        assert len(client.embeddings.create(model="hashing-384", input="x").data[0].embedding) == 384


def test_llama_index_clients(offline_server):
    from llama_index.core.prompts.default_prompts import DEFAULT_TEXT_QA_PROMPT
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    from llama_index.llms.openai_like import OpenAILike

    model = OpenAILike(
        model="extractive",
        api_base=offline_server.url,
        api_key="offline",
        is_chat_model=True,
        context_window=16000,
    )
    embedding = OpenAILikeEmbedding(model_name="hashing-128", api_base=offline_server.url, api_key="offline")
    context = "Ray runs tasks and actors.\n\nThe ledger keeps every finished piece of work."
    assert (
        model.predict(DEFAULT_TEXT_QA_PROMPT, context_str=context, query_str="What does the ledger keep?")
        == ANSWER
    )
    assert np.shape(embedding.get_text_embedding_batch(["a word", "two words"])) == (2, 128)


def test_rate_limit_and_failure_go_away_on_retry():
    faults = Faults(rate_limited=1.0, failing=1.0, retry_after=0.05)
    with start(ServerOptions(faults=faults)) as server:
        with client_of(server) as client, pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="lead", messages=ASKED)
        assert refused.value.response.headers["Retry-After"] == "0.05"
        with client_of(server) as client, pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="lead", messages=ASKED)
        with client_of(server, retries=2) as client:
            assert client.chat.completions.create(model="lead", messages=ASKED, seed=1).choices
            assert client.embeddings.create(model="hashing-8", input="x").data
        counts = server.calls()
    assert counts["errors"] == {"429": 3, "500": 3}
    assert (counts["chat"], counts["embeddings"], counts["repeats"]) == (1, 1, 0)


def test_truncation_cuts_the_json_of_a_judge():
    with start(ServerOptions(faults=Faults(truncated=1.0))) as server, client_of(server) as client:
        wanted = {"type": "json_object"}
        asked = {"model": "judge", "messages": ASKED, "response_format": wanted}
        cut = client.chat.completions.create(**asked).choices[0]
        whole = client.chat.completions.create(**asked).choices[0]
        assert server.calls()["errors"] == {"truncated": 1}
    assert cut.finish_reason == "length" and whole.finish_reason == "stop"
    assert cut.message.content and whole.message.content.startswith(cut.message.content)
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.message.content)
    assert json.loads(whole.message.content)["answer"] == ANSWER


def test_latency_is_for_each_call_not_for_all():
    import time

    async def ask(url: str) -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key="offline") as client:
            calls = (client.chat.completions.create(model="lead", messages=ASKED, seed=n) for n in range(10))
            await asyncio.gather(*calls)

    with start(ServerOptions(faults=Faults(latency=0.5))) as server:
        started = time.monotonic()
        asyncio.run(ask(server.url))
        assert 0.5 <= time.monotonic() - started < 4.0


def test_calls_are_counted_by_kind_and_repeats_by_body():
    with start() as server, client_of(server) as client:
        for seed in (1, 2, 2):
            client.chat.completions.create(model="lead", messages=ASKED, seed=seed)
        client.chat.completions.create(model="lead", messages=[{"role": "user", "content": "Hello"}])
        client.embeddings.create(model="hashing-8", input=["a", "b"])
        assert server.calls() == {
            "chat": 4,
            "embeddings": 1,
            "embedded_texts": 2,
            "by_kind": {"generate": 3, "other": 1},
            "repeats": 1,
            "errors": {},
        }
        reset = urllib.request.Request(server.url.removesuffix("/v1") + "/calls/reset", method="POST")
        urllib.request.urlopen(reset, timeout=10).close()
        assert server.calls()["chat"] == 0 and server.calls()["repeats"] == 0


def test_calls_become_slower_while_the_server_runs_and_its_counts_go_on():
    def send(body: bytes) -> bytes:
        url = server.url.removesuffix("/v1") + "/latency"
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:
            return answer.read()

    def seconds() -> float:
        started = time.monotonic()
        client.chat.completions.create(model="lead", messages=ASKED)
        return time.monotonic() - started

    with start() as server, client_of(server) as client:
        seconds()
        assert json.loads(send(b'{"latency": 3}')) == {"latency": 3}
        assert seconds() >= 3
        send(b'{"latency": 0}')
        assert seconds() < 3
        assert server.calls()["chat"] == 3
        for wrong in (b'{"latency": -1}', b'{"latency": "soon"}', b"{}", b"3", b"?"):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                send(wrong)


def test_a_key_is_asked_for_when_told(monkeypatch):
    monkeypatch.setitem(os.environ, "OFFLINE_TEST_KEY", "right")
    with start(ServerOptions(api_key_env="OFFLINE_TEST_KEY")) as server:
        with client_of(server, key="wrong") as client, pytest.raises(openai.AuthenticationError) as refused:
            client.chat.completions.create(model="lead", messages=ASKED)
        assert "right" not in str(refused.value)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(server.url + "/models", timeout=10)
        with client_of(server, key="right") as client:
            assert client.chat.completions.create(model="lead", messages=ASKED).choices
