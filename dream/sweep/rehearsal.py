"""A run without a cent: the run's own code over what the ledger holds, with stand-ins for the models.

Retrieval, prompts, metrics and the reuse of equal calls are those of the run, so what it will ask is found
out by doing it. An answer that is recorded is taken as it is; for one that is not, the offline models' rules
answer, in this process. Nothing is sent, and nothing is written: what would be goes into memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from dream.ledger import Ledger
from dream.models.capacity import Rules
from dream.models.chat import ChatModel, Messages, Reply, chat_identity, chat_parameters, provider_of
from dream.models.embedding import Embedder, Vectors, embedding_identity, unpack
from dream.models.limits import Gate
from dream.models.meter import Meter
from dream.records import digest_of
from dream.storage import Storage, StoredObject
from dream.study import HashingEmbedding, MiniLMEmbedding, OfflineChat, OpenAIEmbedding, Prices, Study

# Different LLMs put the same thing in different words, and so do their stand-ins: each has a style of its
# own as long as there are any left, and then a word of its own.
STYLES = ("extractive", "lead", "verbose")

# Numbers in a vector of an embedding of which nothing is recorded; which, makes no difference.
USUAL_DIMENSIONS = 384

_read: ContextVar[list[str] | None] = ContextVar("keys that were read from the real storage", default=None)


class Overlay:
    """A storage that is read through and written into memory only."""

    def __init__(self, real: Storage) -> None:
        # a name of its own, so that nobody waits for the claims of a rehearsal
        self.url, self._real = f"rehearsal:{uuid.uuid4().hex}", real
        self._written: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> str:
        """Keep in memory."""
        self._written[key] = data
        return hashlib.sha256(data).hexdigest()

    def get(self, key: str, digest: str | None = None) -> bytes:
        """What was written here, or else what is stored."""
        if key in self._written:
            return self._written[key]
        data = self._real.get(key, digest)
        if (read := _read.get()) is not None:
            read.append(key)
        return data

    def exists(self, key: str) -> bool:
        """Whether there is something, here or there."""
        return key in self._written or self._real.exists(key)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """What is stored, what was written here not included."""
        return self._real.list(prefix)

    def delete(self, key: str) -> None:
        """Forget what was written here."""
        self._written.pop(key, None)

    def digest(self, key: str) -> str | None:
        """SHA-256 of what is there."""
        if key in self._written:
            return hashlib.sha256(self._written[key]).hexdigest()
        return self._real.digest(key)


@dataclass(frozen=True)
class Call:
    """A chat call that a run makes, or found recorded.

    Attributes:
        kind: golden, generate, or the metric that asks.
        model: name in the study.
        provider: whose limits it falls under.
        recorded: whether the ledger holds its answer.
        input_tokens: as recorded, or as counted in the prompt.
        output_tokens: as recorded, or those of the stand-in's answer.
        counted: tokens counted in the prompt, also of a recorded call; 0 if they were not.
        by_rule: tokens of the stand-in's answer, where the recorded one was taken; 0 if it was not asked.
        seconds: as recorded; 0 for a stand-in.
        certain: whether the answer is the model's own: recorded, or by the rules of an offline model.
        weight: how many calls of the run this one stands for, where not all questions are rehearsed.
        spread: factors of that number at the least and at the most, where it depends on the run's results.
    """

    kind: str
    model: str
    provider: str
    recorded: bool
    input_tokens: int
    output_tokens: int
    counted: int = 0
    by_rule: int = 0
    seconds: float = 0.0
    certain: bool = True
    weight: float = 1.0
    spread: tuple[float, float] = (1.0, 1.0)


@dataclass
class Notes:
    """What a rehearsal saw.

    Attributes:
        calls: each distinct chat call once.
        meters: of the embeddings over HTTP, by name.
        dimensions: of the embeddings, by name, as far as recorded vectors tell them.
        untold: what could not be rehearsed, by what it was and why.
        compared: recorded calls that were held against the stand-in's, by model and kind.
        weight: of the calls that are met from now on.
        spread: likewise.
    """

    calls: dict[str, Call] = field(default_factory=dict)
    meters: dict[str, Meter] = field(default_factory=dict)
    dimensions: dict[str, int] = field(default_factory=dict)
    untold: Counter[tuple[str, str]] = field(default_factory=Counter)
    compared: Counter[tuple[str, str]] = field(default_factory=Counter)
    weight: float = 1.0
    spread: tuple[float, float] = (1.0, 1.0)


@dataclass
class StandIn(ChatModel):
    """A chat model that asks nobody: recorded answers, or else those of an offline model's rules."""

    provider: str = ""
    certain: bool = True
    notes: Notes = field(default_factory=Notes)
    own_word: str = ""

    async def ask(
        self, messages: Messages, *, seed: int = 0, kind: str = "generate", **parameters: Any
    ) -> Reply:
        """The answer by rule; its seconds are below 0, by which it is known."""
        from dream.models.offline.reply import reply
        from dream.models.offline.styles import NOTHING_SAID
        from dream.models.offline.tokens import count_prompt, count_tokens

        said = reply(self.model, messages, parameters.get("response_format")).text
        if self.own_word and kind == "generate" and said != NOTHING_SAID:
            said = f"{said} {self.own_word}"
        prompt = count_prompt(message["content"] for message in messages)
        return Reply(said, prompt, count_tokens(said), seconds=-1.0)

    async def ask_once(self, ledger: Ledger, stage: str, messages: Messages, **more: Any) -> Reply:
        """As a run does it, noting the call when it is met for the first time."""
        read: list[str] = []
        token = _read.set(read)
        try:
            reply = await super().ask_once(ledger, stage, messages, **more)
        finally:
            _read.reset(token)
        kind = more.get("kind") or stage
        recorded = reply.seconds >= 0
        asked = [stage, self.identity, more.get("repeat", 0), messages]
        key = read[-1] if recorded and read else digest_of(asked)
        if key not in self.notes.calls and (read or not recorded):
            counted = by_rule = 0
            if recorded and self.notes.compared[self.name, kind] < ENOUGH:
                self.notes.compared[self.name, kind] += 1
                form = more.get("response_format")
                stood_in = await self.ask(messages, kind=kind, response_format=form)
                counted, by_rule = stood_in.input_tokens, stood_in.output_tokens
            self.notes.calls[key] = Call(
                kind, self.name, self.provider, recorded, reply.input_tokens, reply.output_tokens,
                counted, by_rule, max(0.0, reply.seconds), recorded or self.certain,
                self.notes.weight, self.notes.spread,
            )  # fmt: skip
        return reply


