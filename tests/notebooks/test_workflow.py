"""The study as a form, by the clock and as a RayJob: each manifest's own commands, on real servers."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests.render import documents, kustomize
from tests.notebooks.argo import ROOT, Platform, Step
from tests.notebooks.run import clean_environment
from tests.servers.mlflow import MlflowServer
from tests.servers.ray import RayCluster
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.notebooks

FOLDER = ROOT / "argocd" / "workflows"
PDFS = ROOT / "notebooks" / "documents"

STUDY = """
name: papers
corpus: ${{DREAM_CORPUS}}
golden: {{generate: {{questions: {questions}, documents_per_task: 1}}}}
models:
  llms:
    good: {{provider: offline, style: extractive}}
    poor: {{provider: offline, style: lead}}
    gone: {{provider: openai, model: x, base_url: "http://127.0.0.1:9/v1", api_key: null, retries: 0}}
  embeddings:
    hashing: {{provider: hashing, dimensions: 256}}
  judge: good
search: {{method: [chunks], llm: [{llms}], embedding: [hashing]}}
metrics: [answer_correctness, recall_at_k]
objective: answer_correctness
"""


def manifest(kind: str) -> Any:
    """A manifest as `kubectl apply -k` sends it."""
    (found,) = [each for each in documents(kustomize(FOLDER)) if each["kind"] == kind]
    return found


@pytest.fixture
def platform(cluster: RayCluster, s3: S3Server, mlflow_server: MlflowServer, tmp_path: Path) -> Platform:
    services = {
        "ray://dream-ray-head:10001": cluster.client,
        "http://mlflow:5000": mlflow_server.url,
        "http://minio:9000": s3.endpoint,
        s3.region: s3.region,
    }
    secrets = {"dream-ray-auth": {"auth_token": cluster.token}, "dream-s3": s3.environment()}
    return Platform(services, secrets, tmp_path)


def put(s3: S3Server, address: str, data: bytes | str) -> None:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    s3.client().put_object(Bucket=bucket, Key=key, Body=data)


def put_pdfs(s3: S3Server, prefix: str, *numbers: str) -> None:
    for number in numbers:
        (pdf,) = PDFS.glob(f"{number}-*.pdf")
        put(s3, f"{prefix}/{pdf.name}", pdf.read_bytes())


def errors(steps: dict[str, Step]) -> str:
    return "\n".join(f"{name}: {step.errors[-1500:]}" for name, step in steps.items())


def calls(said: str) -> tuple[int, int]:
    """Model calls that a run made, and work that it found done."""
    found = re.search(r"this run +([\d,]+) model calls.* ([\d,]+) reused", said)
    assert found, said
    made, reused = (int(number.replace(",", "")) for number in found.groups())
    return made, reused


def test_a_filled_in_form_runs_from_a_prefix_of_pdfs_to_the_verdict(platform: Platform, s3: S3Server) -> None:
    """One language model is away: its arms fail, and the sweep's step with them; the verdict is told."""
    bucket = s3.bucket()
    form = {
        "study": f"s3://{bucket}/studies/three models.yaml",
        "corpus": f"s3://{bucket}/tenders/2026",
        "storage": f"s3://{bucket}/kept/ledger",
    }
    put(s3, form["study"], STUDY.format(questions=2, llms="good, poor, gone"))
    put_pdfs(s3, form["corpus"], "03", "05", "09")
    steps = platform.run(manifest("WorkflowTemplate")["spec"], form)
    ended = {"corpus": 0, "golden": 0, "plan": 0, "sweep": 1, "verdict": 0}
    assert {name: step.code for name, step in steps.items()} == ended, errors(steps)
    assert "2 documents, 1 problems" in steps["corpus"].said
    assert "2 questions" in steps["golden"].said
    assert "3 arms · 2 questions" in steps["plan"].said
    assert "cannot be reached" in steps["sweep"].said  # the arm that failed, in the leaderboard
    assert f"{platform.services['http://mlflow:5000']}/#/compare-runs?" in steps["sweep"].said
    assert "chunks · good · hashing" in steps["verdict"].said
    assert "kept/ledger/results/papers/results.parquet" in s3.keys(bucket)


def test_the_clock_computes_only_what_a_new_document_adds_to_what_a_rayjob_did(
    platform: Platform, cluster: RayCluster, s3: S3Server
) -> None:
    """Both manifests with the very addresses that stand in them."""
    s3.client().create_bucket(Bucket="dream")
    put(s3, "s3://dream/studies/study.yaml", STUDY.format(questions=1, llms="good, poor"))
    put_pdfs(s3, "s3://dream/documents", "05")
    said = run_job(yaml.safe_load((FOLDER / "rayjob.yaml").read_text())["spec"], cluster)
    assert "chunks · good · hashing" in said and "/#/compare-runs?" in said
    assert calls(said)[0] > 0

    put(s3, "s3://dream/studies/study.yaml", STUDY.format(questions=2, llms="good, poor"))
    put_pdfs(s3, "s3://dream/documents", "03")
    clock, template = manifest("CronWorkflow")["spec"]["workflowSpec"], manifest("WorkflowTemplate")
    assert clock["workflowTemplateRef"]["name"] == template["metadata"]["name"]
    given = {each["name"]: each["value"] for each in clock["arguments"]["parameters"]}
    steps = platform.run(template["spec"], given)
    assert {step.state for step in steps.values()} == {"Succeeded"}, errors(steps)
    assert "2 documents, 0 problems" in steps["corpus"].said
    made, reused = calls(steps["sweep"].said)
    assert made > 0 and reused > 0


def run_job(spec: dict[str, Any], cluster: RayCluster) -> str:
    """Submit the RayJob's entrypoint as KubeRay does in HTTP mode, wait for its end, and give its log."""
    environment = json.dumps(yaml.safe_load(spec["runtimeEnvYAML"]))
    command = [sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", cluster.jobs]
    command += ["--runtime-env-json", environment, f"--entrypoint-num-cpus={spec['entrypointNumCpus']}", "--"]
    done = subprocess.run(
        [*command, *shlex.split(spec["entrypoint"])],
        env=clean_environment(cluster.environment()),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout
