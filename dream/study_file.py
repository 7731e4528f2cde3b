"""Reads a study file, and answers every mistake in it with its line, the value seen and what is allowed."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from dream.errors import DreamError, StudyError
from dream.storage import open_storage
from dream.study import ENVIRONMENT_VARIABLE, Chat, Embedding, Study, field_name

Location = tuple[str | int, ...]


def load_study(path: str | Path, environment: Mapping[str, str] | None = None, **changes: Any) -> Study:
    """Read and check a study file.

    Args:
        path: the YAML file, or ``s3://bucket/key``; the paths in one in a bucket must be addresses too.
        environment: where ``${NAME}`` is looked up; the process's environment if not given.
        changes: fields that are to be others than in the file; a mapping changes only what it names, as
            in ``load_study("study.yaml", search={"method": ["chunks"]})``.

    Raises:
        StudyError: the file is missing, is no YAML, or says something that is not allowed; the message has
            one line for each mistake: file and line, field, value seen, what to do.
    """
    environment = os.environ if environment is None else environment
    text, path = _text_of(path), Path(path)
    tree = _parsed(path, text)
    lines = {field_name(location): line for location, line in _lines(tree)}
    unset: list[tuple[Location, str]] = []
    try:
        plain = yaml.SafeLoader("").construct_document(tree)
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    if changes:
        plain = _changed(plain, changes)
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    values = _filled(plain, environment, (), unset)
    try:
        study = Study.model_validate(values)
    except ValidationError as error:
        named = dict(unset)
        raise StudyError.of([_told(found, path, tree, lines, named) for found in error.errors()]) from None
    study._file, study._text, study._lines = path.resolve(), text, lines
    problems = [*_unset(study, unset, environment), *_inconsistent(study), *_missing(study)]
    if problems:
        raise StudyError.of(problems)
    return study


def _text_of(path: str | Path) -> str:
    address = str(path)
    if address.startswith("s3:/"):
        # a Path has lost one of the two slashes
        folder, _, name = f"s3://{address.removeprefix('s3:').lstrip('/')}".rpartition("/")
        return open_storage(folder).get(name).decode("utf-8", "replace")
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyError("there is no such file", str(path), "write one with: dream init") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot be read ({error})", str(path), "give a UTF-8 text file") from None


def _changed(value: Any, changes: Any) -> Any:
    """The value with the changes in it, mappings within mappings too.

    >>> _changed({"name": "a", "search": {"method": ["x"], "llm": ["y"]}}, {"search": {"llm": ["z"]}})
    {'name': 'a', 'search': {'method': ['x'], 'llm': ['z']}}
    """
    if not (isinstance(value, dict) and isinstance(changes, dict)):
        return changes
    return {**value, **{key: _changed(value.get(key), change) for key, change in changes.items()}}


def _parsed(path: Path, text: str) -> yaml.Node:
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    except RecursionError:
        raise _endless(path) from None
    if not isinstance(tree, yaml.MappingNode):
        raise StudyError("holds no study", path.name, "write one with: dream init")
    try:
        doubled = next(_doubled(tree), None)
    except RecursionError:
        raise _endless(path) from None
    if doubled:
        location, line = doubled
        raise StudyError(
            "the key stands twice", f"{path.name}:{line} {field_name(location)}", "keep one of them"
        )
    return tree


def _endless(path: Path) -> StudyError:
    what = "is nested too deeply, or an alias stands within its own anchor"
    return StudyError(what, path.name, "write out what the alias stands for")


def _not_yaml(path: Path, error: yaml.YAMLError) -> StudyError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path.name}:{mark.line + 1}" if mark else path.name
    what = getattr(error, "problem", None) or str(error)
    return StudyError(f"is not valid YAML: {what}", where, "mend the line; indent with spaces")


def _lines(node: yaml.Node, location: Location = ()) -> Iterator[tuple[Location, int]]:
    """The line, from 1, of every field in the file."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # a list as a key, which the loader refuses
            yield (*location, key.value), key.start_mark.line + 1
            yield from _lines(value, (*location, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield (*location, position), value.start_mark.line + 1
            yield from _lines(value, (*location, position))


def _doubled(node: yaml.Node) -> Iterator[tuple[Location, int]]:
    seen = set()
    for location, line in _lines(node):
        if location in seen:
            yield location, line
        seen.add(location)


def _filled(
    value: Any, environment: Mapping[str, str], at: Location, unset: list[tuple[Location, str]]
) -> Any:
    """The values with ``${NAME}`` and ``${NAME:-default}`` filled in; keys are secrets and stay names."""
    if isinstance(value, dict):
        return {key: _filled(item, environment, (*at, key), unset) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, environment, (*at, place), unset) for place, item in enumerate(value)]
    if not isinstance(value, str) or at[-1:] == ("api_key",):
        return value

    def fill(found: Any) -> str:
        name, default = found.group(1), found.group(2)
        if name in environment:
            return environment[name]
        if default is None:
            unset.append((at, name))
            # any text that passes the field's own check, so that the other mistakes are told as well
            return "http://unset" if at[-1:] == ("base_url",) else str(found.group(0))
        return str(default)

    return ENVIRONMENT_VARIABLE.sub(fill, value)


def _told(
    found: Any, path: Path, tree: yaml.Node, lines: Mapping[str, int], unset: Mapping[Location, str]
) -> DreamError:
    """One of pydantic's errors in our words."""
    location = _in_file(found["loc"], tree)
    context = found.get("ctx", {})
    kind, seen = found["type"], found["input"]
    if kind == "unknown_key":
        location = (*location, context["key"])
        allowed = str(context["allowed"]).split(", ")
        close = difflib.get_close_matches(str(context["key"]), allowed, n=1)
        what = f"unknown key '{context['key']}'"
        todo = (f"did you mean '{close[0]}'? " if close else "") + f"allowed are {', '.join(allowed)}"
    elif kind == "missing":
        location = (*location, *found["loc"][-1:])
        what, todo = "is missing", "add it"
    elif location in unset:
        what, todo = _not_set(unset[location])
    elif kind == "union_tag_not_found":
        what, todo = "has no provider", f"add provider: one of {', '.join(_providers(location))}"
    elif kind == "union_tag_invalid":
        location = (*location, "provider")
        what, todo = f"'{context['tag']}' is not a provider", f"allowed are {context['expected_tags']}"
    elif kind == "key_in_file" or location[-1:] == ("api_key",):
        what, todo = "a key must not stand in a file", "write the name of an environment variable as ${NAME}"
    elif kind == "literal_error":
        what, todo = f"{seen!r} is not allowed", f"allowed are {context['expected']}"
    elif kind in {"model_type", "model_attributes_type", "dict_type"}:
        what, todo = f"{seen!r} is not a mapping", "write it as key: value"
    else:
        message = found["msg"]
        shown = "" if isinstance(seen, dict | list) and len(seen) > 3 else f"{seen!r}: "
        what, _, todo = f"{shown}{message[:1].lower()}{message[1:]}".partition("; ")
    known: Location = location
    while known and field_name(known) not in lines:
        known = known[:-1]
    line = lines.get(field_name(known), 1)
    return DreamError(what, f"{path.name}:{line} {field_name(location)}".rstrip(), todo)


def _providers(location: Location) -> list[str]:
    """What may be the provider of a model at that place."""
    union, _ = get_args(Embedding if "embeddings" in location else Chat)
    return [get_args(model.model_fields["provider"].annotation)[0] for model in get_args(union)]


def _in_file(location: Location, node: yaml.Node) -> Location:
    """Pydantic's location without the parts that name a union's branch and stand nowhere in the file."""
    kept: list[str | int] = []
    for part in location:
        if isinstance(node, yaml.MappingNode):
            child = next((value for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            child = node.value[part] if part < len(node.value) else None
        else:
            child = None
        if child is not None:
            kept.append(part)
            node = child
    return tuple(kept)


def used_models(study: Study) -> set[tuple[str, str]]:
    """The models that the study's run would call, as ("llms", name) or ("embeddings", name)."""
    llms = {("llms", name) for name in [*study.search.llm, study.models.judge]}
    return llms | {("embeddings", name) for name in [*study.search.embedding, study.judge_embedding]}


def unpriced_models(study: Study) -> list[str]:
    """Names of models that the run would call and pay an amount for that the study does not tell."""
    used = ((name, getattr(study.models, group).get(name)) for group, name in sorted(used_models(study)))
    return [name for name, model in used if getattr(model, "prices", 0) is None]


def _unset(
    study: Study, unset: list[tuple[Location, str]], environment: Mapping[str, str]
) -> Iterator[DreamError]:
    """Environment variables that are named and not set, in all parts that the run would use."""
    used = used_models(study)
    for location, name in unset:
        if location[0] != "models" or len(location) < 3 or location[1:3] in used:
            what, todo = _not_set(name)
            yield DreamError(what, study.where(*location), todo)
    for group, label in sorted(used):
        model = getattr(study.models, group).get(label)
        key = getattr(model, "api_key", None)
        found = ENVIRONMENT_VARIABLE.fullmatch(key) if key else None
        if found and not environment.get(found.group(1), found.group(2)):
            what, todo = _not_set(found.group(1))
            yield DreamError(what, study.where("models", group, label, "api_key"), todo)


def _not_set(name: str) -> tuple[str, str]:
    return f"the environment variable {name} is not set", f"export {name}=…"


def _inconsistent(study: Study) -> Iterator[DreamError]:
    """Names that are used and not defined."""
    models = study.models
    named: list[tuple[Location, str, list[str]]] = [
        (("models", "judge"), models.judge, list(models.llms)),
        (("models", "judge_embedding"), study.judge_embedding, list(models.embeddings)),
        *((("search", "llm", place), name, list(models.llms)) for place, name in enumerate(study.search.llm)),
        *(
            (("search", "embedding", place), name, list(models.embeddings))
            for place, name in enumerate(study.search.embedding)
        ),
    ]
    for location, name, allowed in named:
        if name not in allowed and not ENVIRONMENT_VARIABLE.search(name):  # an unset one is told already
            todo = f"allowed are {', '.join(allowed)}"
            yield DreamError(f"'{name}' is not defined", study.where(*location), todo)
    if study.objective not in study.metrics:
        # Where the study leaves the objective out, its metrics are what the reader has to look at.
        where = study.where("objective" if "objective" in study.model_fields_set else "metrics")
        todo = f"set objective to one of: {', '.join(study.metrics)}"
        yield DreamError(f"the objective '{study.objective}' is not among the metrics", where, todo)


def _missing(study: Study) -> Iterator[DreamError]:
    """Files and folders that are named and not there; s3:// addresses are looked at when they are read."""
    corpus = study.path(study.corpus)
    if ENVIRONMENT_VARIABLE.search(corpus):
        pass  # it is told already that the variable is not set
    elif "://" not in corpus and not Path(corpus).is_dir():
        yield DreamError(f"there is no folder {corpus}", study.where("corpus"), "give a folder of documents")
    elif "://" in corpus and not corpus.startswith("s3://"):
        yield DreamError(
            f"{corpus!r} is no known kind of address", study.where("corpus"), "give s3://bucket/prefix"
        )
    files: list[tuple[Location, str]] = [
        *((("golden", "files", place), file.path) for place, file in enumerate(study.golden.files)),
        *((("modules", place), module) for place, module in enumerate(study.modules)),
    ]
    for location, named in files:
        path = study.path(named)
        if "://" not in path and not ENVIRONMENT_VARIABLE.search(path) and not Path(path).is_file():
            yield DreamError(f"there is no file {path}", study.where(*location), "mend the path")
