"""The upgrade diff shows what changes and says what Kubernetes would refuse."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .chart_diff import main

CHART = "apiVersion: v2\nname: store\nversion: {version}\nappVersion: {version}\n"
TEMPLATE = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  replicas: {{ .Values.replicas }}
  volumeClaimTemplates:
    - {metadata: {name: data}, spec: {resources: {requests: {storage: {{ .Values.size }}}}}}
  template: {metadata: {labels: {app: store}}, spec: {containers: [{name: store, image: "store:1.0.0"}]}}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose chart `store` has a version 0.1.0, committed and tagged."""
    write(tmp_path, version="0.1.0", size="1Gi", replicas=1)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "one")
    git(tmp_path, "tag", "v0.1.0")
    return tmp_path


def write(root: Path, *, version: str, size: str, replicas: int) -> None:
    chart = root / "charts" / "store"
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    (chart / "Chart.yaml").write_text(CHART.format(version=version))
    (chart / "values.yaml").write_text(f"size: {size}\nreplicas: {replicas}\n")
    (chart / "templates" / "store.yaml").write_text(TEMPLATE)


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", root, *arguments], check=True)


def test_nothing_changed(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["v0.1.0", "--repository", str(repository)]) == 0
    assert capsys.readouterr().out == "store: no resources changed\n"


def test_a_change_in_place_is_shown(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository, version="0.2.0", size="1Gi", replicas=3)
    assert main(["v0.1.0", "--repository", str(repository)]) == 0
    shown = capsys.readouterr().out
    assert "store: 1 resource changed" in shown
    assert "-  replicas: 1" in shown and "+  replicas: 3" in shown


def test_a_change_that_is_refused_is_an_error(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository, version="0.2.0", size="2Gi", replicas=1)
    assert main(["v0.1.0", "--repository", str(repository)]) == 1
    said = capsys.readouterr().err
    assert said == "REFUSED: spec.volumeClaimTemplates of StatefulSet store cannot be changed in place\n"


def test_one_can_look_with_own_values(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    write(repository, version="0.2.0", size="2Gi", replicas=1)
    own = tmp_path_factory.mktemp("own") / "values.yaml"
    own.write_text("size: 5Gi\n")
    assert main(["v0.1.0", "--repository", str(repository), "--values", str(own)]) == 0


def test_an_unknown_revision_is_said(repository: Path) -> None:
    with pytest.raises(SystemExit, match=r"v9\.9\.9"):
        main(["v9.9.9", "--repository", str(repository)])
