"""What every process of a run needs to know; holds no secret, so it may travel through Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dream.cells import packed, unpacked
from dream.ledger import Ledger
from dream.methods import Method, method, notebook_methods
from dream.methods.prompt import PROMPT_DIGEST
from dream.metrics import find_metric, metric, notebook_metrics
from dream.models.chat import chat_identity
from dream.models.embedding import Embedder, embedding_identity, open_embedder
from dream.models.limits import bounds_of
from dream.modules import Module, code_digest, load_modules
from dream.records import Question, digest_of
from dream.retrieval.index import index_inputs
from dream.storage import open_storage
from dream.study import OfflineChat, Study
from dream.sweep.arms import method_of
from dream.sweep.result import Arm


@dataclass(frozen=True)
class Setting:
    """A study with its corpus and golden dataset, and where things are.

    Attributes:
        study: what was asked for; its model keys are names of environment variables.
        storage: address of the ledger.
        cache: folder for files of the machine that uses it; may begin with ``~``.
        modules: Python files of the user's own.
        documents: of the corpus, as ``contents_of`` gives them.
        questions: the golden dataset.
        golden: its digest.
        offline_url: where the offline server listens; ``None`` where the study needs none.
        notebook: the methods and metrics that a notebook's cells define, as ``pack_notebook`` gives them.
    """

    study: Study
    storage: str
    cache: Path
    modules: tuple[Module, ...]
    documents: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]
    golden: str
    offline_url: str | None = None
    notebook: bytes = b""

    def open_ledger(self) -> Ledger:
        """The ledger, and the user's modules and cells loaded, in this process."""
        load_modules(self.modules)
        load_notebook(self.notebook)
        return Ledger(open_storage(self.storage, proven=True))

    def embedder(self, name: str) -> Embedder:
        """An embedding of the study."""
        bounds = bounds_of(self.study, self.storage)
        return open_embedder(name, self.study.models.embeddings[name], bounds)

    def index_of(self, method: Method, embedding: str) -> dict[str, Any]:
        """What the index of a method and an embedding depends on."""
        identity = embedding_identity(self.study.models.embeddings[embedding])
        return index_inputs(self.documents, method.splitter(), identity)

    @property
    def offline(self) -> bool:
        """Whether the judge is an offline model, and so every judged score is."""
        return isinstance(self.study.models.llms[self.study.models.judge], OfflineChat)

    @cached_property
    def _judging(self) -> Mapping[str, Any]:
        models = self.study.models
        return {
            "judge": chat_identity(models.llms[models.judge]),
            "judge_settings": _settings(models.llms[models.judge]),
            "judge_embedding": embedding_identity(models.embeddings[self.study.judge_embedding]),
            "metrics": {name: code_digest(find_metric(name).compute) for name in self.study.metrics},
            "k": self.study.k,
            "judgings": self.study.judgings,
        }

    def trial_inputs(self, arm: Arm) -> dict[str, Any]:
        """What an arm's results depend on: its key in the ledger."""
        from importlib.metadata import version

        method = method_of(arm)
        llm = self.study.models.llms[arm.llm]
        return {
            "method": method.identity(),
            "index": digest_of(self.index_of(method, arm.embedding)),
            "llm": chat_identity(llm),
            "llm_settings": _settings(llm),
            "prompt": PROMPT_DIGEST,
            "code": code_digest(
                Setting,
                "dream.sweep.trial",
                "dream.retrieval.reach",
                "dream.models.recorded",
                "dream.metrics.metric",
            ),
            "golden": self.golden,
            "seed": self.study.seed,
            "ragas": version("ragas"),
            **self._judging,
        }


def pack_notebook(study: Study) -> bytes:
    """The study's methods and metrics that were written in a notebook's cells, to travel to the workers."""
    methods = [found for found in notebook_methods() if found.label() in study.search.method]
    metrics = [found for found in notebook_metrics() if found.name in study.metrics]
    return packed([*methods, *(found.compute for found in metrics)])


def load_notebook(data: bytes) -> None:
    """Register what ``pack_notebook`` packed in this process."""
    for found in unpacked(data):
        if isinstance(found, type):
            method(found)
        else:
            metric(found)


def _settings(model: Any) -> Any:
    """A chat model's settings that change its answers or their price."""
    return model.model_dump(mode="json", exclude={"api_key", "timeout", "retries", "base_url"})
