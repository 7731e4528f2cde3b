"""What a study file may say: every field, its meaning, its default and what is allowed.

A study names a corpus, a golden dataset, models, a search space, metrics and limits. ``load_study`` in
``dream.study_file`` reads one; this page is what it is checked against, and what ``dream init`` and the
JSON Schema for editors are made from.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

ENVIRONMENT_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Section(BaseModel):
    """A part of the study file; refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    allowed = ", ".join(cls.model_fields)
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key '{key}'; allowed are {allowed}",
                        {"key": key, "allowed": allowed},
                    )
        return value


class Prices(Section):
    """Dollars per million tokens, as providers print them."""

    input: float = Field(ge=0, description="Dollars per million tokens of the prompt; 0 if it costs none.")
    output: float = Field(0.0, ge=0, description="Dollars per million tokens of the answer.")


class OpenAIModel(Section):
    """What every model behind an OpenAI-compatible URL needs: OpenAI, vLLM, Ollama, TEI and others."""

    provider: Literal["openai"] = Field(description="Any server that speaks the OpenAI HTTP API.")
    model: str = Field(min_length=1, description="The model's name, as its server calls it.")
    base_url: str = Field(
        "https://api.openai.com/v1", pattern=r"^https?://", description="Address of the API, with its /v1."
    )
    api_key: str | None = Field(
        "${OPENAI_API_KEY}",
        description="The environment variable that holds the key, as ${NAME}; null for a server without one.",
    )
    timeout: float = Field(60.0, gt=0, description="Seconds to wait for one answer.")
    retries: int = Field(
        6,
        ge=0,
        le=20,
        description="How often a call that was refused, timed out or broke off is tried again.",
    )
    prices: Prices | None = Field(
        None, description="Dollars per million tokens; what the model costs is unknown without them."
    )

    @field_validator("base_url")
    @classmethod
    def _no_password_in_an_address(cls, value: str) -> str:
        if "@" in value.partition("://")[2].partition("/")[0]:
            raise PydanticCustomError("key_in_file", "a key must not stand in an address", {})
        return value

    @field_validator("api_key")
    @classmethod
    def _no_key_in_a_file(cls, value: str | None) -> str | None:
        if value is not None and not ENVIRONMENT_VARIABLE.fullmatch(value):
            # The value itself is not repeated: it may be a real key.
            raise PydanticCustomError("key_in_file", "a key must not stand in a file; write ${{NAME}}", {})
        return value


class OpenAIChat(OpenAIModel):
    """A chat model behind an OpenAI-compatible URL."""

    temperature: float | None = Field(
        0.0, ge=0, le=2, description="0 gives the most repeatable answers; null for a model that takes none."
    )
    max_tokens: int = Field(512, ge=1, description="Most tokens of an answer; a judge gets at least 4096.")
    token_limit: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="What the model calls its limit on tokens; OpenAI's newest take the second."
    )
    send_seed: bool = Field(True, description="Whether to send the study's seed; some servers refuse it.")


class OfflineChat(Section):
    """DREAM's own small server without weights; its scores are labelled offline everywhere."""

    provider: Literal["offline"] = Field(description="Answers by rule, deterministic, no key, no network.")
    style: Literal["extractive", "verbose", "lead"] = Field(
        "extractive",
        description="extractive picks the best sentences, verbose adds what stands around them, "
        "lead takes the first sentences without looking at the question.",
    )


class OpenAIEmbedding(OpenAIModel):
    """An embedding model behind an OpenAI-compatible URL."""

    batch_size: int = Field(64, ge=1, le=2048, description="Texts sent in one request.")


class MiniLMEmbedding(Section):
    """all-MiniLM-L6-v2 on this machine's processor, 384 dimensions; needs the extra `minilm`."""

    provider: Literal["minilm"] = Field(description="Weights come from a package; nothing is downloaded.")


class HashingEmbedding(Section):
    """Hashed words and word pairs; needs nothing and knows no synonyms: the baseline to beat."""

    provider: Literal["hashing"] = Field(description="Computed from the words alone.")
    dimensions: int = Field(384, ge=16, le=65536, description="Length of a vector.")


