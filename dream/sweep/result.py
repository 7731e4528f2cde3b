"""What an arm found out: its answers and scores, question by question."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dream.records import Answer, Reach, Score, digest_of


@dataclass(frozen=True)
class Arm:
    """One point of the search space.

    Attributes:
        method: name of the RAG method.
        llm: name, in the study, of the model that answers.
        embedding: name, in the study, of the embedding that retrieves.
        knobs: the method's settings, each with its value, whether searched or not.
        searched: those knobs that differ between the arms.
        models: digest of what the names of LLM and embedding stand for, so that another model under an
            old name is another arm.

    >>> Arm("chunks", "small", "minilm", {"top_k": 4}).name
    'chunks · small · minilm'
    """

    method: str
    llm: str
    embedding: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    searched: tuple[str, ...] = ()
    models: str = ""

    @property
    def name(self) -> str:
        """How people call the arm: method, LLM, embedding and the knobs that are searched."""
        parts = [self.method, self.llm, self.embedding]
        return " · ".join([*parts, *(f"{knob}={self.knobs[knob]}" for knob in self.searched)])

    @property
    def id(self) -> str:
        """Short and stable, for file names and links."""
        return digest_of([self.method, self.llm, self.embedding, dict(self.knobs), self.models])[:12]

    @property
    def parameters(self) -> dict[str, Any]:
        """Method, LLM, embedding and all knobs in one flat mapping, as MLflow logs them."""
        return {"method": self.method, "llm": self.llm, "embedding": self.embedding, **self.knobs}


@dataclass(frozen=True)
class Row:
    """One question as one arm answered it.

    Attributes:
        question: id of the question.
        answer: what was answered; ``None`` where retrieval or the model failed.
        scores: one for each metric of the study, missing ones included with their reason.
        error: why there is no answer.
        reach: for each piece of the question's evidence, how far the arm's index lets it come.
    """

    question: str
    answer: Answer | None
    scores: tuple[Score, ...]
    error: str = ""
    reach: tuple[Reach, ...] = ()

    def score(self, metric: str) -> Score:
        """The row's score of that metric, missing with a reason if it was never asked."""
        for score in self.scores:
            if score.metric == metric:
                return score
        return Score(metric, reason=self.error or "not scored")


@dataclass(frozen=True)
class Summary:
    """A metric over all questions of an arm.

    Attributes:
        mean: of the scores that exist; ``None`` where there is none.
        stderr: standard error of that mean; ``None`` below two scores.
        low: lower end of the 95 % interval (Student's t).
        high: upper end of it.
        scored: how many questions have a score.
        missing: how many should have one and have none.
        not_applicable: how many have none because the metric has no meaning for them.
    """

    mean: float | None
    stderr: float | None
    low: float | None
    high: float | None
    scored: int
    missing: int
    not_applicable: int = 0

    @property
    def coverage(self) -> float:
        """Share of the questions that should have a score and have one."""
        wanted = self.scored + self.missing
        return self.scored / wanted if wanted else 1.0


@dataclass(frozen=True)
class ArmResult:
    """An arm with all its rows, or the reason why it has none.

    Attributes:
        arm: the arm.
        rows: one for each question, in the golden dataset's order.
        error: why the whole arm failed, empty if it ran.
        offline: whether an offline model answered or judged.
        calls: model calls that the arm's results rest on, by stage (generate, judge).
    """

    arm: Arm
    rows: tuple[Row, ...] = ()
    error: str = ""
    offline: bool = False
    calls: Mapping[str, int] = field(default_factory=dict)

    def summary(self, metric: str) -> Summary:
        """Mean, interval and coverage of one metric."""
        return summarise(row.score(metric) for row in self.rows)

    @property
    def dollars(self) -> float:
        """What the arm's answers cost when they were first computed (the judge not counted)."""
        return math.fsum(row.answer.dollars for row in self.rows if row.answer)

    def seconds(self, share: float) -> float | None:
        """Quantile of the seconds from question to whole answer, such as 0.5 or 0.95."""
        measured = sorted(row.answer.seconds for row in self.rows if row.answer)
        if not measured:
            return None
        return measured[min(len(measured) - 1, math.ceil(share * len(measured)) - 1)]


@dataclass(frozen=True)
class Figures:
    """What a run takes: foretold by a plan, or counted by the run itself.

    Attributes:
        model_calls: chat requests that are answered.
        calls: the same by what they are for: golden, generate, or the metric that asks.
        input_tokens: of all prompts, as the models' servers count them.
        output_tokens: of all answers.
        embedded_texts: texts that are embedded.
        embedding_requests: requests to embedding models over HTTP.
        embedding_tokens: tokens of the texts that they embed.
        dollars: of all models whose price is known; ``None`` if there are calls and no price at all.
        asking_seconds: from the first model call to the end of the last.
        seconds: of the whole run.
    """

    model_calls: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    embedded_texts: int = 0
    embedding_requests: int = 0
    embedding_tokens: int = 0
    dollars: float | None = 0.0
    asking_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Usage(Figures):
    """What one run itself did, and what it found done.

    Attributes:
        dollars: what the model calls of this run cost, those of ``unpriced`` models left out.
        reused: model calls and embedded texts that the ledger answered instead.
        unpriced: names of models that cost an amount which the study does not tell.
    """

    dollars: float = 0.0
    reused: int = 0
    unpriced: tuple[str, ...] = ()


def summarise(scores: Iterable[Score]) -> Summary:
    """Mean, standard error and 95 % interval of the scores that exist.

    The interval is Student's t on the mean over questions, without assuming that the metric is normal
    beyond the central limit theorem.

    >>> summary = summarise([Score("mrr", 1.0), Score("mrr", 0.5), Score("mrr", reason="judge failed")])
    >>> summary.mean, summary.scored, summary.missing, round(summary.coverage, 2)
    (0.75, 2, 1, 0.67)
    """
    scores = list(scores)
    values = [score.value for score in scores if score.value is not None]
    missing = sum(1 for score in scores if score.missing)
    not_applicable = len(scores) - len(values) - missing
    if not values:
        return Summary(None, None, None, None, 0, missing, not_applicable)
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Summary(mean, None, None, None, len(values), missing, not_applicable)
    from scipy.special import stdtrit  # without scipy.stats, which every trial would import for this alone

    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    stderr = math.sqrt(variance / len(values))
    half = float(stdtrit(len(values) - 1, 0.975)) * stderr
    return Summary(mean, stderr, mean - half, mean + half, len(values), missing, not_applicable)
