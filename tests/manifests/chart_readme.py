"""Writes each chart's README from its Chart.yaml and the comments in its values.yaml.

    python -m tests.manifests.chart_readme

A comment ``# -- text`` above a key describes it; lines that follow the first continue it; ``# @default --
text`` replaces a default that is too long to show. A key without a comment shares that of the map it is in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .render import charts

KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z0-9_.$-]+|\"[^\"]+\"):(\s|$)")


@dataclass(frozen=True)
class Value:
    """One described key: its path, what it is for, and its default as JSON (or in words)."""

    path: tuple[str, ...]
    description: str
    default: str


class Undescribed(ValueError):
    """A key of values.yaml has no comment, and no map around it has one."""


def described(text: str) -> list[Value]:
    """The described keys of a values file, in its order.

    >>> described("# -- How many\\nreplicas: 1")
    [Value(path=('replicas',), description='How many', default='1')]

    Raises:
        Undescribed: a key has no description.
    """
    values = yaml.safe_load(text) or {}
    found: list[Value] = []
    described_paths: set[tuple[str, ...]] = set()
    for path, description, default in _commented(text):
        around = (path[:length] for length in range(1, len(path)))
        if any(parent in described_paths for parent in around) and not description:
            continue
        value = _look_up(values, path)
        if description:
            described_paths.add(path)
            found.append(Value(path, description, default or json.dumps(value)))
        elif not isinstance(value, dict) or not value:
            raise Undescribed(f"{'.'.join(path)} has no `# --` comment")
    # A map whose keys are described one by one needs no line with all of them in its default.
    return [
        value
        if not any(other.path[: len(value.path)] == value.path and other != value for other in found)
        else Value(value.path, value.description, "see below")
        for value in found
    ]


def _commented(text: str) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Path, description and worded default of each key that stands on a line of its own."""
    parents: list[tuple[int, str]] = []
    comment: list[str] = []
    default = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# @default -- "):
            default = stripped.removeprefix("# @default -- ")
        elif stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and comment:
            comment.append(stripped.lstrip("#").strip())
        elif match := KEY.match(line):
            indent = len(match["indent"])
            parents = [parent for parent in parents if parent[0] < indent]
            parents.append((indent, match["key"].strip('"')))
            yield tuple(key for _, key in parents), " ".join(comment), default
            comment, default = [], ""
        elif not stripped.startswith("#"):
            # A blank line or a list item: what stood above described something else.
            comment, default = [], ""


def _look_up(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            raise Undescribed(f"{'.'.join(path)} is not a key of the file: is it in a block of text?")
        found = found[key]
    return found


def introduction(text: str) -> str:
    """The comment that a values file begins with, as paragraphs; empty when it begins with a key's."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#") or line.startswith("# -- "):
            break
        lines.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(lines).strip()


def readme(chart: Path) -> str:
    """The text of a chart's README.md."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    text = (chart / "values.yaml").read_text()
    rows = [
        f"| `{'.'.join(v.path)}` | {_cell(v.description)} | {_code(v.default)} |" for v in described(text)
    ]
    parts = [
        f"# {about['name']} {about['version']}",
        f"{about['description'].strip()} (for {about['name']} {about['appVersion']})"
        if str(about["appVersion"]) != str(about["version"])
        else about["description"].strip(),
        introduction(text),
        "## Values",
        "\n".join(["| key | what it is | default |", "| --- | --- | --- |", *rows]),
        *_definitions(chart),
        "Made from the comments in values.yaml by `python -m tests.manifests.chart_readme`; edit those.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _definitions(chart: Path) -> Iterator[str]:
    """A table for each described definition of the chart's schema: the keys of an entry of a map or list."""
    file = chart / "values.schema.json"
    if not file.exists():
        return
    schema = json.loads(file.read_text())
    for name, definition in (schema.get("definitions") or schema.get("$defs") or {}).items():
        if "description" not in definition or "properties" not in definition:
            continue
        rows = [
            f"| `{key}` | {_cell(about.get('description', ''))} |"
            for key, about in definition["properties"].items()
        ]
        yield f"### {name}: {definition['description']}"
        yield "\n".join(["| key | what it is |", "| --- | --- |", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(default: str) -> str:
    return default if default.startswith("see ") else f"`{_cell(default)}`"


def main() -> None:
    """Write every chart's README."""
    for chart in charts():
        (chart / "README.md").write_text(readme(chart))
        print(chart / "README.md")


if __name__ == "__main__":
    main()