Chat = Annotated[OpenAIChat | OfflineChat, Field(discriminator="provider")]
Embedding = Annotated[OpenAIEmbedding | MiniLMEmbedding | HashingEmbedding, Field(discriminator="provider")]


class Models(Section):
    """The models that the search may choose from, by names of your own."""

    llms: dict[str, Chat] = Field(min_length=1, description="Chat models, by the name used in search.llm.")
    embeddings: dict[str, Embedding] = Field(
        min_length=1, description="Embedding models, by the name used in search.embedding."
    )
    judge: str = Field(description="The chat model that judges answers and generates questions.")
    judge_embedding: str | None = Field(
        None, description="The embedding that compares answers; the first of models.embeddings if not given."
    )


class Columns(Section):
    """Which column of a question file holds what."""

    question: str = Field("question", description="Column of the question.")
    reference: str = Field("reference", description="Column of the reference answer.")
    evidence: str | None = Field(
        "evidence",
        description="Column of the evidence: a text, a list of them, or of {document, text}; null if none.",
    )
    id: str | None = Field(
        "id", description="Column of the question's id; questions are numbered without one."
    )
    kind: str | None = Field("kind", description="Column of the question's kind.")


class QuestionFile(Section):
    """Questions that exist already."""

    path: str = Field(description="A .csv, .jsonl, .parquet or SQuAD-format .json file, or an s3:// address.")
    columns: Columns = Field(default_factory=Columns, description="Which column holds what.")
    limit: int | None = Field(
        None, ge=1, description="Take this many questions, spread evenly over the file."
    )


class Generate(Section):
    """Questions made from the corpus by the ragas TestsetGenerator."""

    questions: int = Field(40, ge=1, description="How many to ask for; the generator gives about as many.")
    documents_per_task: int = Field(3, ge=1, description="Most documents that one Ray task reads.")


class Golden(Section):
    """Where the golden dataset comes from; sources are joined and duplicates removed."""

    files: list[
        Annotated[
            QuestionFile,
            BeforeValidator(
                lambda value: {"path": value} if isinstance(value, str) else value,
                json_schema_input_type=QuestionFile | str,
            ),
        ]
    ] = Field(default_factory=list, description="Question files.")
    generate: Generate | None = Field(None, description="Generate questions too.")
    exclude: str | None = Field(
        None,
        description="A CSV file that `dream golden audit` wrote and you edited, or its s3:// address: "
        "questions whose decision is drop are left out.",
    )
    holdout: float = Field(
        0.0,
        ge=0,
        le=0.8,
        description="Share of the questions of each kind that has no part in choosing, so that the chosen "
        "arm can be measured without luck; 0 keeps none.",
    )

    @model_validator(mode="after")
    def _some_source(self) -> Golden:
        if not self.files and self.generate is None:
            raise PydanticCustomError(
                "no_source", "no source of questions; give files, generate, or both", {}
            )
        return self


def _golden(value: Any) -> Any:
    """A single path, or a list of files, is short for ``files``."""
    if isinstance(value, str):
        return {"files": [value]}
    return {"files": value} if isinstance(value, list) else value


class Search(Section):
    """The search space: every combination is one arm."""

    mode: Literal["grid", "racing"] = Field(
        "grid",
        description="grid runs every arm on every question; racing asks in rounds and stops arms that "
        "cannot win any more. Racing needs an objective between 0 and 1.",
    )
    method: list[str] = Field(min_length=1, description="RAG methods, by name.")
    llm: list[str] = Field(min_length=1, description="Names from models.llms.")
    embedding: list[str] = Field(min_length=1, description="Names from models.embeddings.")
    knobs: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Settings by method; a list of values makes the knob a search axis.",
    )

    @field_validator("method", "llm", "embedding")
    @classmethod
    def _named_once(cls, names: list[str]) -> list[str]:
        for name in names:
            if names.count(name) > 1:
                raise PydanticCustomError("twice", "'{name}' is named twice; name it once", {"name": name})
        return names


