"""Renders what Argo CD would render: charts by Helm, folders by kustomize, and all parts of an overlay.

A *case* is one thing that can be rendered, named so that a failing test says what to look at:
``charts/minio``, ``charts/dream-ray + static``, ``production: mlflow``.
"""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .programs import ROOT, program

Document = Mapping[str, Any]

CHARTS = ROOT / "charts"
APPS = ROOT / "argocd" / "apps"
OVERLAYS = ROOT / "argocd" / "overlays"
VARIANTS = Path(__file__).with_name("variants")

REPOSITORY = "https://git.example.org/dream.git"

# What people will put together; every overlay also stands alone.
COMBINATIONS = (
    ("laptop", "silo"),
    ("laptop", "gpu"),
    ("production", "external-secrets"),
    ("production", "sealed-secrets", "gpu"),
    ("external-secrets", "seaweedfs"),
)


@dataclass(frozen=True)
class Case:
    """One rendering: its name, where its files lie, its text and its resources."""

    name: str
    source: str
    text: str
    documents: tuple[Document, ...]

    @property
    def deployed(self) -> tuple[Document, ...]:
        """Its resources without the Pods of ``helm test``, which Argo CD leaves out."""
        return tuple(d for d in self.documents if not is_helm_test(d))


def is_helm_test(document: Document) -> bool:
    hook = (document["metadata"].get("annotations") or {}).get("helm.sh/hook", "")
    return "test" in hook.split(",")


def describe(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def charts() -> list[Path]:
    """Folders of our own charts, the root application's among them."""
    found = sorted(p.parent for p in CHARTS.glob("*/Chart.yaml")) if CHARTS.exists() else []
    return [*found, APPS]


def overlays() -> list[str]:
    """Names of the overlays."""
    return sorted(p.parent.name for p in OVERLAYS.glob("*/values.yaml"))


def overlay_sets() -> list[tuple[str, ...]]:
    """Nothing, each overlay alone, and the combinations."""
    return [(), *((name,) for name in overlays()), *COMBINATIONS]


def title(names: Sequence[str]) -> str:
    return "+".join(names) or "base"


def run_helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("helm"), *arguments], capture_output=True, text=True, check=False)


def template(
    chart: Path,
    release: str,
    *,
    namespace: str = "dream",
    files: Sequence[Path] = (),
    values: Mapping[str, Any] | None = None,
) -> subprocess.CompletedProcess[str]:
    """``helm template`` as Argo CD calls it; the caller judges the exit status."""
    arguments: list[str | Path] = [
        "template", release, chart, "--namespace", namespace, "--kube-version", "1.36.0", "--include-crds",
    ]  # fmt: skip
    for file in files:
        arguments += ["--values", file]
    if not values:
        return run_helm(*arguments)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as inline:
        json.dump(values, inline)
        inline.flush()
        return run_helm(*arguments, "--values", inline.name)


def rendered(done: subprocess.CompletedProcess[str], what: str) -> str:
    assert done.returncode == 0, f"{what} does not render:\n{done.stderr}"
    return done.stdout


def documents(text: str) -> tuple[Document, ...]:
    """The resources of a rendering, in its order."""
    loaded = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return tuple(document for document in loaded if document)


@functools.cache
def kustomize(folder: Path) -> str:
    done = subprocess.run(
        [program("kubectl"), "kustomize", folder], capture_output=True, text=True, check=False
    )
    return rendered(done, str(folder))


@functools.cache
def applications(names: tuple[str, ...]) -> tuple[Document, ...]:
    """The Applications that the root application makes with these overlays, by wave."""
    return tuple(sorted(documents(root_text(names)), key=wave))


@functools.cache
def root_text(names: tuple[str, ...]) -> str:
    done = template(
        APPS,
        "dream",
        namespace="argocd",
        files=[APPS / "values.yaml", *(OVERLAYS / name / "values.yaml" for name in names)],
        values={"repository": {"url": REPOSITORY, "revision": "main"}},
    )
    return rendered(done, f"the root application with {title(names)}")


def wave(application: Document) -> int:
    return int(application["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])


def from_here(application: Document) -> bool:
    """Whether a part lies in this repository and not in somebody's Helm repository."""
    return "path" in application["spec"]["source"]


@functools.cache
def render_source(source_json: str, release: str, namespace: str) -> str:
    """Render a part; cached by its content, as most parts are the same in most overlays."""
    source = json.loads(source_json)
    folder = ROOT / source["path"]
    if "helm" in source:
        assert (folder / "Chart.yaml").exists(), f"{source['path']} holds no chart"
        done = template(folder, release, namespace=namespace, values=source["helm"].get("valuesObject"))
        return rendered(done, f"{source['path']} as {release}")
    if "directory" in source:
        return "".join(f"---\n{file.read_text()}" for file in sorted(folder.glob("*.yaml")))
    return kustomize(folder)


@functools.cache
def overlay_cases(names: tuple[str, ...]) -> tuple[Case, ...]:
    """Every part of these overlays that lies in this repository, and the Applications themselves."""
    cases = [case(f"{title(names)}: applications", "argocd/apps", root_text(names))]
    for application in filter(from_here, applications(names)):
        source, name = application["spec"]["source"], application["metadata"]["name"]
        text = render_source(json.dumps(source), name, application["spec"]["destination"]["namespace"])
        cases.append(case(f"{title(names)}: {name}", source["path"], text))
    return tuple(cases)


@functools.cache
def chart_cases() -> tuple[Case, ...]:
    """Every chart as it comes, and in each of its variants."""
    cases = []
    for chart in charts():
        if chart == APPS:
            continue
        text = rendered(template(chart, chart.name), str(chart))
        cases.append(case(f"charts/{chart.name}", f"charts/{chart.name}", text))
        for variant in sorted(VARIANTS.glob(f"{chart.name}.*.yaml")):
            text = rendered(template(chart, chart.name, files=[variant]), variant.name)
            suffix = variant.name.removeprefix(f"{chart.name}.").removesuffix(".yaml")
            cases.append(case(f"charts/{chart.name} + {suffix}", f"charts/{chart.name}", text))
    return tuple(cases)


def case(name: str, source: str, text: str) -> Case:
    return Case(name, source, text, documents(text))


def all_cases() -> Iterator[Case]:
    yield from chart_cases()
    for names in overlay_sets():
        yield from overlay_cases(names)
