"""Checks every outside part that a study names, and says of each what to do."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from dream.corpus import list_files
from dream.errors import DreamError
from dream.models.chat import chat_identity, open_chat
from dream.models.embedding import open_embedder
from dream.modules import load_modules, read_modules
from dream.storage import open_storage
from dream.study import OfflineChat, QuestionFile, Study
from dream.study_file import used_models
from dream.sweep.arms import list_arms


@dataclass(frozen=True)
class Check:
    """One part and how it is.

    Attributes:
        part: what was looked at.
        well: whether a run can use it.
        found: what was found; where it is not well, what to do.
    """

    part: str
    well: bool
    found: str


def examine(study: Study, storage: str | None = None) -> list[Check]:
    """Look at everything outside of this process that a run of the study would use.

    Each chat model is asked for one word and each embedding for one vector; nothing else is spent.
    """
    return [_check(part, look) for part, look in _parts(study, storage)]


def _check(part: str, look: Callable[[], str]) -> Check:
    try:
        return Check(part, True, look())
    except DreamError as error:
        return Check(part, False, str(error))


def _parts(study: Study, storage: str | None) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "search space", lambda: _search(study)
    yield f"corpus {study.corpus}", lambda: f"{len(list_files(study.path(study.corpus)))} files"
    for file in study.golden.files:
        yield f"questions {file.path}", partial(_questions, study, file)
    yield "storage", lambda: _storage(storage)
    for group, name in sorted(used_models(study), reverse=True):
        if group == "llms":
            yield f"chat model {name}", partial(_chat, study, name)
        else:
            yield f"embedding {name}", partial(_embedding, study, name)
    yield "MLflow", _mlflow
    yield "Ray", _ray


def _search(study: Study) -> str:
    load_modules(read_modules([study.path(path) for path in study.modules]))
    return f"{len(list_arms(study))} arms"


def _questions(study: Study, file: QuestionFile) -> str:
    from dream.golden.load import load_questions

    return f"{len(load_questions(file, study.path(file.path)))} questions"


def _storage(address: str | None) -> str:
    opened = open_storage(address or os.environ.get("DREAM_STORAGE") or ".dream")
    key = f"doctor/{uuid.uuid4().hex}"
    digest = opened.put(key, b"written by dream doctor")
    opened.get(key, digest)
    opened.delete(key)
    return f"{opened.url} can be written and read"


def _chat(study: Study, name: str) -> str:
    model = study.models.llms[name]
    if isinstance(model, OfflineChat):
        return f"offline, style {model.style}; the run starts it"

    async def ask() -> str:
        gate = asyncio.Semaphore(1)
        chat = open_chat(
            name, model, seed=study.seed, gate=gate, offline_url=None, identity=chat_identity(model)
        )
        async with chat.client:
            reply = await chat.ask([{"role": "user", "content": "Answer with the word: ready"}])
        return f"{model.model} answered in {reply.seconds:.1f} s"

    return asyncio.run(ask())


def _embedding(study: Study, name: str) -> str:
    vector = open_embedder(name, study.models.embeddings[name]).embed(["a question"])
    return f"{vector.shape[1]} dimensions"


def _mlflow() -> str:
    address = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not address:
        return "a database in the storage folder; set MLFLOW_TRACKING_URI to use a server"
    if not address.startswith("http"):
        return "a database that MLFLOW_TRACKING_URI names"
    import httpx

    try:
        answer = httpx.get(f"{address.rstrip('/')}/health", timeout=10)
    except httpx.HTTPError as error:
        raise DreamError(f"no answer ({type(error).__name__})", "MLFLOW_TRACKING_URI", "start it") from None
    if answer.status_code != 200:
        raise DreamError(f"answered {answer.status_code}", "MLFLOW_TRACKING_URI", "look at its log")
    return "the server answers"


def _ray() -> str:
    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        return "started on this machine by the run; set RAY_ADDRESS to use a cluster"
    from dream.cluster.connect import connect

    return f"connected to {connect(address)}"