class Limits(Section):
    """How much may happen at once, how fast, and for how many dollars."""

    calls_at_once: int = Field(
        32, ge=1, description="Calls to one provider that may be under way at once, on the whole cluster."
    )
    requests_per_minute: int | None = Field(
        None,
        ge=1,
        description="Requests to one provider that may be started in a minute; any number if not given.",
    )
    tokens_per_minute: int | None = Field(
        None, ge=1, description="Tokens of prompts and answers in a minute; any number if not given."
    )
    dollars: float | None = Field(
        None,
        gt=0,
        description="Most that all runs of this study together may spend; any amount if not given.",
    )
    trials_at_once: int | None = Field(
        None,
        ge=1,
        description="Trials that run at once; one for each processor, at least four, if not given.",
    )


class Choice(Section):
    """How the verdict takes one arm from those that cannot be told from the best."""

    rule: Literal["cheapest", "fastest", "best"] = Field(
        "cheapest", description="Which arm of the tie set to take: by dollars, by seconds, or by its mean."
    )
    tolerance: float = Field(
        0.05,
        ge=0,
        description="How far below the highest mean of the objective the cheapest or fastest arm may lie.",
    )
    cluster: Literal["document", "question"] = Field(
        "document",
        description="Questions of one document count as one piece of evidence each document, or every "
        "question counts on its own; the latter speaks of further questions on these documents only.",
    )


class Study(Section):
    """One study: which RAG pipeline is best for these documents?"""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="Names the report, the MLflow experiment and runs.",
    )
    corpus: str = Field(description="A folder, relative to this file, or s3://bucket/prefix.")
    golden: Annotated[
        Golden, BeforeValidator(_golden, json_schema_input_type=Golden | str | list[str | QuestionFile])
    ] = Field(description="The golden dataset: files of questions, generated ones, or both.")
    models: Models = Field(description="Chat and embedding models.")
    search: Search = Field(description="What is combined with what.")
    metrics: list[str] = Field(
        default_factory=lambda: [
            "faithfulness", "answer_relevancy", "context_precision", "context_recall", "answer_correctness",
            "answer_similarity", "recall_at_k", "precision_at_k", "mrr", "ndcg", "exact_match", "f1",
        ],
        min_length=1,
        description="What every answer is scored by.",
    )  # fmt: skip
    k: int = Field(
        4,
        ge=1,
        description="How many retrieved chunks recall, precision, MRR and nDCG look at; of an arm that shows "
        "fewer, those. Keep it at the smallest top_k of the search, to compare methods at the same depth.",
    )
    objective: str = Field("answer_correctness", description="The metric that orders the leaderboard.")
    verdict: Choice = Field(
        default_factory=lambda: Choice(), description="Which arm to take from those that may be the best."
    )
    judgings: int = Field(
        1,
        ge=1,
        le=9,
        description="How often each answer is judged; its score is the mean. From 2 on, the judge's noise is "
        "told apart from what the arms do.",
    )
    modules: list[str] = Field(
        default_factory=list, description="Python files of your own that register methods or metrics."
    )
    seed: int = Field(0, ge=0, description="Sent to the models and used wherever chance comes in.")
    limits: Limits = Field(default_factory=Limits, description="How much may happen at once, and cost.")

    _file: Path | None = PrivateAttr(None)
    _text: str = PrivateAttr("")
    _lines: dict[str, int] = PrivateAttr(default_factory=dict)

    @property
    def text(self) -> str:
        """The file as it was read, environment variables not filled in."""
        return self._text

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self._file.parent if self._file else Path.cwd()

    def path(self, named: str) -> str:
        """A path or address that the study names, made absolute."""
        return named if "://" in named else str((self.folder / Path(named).expanduser()).resolve())

    def where(self, *location: str | int) -> str:
        """File, line and field, for messages: ``study.yaml:12 search.method[0]``."""
        field = field_name(location)
        file = self._file.name if self._file else "study"
        known = list(location)
        while known and field_name(known) not in self._lines:
            known.pop()
        line = self._lines.get(field_name(known))
        return f"{file}:{line} {field}" if line else f"{file} {field}"

    @property
    def judge_embedding(self) -> str:
        """Name of the embedding that compares answers."""
        return self.models.judge_embedding or next(iter(self.models.embeddings))


def field_name(location: list[str | int] | tuple[str | int, ...]) -> str:
    """A location in the file as people write it.

    >>> field_name(("search", "method", 0))
    'search.method[0]'
    """
    name = ""
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name
