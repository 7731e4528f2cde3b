"""From the search space to arms: every combination, each with all its knobs checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dream.errors import DreamError, StudyError
from dream.methods import Method, find_method, method_names
from dream.metrics import find_metric, metric_names
from dream.records import digest_of
from dream.study import Study
from dream.sweep.result import Arm


def list_arms(study: Study) -> list[Arm]:
    """All arms of a study, in the order of its search space: method, then knobs, LLM, embedding.

    Raises:
        StudyError: a method, a knob or a metric is not known, or a knob's value is not allowed; the
            message has one line for each mistake.
    """
    problems = [*_unknown_methods(study), *_unknown_metrics(study)]
    if problems:
        raise StudyError.of(problems)
    arms = []
    for method in study.search.method:
        axes = _axes(study, find_method(method), study.search.knobs.get(method, {}))
        searched = tuple(knob for knob, values in axes.items() if len(values) > 1)
        for values in product(*axes.values()):
            knobs = _checked(study, method, dict(zip(axes, values, strict=True)))
            for llm, embedding in product(study.search.llm, study.search.embedding):
                models = _models(study, llm, embedding)
                arms.append(Arm(method, llm, embedding, knobs, searched, models))
    return arms


def _models(study: Study, llm: str, embedding: str) -> str:
    """Digest of what two names of models stand for; how patiently they are called does not matter."""
    patience = {"api_key", "timeout", "retries"}
    chosen = (study.models.llms[llm], study.models.embeddings[embedding])
    return digest_of([model.model_dump(mode="json", exclude=patience) for model in chosen])[:12]


def method_of(arm: Arm) -> Method:
    """The arm's method with its knobs set."""
    return find_method(arm.method)(**arm.knobs)


def _axes(study: Study, method: type[Method], knobs: dict[str, Any]) -> dict[str, list[Any]]:
    """Each given knob with the values to try."""
    axes: dict[str, list[Any]] = {}
    for knob, value in knobs.items():
        where = study.where("search", "knobs", method.label(), knob)
        field = method.model_fields.get(knob)
        if field is None:
            raise StudyError(f"unknown knob '{knob}'", where, f"allowed are {', '.join(method.model_fields)}")
        # A list is an axis, unless the knob itself is a list, such as chunk_sizes: [512, 256, 128].
        if isinstance(value, list) and not _fits(field.annotation, value):
            if not value:
                raise StudyError("the list of values is empty", where, "give one value at least")
            for item in value:
                if value.count(item) > 1:
                    raise StudyError(f"{item!r} is named twice", where, "name it once")
            axes[knob] = value
        else:
            axes[knob] = [value]
    return axes


def _fits(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


def _checked(study: Study, method: str, knobs: dict[str, Any]) -> dict[str, Any]:
    """All of the method's knobs, the given ones checked and the others at their defaults."""
    try:
        return find_method(method)(**knobs).model_dump(mode="json")
    except ValidationError as error:
        problems = []
        for found in error.errors():
            knob = str(found["loc"][0]) if found["loc"] else ""
            where = study.where("search", "knobs", method, *([knob] if knob else []))
            said = found["msg"].removeprefix("Value error, ")
            seen = "" if isinstance(found["input"], dict) else f"{found['input']!r}: "
            problems.append(DreamError(f"{seen}{said[:1].lower()}{said[1:]}", where))
        raise StudyError.of(problems) from None


def _unknown_methods(study: Study) -> Iterator[DreamError]:
    for place, name in enumerate(study.search.method):
        if name not in method_names():
            yield _unknown("method", name, method_names(), study.where("search", "method", place))
    for name in study.search.knobs:
        if name not in study.search.method:
            where = study.where("search", "knobs", name)
            allowed = ", ".join(study.search.method)
            yield DreamError(f"'{name}' is not in search.method", where, f"allowed are {allowed}")


def _unknown_metrics(study: Study) -> Iterator[DreamError]:
    for place, name in enumerate(study.metrics):
        if name not in metric_names():
            yield _unknown("metric", name, metric_names(), study.where("metrics", place))
        elif name == study.objective and not find_metric(name).higher_is_better:
            yield DreamError(f"'{name}' is a cost", study.where("objective"), "take a metric to be maximised")


def _unknown(kind: str, name: str, allowed: Sequence[str], where: str) -> DreamError:
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return DreamError(f"'{name}' is not a {kind}", where, f"{hint}allowed are {', '.join(allowed)}")
