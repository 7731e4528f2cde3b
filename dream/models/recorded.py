"""Our models as ragas wants them, with every answer and vector in the ledger.

ragas' metrics and its test-set generator take an LLM and an embedding object. These two send what
they are asked through ``ChatModel.ask_once`` and ``embed_texts``, without a client of their own, so that
prompts and formulas stay ragas' and everything else is ours: record, reuse, limits, retries.

Import this module only where ragas is used: ragas takes seconds to import.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

os.environ["RAGAS_DO_NOT_TRACK"] = (
    "true"  # ragas reads it when imported; it calls home per model call otherwise
)

from pydantic import BaseModel, ValidationError
from ragas.embeddings.base import BaseRagasEmbedding
from ragas.llms.base import InstructorBaseRagasLLM

from dream.ledger import Ledger
from dream.models.chat import ChatModel
from dream.models.embedding import Embedder, embed_soon, embed_texts

Form = TypeVar("Form", bound=BaseModel)

SYSTEM = "Answer with one JSON object that fits the JSON Schema in the request, and with nothing else."

# Between the seeds of one judging and those of the next; no metric asks one thing as often.
JUDGING = 100

# Judges that reason need room; what is not used costs nothing.
JUDGE_TOKENS = 4096


class RecordedLLM(InstructorBaseRagasLLM):
    """A chat model that answers in the form of a pydantic model, each request once.

    A metric may put the same request several times to get independent answers (answer_relevancy asks
    three times). Within one object the repeats are told apart by number; between objects equal requests
    share their answers. So make one object for each score, and tell it which judging of it this is.

    Attributes:
        answers: everything the model answered through this object, in order, for reasons beside scores.
    """

    def __init__(self, chat: ChatModel, ledger: Ledger, stage: str, judging: int = 0, kind: str = "") -> None:
        self.chat, self.ledger, self.stage = chat, ledger, stage
        self.judging, self.kind = judging, kind
        self.answers: list[BaseModel] = []
        self._asked: Counter[str] = Counter()
        self._early: dict[str, deque[BaseModel | BaseException]] = {}

    async def agenerate(self, prompt: str, response_model: type[Form]) -> Form:
        """Ask, and read the answer into the form.

        Raises:
            ModelError: the model failed, or gave no answer of that form in several tries.
        """
        early = self._early.get(prompt)
        answer: Any = early.popleft() if early else await self._ask(prompt, response_model)
        if isinstance(answer, BaseException):
            raise answer
        self.answers.append(answer)
        made: Form = answer
        return made

    async def ask_early(self, prompts: Sequence[str], response_model: type[BaseModel]) -> None:
        """Ask together what a metric is going to ask one after the other; ``agenerate`` then answers at once.

        ragas awaits each of a metric's calls before it makes the next, also where none needs the last
        one's answer. A failure is raised when the metric asks; nothing that is under way is given up for it.
        """
        answers = await asyncio.gather(
            *(self._ask(prompt, response_model) for prompt in prompts), return_exceptions=True
        )
        for prompt, answer in zip(prompts, answers, strict=True):
            self._early.setdefault(prompt, deque()).append(answer)

    async def _ask(self, prompt: str, response_model: type[Form]) -> Form:
        repeat = self._asked[prompt] + JUDGING * self.judging
        self._asked[prompt] += 1
        read: list[Form] = []
        reply = await self.chat.ask_once(
            self.ledger,
            self.stage,
            [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}],
            repeat=repeat,
            kind=self.kind,
            accept=lambda text: read.append(read_form(text, response_model)),
            max_tokens=JUDGE_TOKENS,
            response_format={"type": "json_object"},
        )
        return read[-1] if read else read_form(reply.text, response_model)  # read already if it is new

    def generate(self, prompt: str, response_model: type[Form]) -> Form:
        """The same for callers without an event loop."""
        return _run(self.agenerate(prompt, response_model))


class RecordedEmbedding(BaseRagasEmbedding):
    """An embedding whose vectors are in the ledger and, once used, in this object."""

    def __init__(self, embedder: Embedder, ledger: Ledger) -> None:
        super().__init__()
        self.embedder, self.ledger = embedder, ledger
        self._known: dict[str, list[float]] = {}

    def embed_texts(self, texts: Sequence[str], **_: Any) -> list[list[float]]:
        """Vectors of the texts; call it outside of an event loop, for it may wait."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            vectors = embed_texts(self.ledger, self.embedder, new)
            self._known |= {text: vector.tolist() for text, vector in zip(new, vectors, strict=True)}
        return [self._known[text] for text in texts]

    def embed_text(self, text: str, **_: Any) -> list[float]:
        """Vector of one text; one that ``aembed_texts`` has seen comes without waiting."""
        return self.embed_texts([text])[0]

    async def aembed_texts(self, texts: Sequence[str], **_: Any) -> list[list[float]]:
        """Vectors of the texts, without blocking the event loop."""
        await self.embed_early(texts)
        return [self._known[text] for text in texts]

    async def embed_early(self, texts: Sequence[str]) -> None:
        """Embed now what a metric is going to ask for one after the other, or without awaiting it."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            vectors = await embed_soon(self.ledger, self.embedder, new)
            self._known |= {text: vector.tolist() for text, vector in zip(new, vectors, strict=True)}

    async def aembed_text(self, text: str, **_: Any) -> list[float]:
        """Vector of one text, without blocking the event loop."""
        return (await self.aembed_texts([text]))[0]


def read_form(text: str, form: type[Form]) -> Form:
    """The first JSON object in the text, whatever a model wraps around it.

    >>> class Verdict(BaseModel):
    ...     verdict: int
    >>> read_form('Sure! {"verdict": 1} I hope this helps.', Verdict)
    Verdict(verdict=1)

    Raises:
        ValueError: there is none, or it does not fit the form.
    """
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ValueError("there is no JSON object in it")
    try:
        return form.model_validate_json(text[start : end + 1])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else str(first["msg"])) from None


class Prompt:
    """One of ragas' prompts, whose unchanging part is put together once.

    ragas writes the JSON Schema of the answer and all examples anew for each call, which takes as long as
    everything else about the call.
    """

    def __init__(self, prompt: Any) -> None:
        self._prompt = prompt
        self._around: tuple[str, str] | None = None

    def to_string(self, data: BaseModel) -> str:
        """What ragas' own ``to_string`` gives."""
        shown = data.model_dump_json(indent=4, exclude_none=True)
        if self._around is None:
            before, _, after = str(self._prompt.to_string(data)).rpartition(shown)
            self._around = before, after
        return shown.join(self._around)


def _run(work: Coroutine[Any, Any, Form]) -> Form:
    return asyncio.run(work)
