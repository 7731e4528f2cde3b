"""What Prometheus sees of a running study is what the dashboard and the alerts ask for."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from dream.models.offline import Faults, ServerOptions, start
from tests.servers.ray import ray_cluster
from tests.sweep.shell import SEARCH, dream_command, environment, served, small_study

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "dream-ray"
METRIC = re.compile(r"\bray_[a-z_]+")
VALUE = re.compile(r'^(ray_dream_study_\w+){.*study="small".*} (\S+)$', re.MULTILINE)


def asked() -> set[str]:
    """The metrics that the dashboard and the alerts name."""
    panels = json.loads((CHART / "dashboards/study.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    alerts = (CHART / "templates/monitoring.yaml").read_text()
    return {name for text in [*expressions, alerts] for name in METRIC.findall(text)}


def scraped(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (OSError, urllib.error.URLError):
        return ""


@pytest.mark.servers
def test_every_metric_of_dashboard_and_alerts_is_served_while_a_study_runs(
    tmp_path: Path,
) -> None:
    faults = Faults(latency=0.5, rate_limited=0.05, failing=0.05)
    with start(ServerOptions(faults=faults)) as server, ray_cluster({}) as cluster:
        more = "limits: {dollars: 5, calls_at_once: 4}"
        study = small_study(tmp_path, models=served(server.url), search=SEARCH, more=more)
        command = dream_command("run", study, "--storage", tmp_path / "store", "--quiet", "--json")
        env = environment(cluster.environment())
        with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL) as run:
            seen: set[str] = set()
            figures: dict[str, float] = {}
            while run.poll() is None:
                text = scraped(cluster.metrics)
                seen |= set(METRIC.findall(text))
                figures |= {name: float(value) for name, value in VALUE.findall(text)}
                time.sleep(0.5)
    assert run.returncode == 0
    assert asked() <= seen, f"nobody serves {asked() - seen}"
    assert figures["ray_dream_study_questions"] == 4 * 6
    assert figures["ray_dream_study_trials"] == 4
    assert figures["ray_dream_study_dollars_allowed"] == 5
    # Ray collects every few seconds, so the last ones may not be seen.
    assert 0 < figures["ray_dream_study_questions_done"] <= 4 * 6
    assert figures["ray_dream_study_model_calls"] > 0
