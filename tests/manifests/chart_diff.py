"""Shows what an upgrade of the charts changes, and what in it Kubernetes would refuse to change.

    python -m tests.manifests.chart_diff v0.1.0            # that revision against the files as they are
    python -m tests.manifests.chart_diff v0.1.0 v0.2.0 --chart minio --values my-values.yaml

Ends with 1 when a field changes that cannot be changed in place.
"""

from __future__ import annotations

import argparse
import difflib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .programs import ROOT
from .render import Document, documents, rendered, template

# Fields that an API server refuses to change; what to do about each is in docs/operations.md.
FIXED = {
    "StatefulSet": (
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
        "spec.podManagementPolicy",
    ),
    "Deployment": ("spec.selector",),
    "Job": ("spec.selector", "spec.template"),
    "Service": ("spec.clusterIP",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.volumeName"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
}


@dataclass(frozen=True)
class Change:
    """One resource that an upgrade adds, removes or changes; ``refused`` names fields that cannot change."""

    name: str
    diff: str
    refused: tuple[str, ...] = ()


def changes(old: Sequence[Document], new: Sequence[Document]) -> list[Change]:
    """What differs between two renderings, by resource.

    >>> before = {"kind": "Service", "metadata": {"name": "a"}, "spec": {"clusterIP": "None"}}
    >>> after = {"kind": "Service", "metadata": {"name": "a"}, "spec": {}}
    >>> [(change.name, change.refused) for change in changes([before], [after])]
    [('Service a', ('spec.clusterIP',))]
    """
    before, after = _by_name(old), _by_name(new)
    found = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        diff = "".join(
            difflib.unified_diff(_lines(one), _lines(other), f"{name} (now)", f"{name} (then)", n=2)
        )
        found.append(Change(name, diff, tuple(_refused(one, other))))
    return found


def _refused(old: Document | None, new: Document | None) -> Iterator[str]:
    if old is None or new is None:
        return
    # Helm and Argo CD delete a hook's Job and make it anew.
    if "helm.sh/hook" in (new["metadata"].get("annotations") or {}):
        return
    for path in FIXED.get(old["kind"], ()):
        if _field(old, path) != _field(new, path):
            yield path


def _field(document: Document, path: str) -> Any:
    found: Any = document
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _by_name(resources: Sequence[Document]) -> dict[str, Document]:
    return {f"{document['kind']} {document['metadata']['name']}": document for document in resources}


def _lines(document: Document | None) -> list[str]:
    return yaml.safe_dump(document).splitlines(keepends=True) if document else []


def charts_of(revision: str, repository: Path, target: Path) -> Path:
    """Unpack ``charts/`` of a git revision into a folder and return it."""
    packed = subprocess.run(
        ["git", "-C", repository, "archive", revision, "charts"], capture_output=True, check=False
    )
    if packed.returncode != 0:
        raise SystemExit(f"{revision}: {packed.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(target, filter="data")
    return target / "charts"


def upgrade(old: Path, new: Path, values: Sequence[Path] = ()) -> list[Change]:
    """What an upgrade from one chart folder to another changes; a chart that is missing renders nothing."""
    sides = []
    for chart in (old, new):
        there = (chart / "Chart.yaml").exists()
        text = rendered(template(chart, new.name, files=values), str(chart)) if there else ""
        sides.append(documents(text))
    return changes(*sides)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the diff of each chart; 1 when something in it would be refused."""
    parser = argparse.ArgumentParser(description="What an upgrade of the charts changes.")
    parser.add_argument("old", help="git revision that is installed")
    parser.add_argument("new", nargs="?", help="git revision to install; the files as they are when left out")
    parser.add_argument("--chart", help="only this chart")
    parser.add_argument(
        "--values", type=Path, action="append", default=[], help="values file to render both with"
    )
    parser.add_argument("--repository", type=Path, default=ROOT, help="the git repository")
    given = parser.parse_args(arguments)

    refused = False
    with tempfile.TemporaryDirectory() as folder:
        old = charts_of(given.old, given.repository, Path(folder, "old"))
        new = (
            charts_of(given.new, given.repository, Path(folder, "new"))
            if given.new
            else given.repository / "charts"
        )
        names = {path.parent.name for side in (old, new) for path in side.glob("*/Chart.yaml")}
        for name in sorted({given.chart} & names if given.chart else names):
            found = upgrade(old / name, new / name, given.values)
            print(f"{name}: {len(found) or 'no'} resource{'s' if len(found) != 1 else ''} changed")
            for change in found:
                print(change.diff)
                for field in change.refused:
                    refused = True
                    print(f"REFUSED: {field} of {change.name} cannot be changed in place", file=sys.stderr)
    return int(refused)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (pytest.skip.Exception, pytest.fail.Exception, AssertionError) as reason:
        sys.exit(str(reason))
