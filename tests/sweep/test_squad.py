"""A corpus of 48 real articles and 500 real questions, through the whole job."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.squad import DEV, write_corpus
from tests.sweep.shell import run

pytestmark = pytest.mark.servers


@pytest.mark.skipif(not DEV.is_file(), reason=f"no SQuAD at {DEV}; it is not part of the repository")
def test_squad_finds_its_evidence_and_answers(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    study = tmp_path / "study.yaml"
    study.write_text(
        f"""
name: squad
corpus: corpus
golden: [{{path: "{DEV}", limit: 500}}]
models:
  llms: {{good: {{provider: offline, style: extractive}}, poor: {{provider: offline, style: lead}}}}
  embeddings: {{hashing: {{provider: hashing, dimensions: 2048}}}}
  judge: good
search: {{method: [chunks], llm: [good, poor], embedding: [hashing]}}
metrics: [recall_at_k, mrr, ndcg, exact_match, f1]
objective: f1
"""
    )

    ended = run(study, tmp_path / "store")

    assert ended.code == 0, ended.errors
    assert ended.said["questions"] == 500
    assert ended.said["problems"] == []
    good, poor = ended.said["arms"]
    assert (good["arm"]["llm"], poor["arm"]["llm"]) == ("good", "poor")
    for name, metric in good["metrics"].items():
        # every answer's place was found in the documents, so no retrieval metric is left out
        assert (metric["scored"], metric["missing"], metric["not_applicable"]) == (500, 0, 0), name
    assert good["metrics"]["recall_at_k"]["mean"] > 0.75
    assert good["metrics"]["f1"]["mean"] > poor["metrics"]["f1"]["mean"] + 0.05
