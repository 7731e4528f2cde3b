"""What a metric is: a function whose parameters say what it needs.

A metric of one's own is a function in a file that the study names under ``modules``::

    from dream.metrics import metric

    @metric
    def says_so(answer: str) -> float:
        return float("do not say" in answer)

It may ask for any of the names in NEEDS, be ``async``, and give a number, or a number and a reason.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

from dream.cells import from_notebook
from dream.errors import DreamError, NotApplicable, StorageError, StudyError
from dream.ledger import Ledger
from dream.models.chat import ChatModel
from dream.models.embedding import Embedder
from dream.modules import same_file
from dream.records import Answer, Question, Score

FAMILIES = ("ragas", "retrieval", "text", "cost")

BUILT_IN = (
    "faithfulness", "answer_relevancy", "context_precision", "context_recall", "answer_correctness",
    "answer_similarity", "recall_at_k", "precision_at_k", "mrr", "ndcg", "exact_match", "f1",
    "tokens_per_question", "dollars_per_question", "seconds_per_question",
)  # fmt: skip

NEEDS = {
    "question": "the question, as text",
    "reference": "the reference answer, as text",
    "answer": "what the arm answered, as text",
    "contexts": "the retrieved chunks' texts, best first",
    "retrieved": "the retrieved chunks, best first",
    "evidence": "the spans that hold the answer; the metric does not apply where there are none",
    "k": "how many retrieved chunks to look at",
    "reply": "the whole Answer, with its tokens, dollars and seconds",
    "judge": "the judge: a chat model and an embedding behind ragas' interfaces",
}

Scorer = TypeVar("Scorer", bound=Callable[..., Any])


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes:
        name: the function's name.
        compute: the function.
        needs: its parameters, each one of NEEDS.
        higher_is_better: False for costs, which cannot be an objective.
    """

    name: str
    compute: Callable[..., Any]
    needs: tuple[str, ...]
    higher_is_better: bool = True


@dataclass(frozen=True)
class Judge:
    """The models that judge; ``None`` embeds or asks nothing where a metric does not need it.

    Attributes:
        chat: the model that is asked.
        embedder: the embedding that compares answers.
        ledger: where the model's answers are recorded.
        judgings: how often each answer is judged.
        judging: which of them this is, from 0; equal requests of two judgings are asked twice.
        metric: name of the metric that asks, by which its calls are counted.
    """

    chat: ChatModel
    embedder: Embedder
    ledger: Ledger
    judgings: int = 1
    judging: int = 0
    metric: str = "judge"


_metrics: dict[str, Metric] = {}


@overload
def metric(compute: Scorer) -> Scorer: ...
@overload
def metric(*, higher_is_better: bool) -> Callable[[Scorer], Scorer]: ...
def metric(compute: Any = None, *, higher_is_better: bool = True) -> Any:
    """Register a function as a metric under its own name.

    Raises:
        StudyError: a parameter is not one of NEEDS, or another module has a metric of that name.
    """

    def register(function: Scorer) -> Scorer:
        needs = tuple(inspect.signature(function).parameters)
        for need in needs:
            if need not in NEEDS:
                where = f"metric {function.__name__}"
                raise StudyError(f"it asks for '{need}'", where, f"it may ask for {', '.join(NEEDS)}")
        name = function.__name__
        known = _metrics.get(name)
        ours = name in BUILT_IN and not function.__module__.startswith("dream.metrics.")
        if ours or (known is not None and not same_file(known.compute.__module__, function.__module__)):
            raise StudyError(f"two metrics are named '{name}'", function.__module__, "rename the function")
        _metrics[name] = Metric(name, function, needs, higher_is_better)
        return function

    return register(compute) if compute is not None else register


def find_metric(name: str) -> Metric:
    """The registered metric.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in _metrics and name in BUILT_IN:
        _load_built_in()
    return _metrics[name]


def metric_names() -> list[str]:
    """All registered names, DREAM's own first.

    >>> "mrr" in metric_names()
    True
    """
    return [*BUILT_IN, *(name for name in _metrics if name not in BUILT_IN)]


def notebook_metrics() -> list[Metric]:
    """The registered metrics that were written in a notebook."""
    return [found for found in _metrics.values() if from_notebook(found.compute)]


def load_judging(names: Sequence[str]) -> None:
    """Import what these metrics need to ask a judge, if any does.

    ragas takes seconds to import, in which nothing of an event loop goes on: call it before anything is
    asked. Not in a thread beside it, for two that import what imports each other may find half a module.
    """
    if any("judge" in find_metric(name).needs for name in names):
        importlib.import_module("dream.models.recorded")
        importlib.import_module("ragas.metrics.collections")


def _load_built_in() -> None:
    for family in FAMILIES:
        importlib.import_module(f"dream.metrics.{family}")


async def score_answer(metric: Metric, question: Question, answer: Answer, k: int, judge: Judge) -> Score:
    """One score; whatever goes wrong becomes a missing score with its reason.

    Args:
        metric: what to measure.
        question: what was asked, with its reference and evidence.
        answer: what the arm answered.
        k: how many retrieved chunks the retrieval metrics look at.
        judge: for the metrics that ask a model; asked as often as it says, and the score is the mean.
    """
    if "judge" in metric.needs and judge is not None and judge.judgings > 1:
        once = [replace(judge, judgings=1, judging=number) for number in range(judge.judgings)]
        return _mean_of(
            await asyncio.gather(*(score_answer(metric, question, answer, k, each) for each in once))
        )
    given: dict[str, Any] = {
        "question": question.question,
        "reference": question.reference,
        "answer": answer.text,
        "contexts": [chunk.text for chunk in answer.contexts],
        "retrieved": answer.contexts,
        "evidence": question.evidence,
        "k": k,
        "reply": answer,
        "judge": replace(judge, metric=metric.name) if judge else judge,
    }
    if "evidence" in metric.needs and not question.evidence:
        why = "no evidence was located" if question.answerable else "the documents hold no answer"
        return Score(metric.name, reason=why, applicable=False)
    try:
        found = metric.compute(**{need: given[need] for need in metric.needs})
        if inspect.isawaitable(found):
            found = await found
    except NotApplicable as error:
        return Score(metric.name, reason=str(error), applicable=False)
    except StorageError:
        raise  # what cannot be recorded must not be paid for, so the run ends
    except DreamError as error:
        return Score(metric.name, reason=str(error))
    except Exception as error:  # noqa: BLE001 - a metric of any author; its failure is a missing score
        return Score(metric.name, reason=f"{type(error).__name__}: {error}"[:500])
    value, reason = found if isinstance(found, tuple) and len(found) == 2 else (found, "")
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return Score(metric.name, reason=f"the metric gave {value!r}, which is no number"[:500])
    if not math.isfinite(number):
        return Score(metric.name, reason=str(reason) or "the metric gave no number")
    return Score(metric.name, number, str(reason))


def _mean_of(scores: Sequence[Score]) -> Score:
    """One score of several judgings; where one is missing, all are, or means would differ in their noise."""
    values = [score.value for score in scores if score.value is not None]
    if len(values) < len(scores):
        return next(score for score in scores if score.value is None)
    told = [f"{number}. {score.reason}" for number, score in enumerate(scores, start=1) if score.reason]
    mean = math.fsum(values) / len(values)
    return Score(scores[0].metric, mean, "\n".join(told), judgings=tuple(values))
