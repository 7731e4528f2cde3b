"""What the offline models say to a chat request: finds out the kind of prompt, applies its rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dream.models.offline import judging, testset
from dream.models.offline.knowledge import from_memory
from dream.models.offline.rag import read_rag_prompt
from dream.models.offline.ragas_prompt import RagasPrompt, read_ragas_prompt
from dream.models.offline.schema import fill_schema
from dream.models.offline.styles import STYLES
from dream.models.offline.words import sentences

Rule = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Reply:
    """The text of an answer, and the kind of prompt it answers.

    Attributes:
        kind: generate (a RAG prompt), judge (a metric), golden (the TestsetGenerator) or other.
        text: what is answered; a JSON object for judge and golden.
    """

    kind: str
    text: str


def _most(data: Mapping[str, Any]) -> int:
    return int(data.get("max_num", 10))


_JUDGE: dict[frozenset[str], Rule] = {
    frozenset({"reason", "verdict"}): judging.judge_usefulness,
    frozenset({"classifications"}): judging.judge_recall,
    frozenset({"TP", "FP", "FN"}): judging.classify_correctness,
    frozenset({"question", "noncommittal"}): judging.ask_back,
}
_GOLDEN: dict[frozenset[str], Rule] = {
    frozenset({"score"}): lambda data: {
        "score": testset.rate_potential(data.get("node_content", ""), data.get("document_summary", ""))
    },
    frozenset({"output"}): lambda data: {"output": testset.find_themes(data["text"], _most(data))},
    frozenset({"keyphrases"}): lambda data: {"keyphrases": testset.find_themes(data["text"], _most(data))},
    frozenset({"entities"}): lambda data: {"entities": testset.find_entities(data["text"], _most(data))},
    frozenset({"headlines"}): lambda data: {"headlines": testset.find_headlines(data["text"], _most(data))},
    frozenset({"description"}): lambda data: {"description": testset.summarize(data["text"], most=1)},
    frozenset({"name", "role_description"}): lambda data: testset.invent_persona(data["text"]),
    frozenset({"mapping"}): lambda data: {
        "mapping": testset.match_personas(data["themes"], data["personas"])
    },
    frozenset({"combinations"}): lambda data: {
        "combinations": testset.combine_concepts(
            data["lists_of_concepts"], int(data.get("max_combinations", 5))
        )
    },
    frozenset({"query", "answer"}): testset.ask,
}


def reply(
    model: str, messages: Sequence[Mapping[str, Any]], response_format: Mapping[str, Any] | None = None
) -> Reply:
    r"""The answer of an offline chat model; the same request always gets the same answer.

    Args:
        model: a style's name, see :data:`dream.models.offline.styles.STYLES`.
        messages: OpenAI's chat messages.
        response_format: OpenAI's ``response_format``; other than for plain text the answer is JSON.

    >>> reply("lead", [{"role": "user", "content": "Context:\n[1] Ray runs tasks.\n\nQuestion: Why?"}])
    Reply(kind='generate', text='Ray runs tasks.')
    """
    texts = [text_of(message) for message in messages if message.get("role") != "assistant"]
    for text in reversed(texts):  # instructor adds its complaints after the prompt when it asks again
        ragas = read_ragas_prompt(text)
        if ragas is not None:
            return _reply_to_ragas(ragas)
    last = texts[-1] if texts else ""
    rag = read_rag_prompt(last)
    if rag is not None:
        said, kind = STYLES[model](rag), "generate"
    elif (known := from_memory(last)) is not None:
        said, kind = known, "generate"
    else:
        said, kind = f"You said: {' '.join(sentences(last)[:1])[:200]}", "other"
    wanted = (response_format or {}).get("type", "text")
    if wanted == "json_schema":
        schema = (response_format or {}).get("json_schema", {}).get("schema", {})
        return Reply(kind, _json(fill_schema(schema, said)))
    return Reply(kind, said if wanted == "text" else _json({"answer": said}))


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a chat message, whose content may be a string or a list of parts.

    >>> text_of({"role": "user", "content": [{"type": "text", "text": "Hello"}]})
    'Hello'
    """
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or () if isinstance(part, dict))


def _reply_to_ragas(prompt: RagasPrompt) -> Reply:
    data, fields = prompt.data, prompt.fields
    if fields == {"statements"}:
        judges = "statements" in data  # both prompts want statements; only one of them brings some
        return Reply("judge", _json((judging.judge_statements if judges else judging.split_statements)(data)))
    if fields == {"text"} and "text" in data:
        titled = "title" in prompt.instruction.lower()
        text = testset.title(data["text"]) if titled else testset.summarize(data["text"])
        return Reply("golden", _json({"text": text}))
    if fields in _JUDGE:
        return Reply("judge", _json(_JUDGE[fields](data)))
    if fields in _GOLDEN:
        return Reply("golden", _json(_GOLDEN[fields](data)))
    return Reply(
        "other", _json(fill_schema(prompt.schema, "The offline models have no rule for this prompt."))
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