ENOUGH = 30
"""Recorded calls of a model and kind that are held against the stand-in's, to learn how they differ."""


def stand_ins(study: Study, notes: Notes) -> dict[str, StandIn]:
    """A stand-in for each chat model that the study uses."""
    from dream.study_file import used_models

    found = {}
    names = [*study.search.llm, study.models.judge]
    used = {name for group, name in used_models(study) if group == "llms"}
    models = {name: study.models.llms[name] for name in names if name in used}
    taken = {model.style for model in models.values() if isinstance(model, OfflineChat)}
    free = [style for style in STYLES if style not in taken]
    for name, model in models.items():
        offline = isinstance(model, OfflineChat)
        own_word = "" if offline or free else f"({name})"
        style = model.style if isinstance(model, OfflineChat) else free.pop(0) if free else STYLES[0]
        prices: Prices | None = Prices(input=0) if isinstance(model, OfflineChat) else model.prices
        seed = study.seed if getattr(model, "send_seed", True) else None
        found[name] = StandIn(
            name, chat_identity(model), style, None, prices, chat_parameters(model), seed,  # type: ignore[arg-type]
            Gate(Rules(calls_at_once=1)), provider=provider_of(model), certain=offline, notes=notes,
            own_word=own_word,
        )  # fmt: skip
    return found


def stand_in_embedders(study: Study, notes: Notes) -> dict[str, Embedder]:
    """For each embedding of the study one with its identity, whose new vectors are hashed words.

    A stand-in for another embedding sees a part of the words only, so that it finds other chunks, as
    another embedding does. Its vectors are as long as the recorded ones that they meet.
    """
    return {
        name: _embedder(name, study.models.embeddings[name], notes)
        for name in {*study.search.embedding, study.judge_embedding}
    }


def _embedder(
    name: str, model: OpenAIEmbedding | MiniLMEmbedding | HashingEmbedding, notes: Notes
) -> Embedder:
    from dream.models.hashing import embed_by_hashing
    from dream.models.offline.tokens import count_tokens

    identity, meter = embedding_identity(model), Meter()
    if isinstance(model, HashingEmbedding):
        return Embedder(name, identity, lambda texts: embed_by_hashing(texts, model.dimensions))

    def some_words(texts: Sequence[str]) -> Vectors:
        if isinstance(model, OpenAIEmbedding):
            meter.embedding_tokens += sum(map(count_tokens, texts))
            meter.embedding_requests += -(-len(texts) // model.batch_size)
        dimensions = notes.dimensions.get(name, USUAL_DIMENSIONS)
        vectors = embed_by_hashing(texts, 2 * dimensions)[:, :dimensions].copy()
        vectors[~vectors.any(axis=1), 0] = 1.0  # no embedding puts a text nowhere
        return vectors

    if not isinstance(model, OpenAIEmbedding):
        return Embedder(name, identity, some_words)
    notes.meters[name] = meter
    return Embedder(name, identity, some_words, model.batch_size, meter)


def recorded_dimensions(
    ledger: Ledger, embedder: Embedder, groups: Iterable[Sequence[str]], texts: Iterable[str]
) -> int | None:
    """How long the embedding's recorded vectors are, told by the first that is found.

    Args:
        ledger: where vectors are recorded.
        embedder: with the embedding's identity.
        groups: texts that a run embeds together, such as all questions, or a document's chunks.
        texts: those that it embeds one by one, such as reference answers.
    """
    inputs_of: list[dict[str, Any]] = [{"texts": list(group[: embedder.at_once])} for group in groups]
    inputs_of += [{"text": text} for text in texts]
    for inputs in inputs_of:
        found = ledger.find("embed", {"embedding": embedder.identity, **inputs})
        if found is not None:
            return int(unpack(found).shape[-1])
    return None


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without the progress bars and warnings that ragas writes."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
