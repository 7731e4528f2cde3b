"""Each chart's README says what its values.yaml says, and its schema knows the same keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from .chart_readme import Undescribed, described, introduction, readme
from .render import charts


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_readme_is_current(chart: Path) -> None:
    written = (chart / "README.md").read_text() if (chart / "README.md").exists() else ""
    assert written == readme(chart), "run: python -m tests.manifests.chart_readme"


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_schema_knows_exactly_the_values(chart: Path) -> None:
    schema = json.loads((chart / "values.schema.json").read_text())
    values = yaml.safe_load((chart / "values.yaml").read_text())
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) - {"global"} == set(values)


def test_comments_become_rows() -> None:
    text = """# What the chart is about.

image:
  # -- Where it lies,
  # and where else
  repository: ghcr.io/a
  # -- Which
  tag: "1"
# -- As Kubernetes writes it
resources:
  limits: {cpu: 1}
# -- Long
# @default -- see values.yaml
parts:
  a: {b: c}
"""
    rows = [(".".join(v.path), v.description, v.default) for v in described(text)]
    assert rows == [
        ("image.repository", "Where it lies, and where else", '"ghcr.io/a"'),
        ("image.tag", "Which", '"1"'),
        ("resources", "As Kubernetes writes it", '{"limits": {"cpu": 1}}'),
        ("parts", "Long", "see values.yaml"),
    ]
    assert introduction(text) == "What the chart is about."


@pytest.mark.parametrize(
    "text", ["replicas: 1", "image:\n  # -- Which\n  tag: a\n  digest: b", "# note\nreplicas: 1"]
)
def test_an_undescribed_key_is_found(text: str) -> None:
    with pytest.raises(Undescribed):
        described(text)
