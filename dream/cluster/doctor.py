"""Checks every outside part that a study names, and says of each what to do."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dream.corpus import list_files
from dream.errors import DreamError
from dream.models.capacity import Rules
from dream.models.chat import open_chat
from dream.models.embedding import open_embedder
from dream.models.limits import Gate
from dream.modules import load_modules, read_modules
from dream.storage import open_storage
from dream.study import OfflineChat, QuestionFile, Study
from dream.study_file import used_models
from dream.sweep.arms import list_arms
from dream.sweep.progress import Status, Watcher
from dream.tracking.address import address_of, without_secrets
from dream.tracking.reach import reach
from dream.waiting import wait_for


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


def examine(study: Study, storage: str | None = None, watcher: Watcher | None = None) -> list[Check]:
    """Look at everything outside of this process that a run of the study would use.

    Each chat model is asked for one word and each embedding for one vector; nothing else is spent.

    Args:
        study: from ``load_study``.
        storage: as given to ``run_sweep``.
        watcher: is shown the progress.
    """
    checks: list[Check] = []
    parts = list(_parts(study, storage))
    for part, look in parts:
        checks.append(_check(part, look))
        if watcher:
            watcher(Status("doctor", len(checks), len(parts), "parts"))
    return checks


def _check(part: str, look: Callable[[], str]) -> Check:
    try:
        return Check(part, True, look())
    except DreamError as error:
        return Check(part, False, str(error))
    except Exception as error:  # one part that is broken must not hide the others  # noqa: BLE001
        first = _without_keys(without_secrets(str(error).strip().partition("\n")[0]))
        return Check(part, False, f"{type(error).__name__}: {first}".rstrip(": "))


def _without_keys(text: str) -> str:
    """The text without the values of environment variables whose names say that they are secret."""
    for name, value in os.environ.items():
        if len(value) >= 8 and any(word in name.upper() for word in ("KEY", "TOKEN", "SECRET", "PASSWORD")):
            text = text.replace(value, f"${{{name}}}")
    return text


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
        gate = Gate(Rules(calls_at_once=1))
        chat = open_chat(name, model, seed=study.seed, gate=gate, offline_url=None)
        async with chat.client:
            reply = await chat.ask([{"role": "user", "content": "Answer with the word: ready"}])
        return f"{model.model} answered in {reply.seconds:.1f} s"

    return wait_for(ask())


def _embedding(study: Study, name: str) -> str:
    vector = open_embedder(name, study.models.embeddings[name]).embed(["a question"])
    return f"{vector.shape[1]} dimensions"


def _mlflow() -> str:
    address = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not address:
        return "a database in the storage folder; set MLFLOW_TRACKING_URI to use a server"
    opened = address_of(address, Path(".dream"))
    reach(opened)
    if not opened.store.startswith("http"):
        return "the database that MLFLOW_TRACKING_URI names can be opened"
    import httpx

    answer = httpx.get(f"{opened.store}/health", timeout=10)  # with the password, which some proxies want
    if answer.status_code != 200:
        raise DreamError(f"answered {answer.status_code}", "MLFLOW_TRACKING_URI", "look at its log")
    return "the server answers"


def _ray() -> str:
    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        return "started on this machine by the run; set RAY_ADDRESS to use a cluster"
    from dream.cluster.connect import connect

    return f"connected to {connect(address)}"
