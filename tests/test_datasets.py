"""Golden datasets and results as Ray Datasets: what is read is what was written, in a folder and on S3."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dream
from dream import verbs
from dream.errors import DreamError, StorageError
from dream.golden import GoldenDataset
from dream.golden.load import load_questions
from dream.records import Answer, Score
from dream.storage import open_storage
from dream.study import Columns, QuestionFile
from dream.sweep.result import Arm, ArmResult, Row
from dream.verdict.result import SweepResult
from tests.servers.ray import ray_cluster
from tests.servers.s3 import S3Server
from tests.sweep.shell import OFFLINE, SEARCH, environment, small_study

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> Iterator[str]:
    """A bucket, and a Ray whose workers have its keys in their environment, as those of a cluster have."""
    import ray

    from dream.cluster.connect import connect

    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment().items():
            patch.setenv(name, value)
        connect("local")
        yield s3.bucket()
        logs = Path(ray._private.worker._global_node.get_session_dir_path())
        ray.shutdown()
        secret = s3.environment()["AWS_SECRET_ACCESS_KEY"].encode()
        told = [path for path in logs.rglob("*") if path.is_file() and secret in path.read_bytes()]
        assert not told, "Ray wrote a key into its files"


def result_of(golden: GoldenDataset) -> SweepResult:
    arms = [
        ArmResult(
            Arm("chunks", "good", "hashing", {"top_k": k}),
            tuple(
                Row(question.id, Answer(f"answer {k}"), (Score("f1", k / 10), Score("mrr", reason="none")))
                for question in golden.questions
            ),
        )
        for k in (2, 4)
    ]
    return SweepResult("small", "f1", ("f1", "mrr"), golden.questions, tuple(arms))


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_study_s_tables_are_datasets_and_go_where_one_wants_them(
    tmp_path: Path, bucket: str, place: str
) -> None:
    root = str(tmp_path / "store") if place == "folder" else f"s3://{bucket}/dream"
    study = dream.load_study(small_study(tmp_path, models=OFFLINE, search=SEARCH))
    with pytest.raises(DreamError, match="there are no golden of it yet"):
        dream.read_dataset(study, "golden", root)
    golden = dream.build_golden(study, root)
    result = result_of(golden)
    verbs.write_table(result, root)

    questions = dream.read_dataset(study, "golden", root)
    assert [row["id"] for row in questions.take_all()] == [one.id for one in golden.questions]
    rows = dream.read_dataset(study, "results", root)
    assert rows.count() == 2 * 2 * len(golden.questions)
    scored = rows.to_pandas().dropna(subset=["value"])
    assert scored.groupby("arm").value.mean().to_dict() == {
        arm.arm.id: pytest.approx(arm.arm.knobs["top_k"] / 10) for arm in result.arms
    }

    for form in ("parquet", "jsonl"):
        there = dream.write_dataset(golden, f"{root}/mine/{form}", form)
        again = dream.read_dataset(there).to_pandas()
        assert list(again.question) == [one.question for one in golden.questions]
        assert list(again.evidence_text[0]) == list(golden.questions[0].evidence_text)
        (part,) = open_storage(there).list()
        file = QuestionFile(path=part.key, columns=Columns(evidence="evidence_text"))
        loaded = load_questions(file, f"{there}/{part.key}")
        assert [one.reference for one in loaded] == [one.reference for one in golden.questions]
    there = dream.write_dataset(result, f"{root}/mine/results")
    assert sorted(dream.read_dataset(there).to_pandas().answer.unique()) == ["answer 2", "answer 4"]
    with pytest.raises(DreamError, match="there is something already"):
        dream.write_dataset(result, f"{root}/mine/results")


def test_what_cannot_be_read_is_told_in_a_sentence(bucket: str) -> None:
    with pytest.raises(StorageError) as told:
        dream.read_dataset(f"s3://{bucket}-none/x.parquet").take_all()
    assert str(told.value).count("\n") == 0 and len(str(told.value)) < 600


def test_a_process_that_is_no_machine_of_the_cluster_is_told_what_to_do(tmp_path: Path) -> None:
    ask = (
        "import sys, dream\nfrom dream.errors import DreamError\n"
        "try: dream.read_dataset(sys.argv[1])\nexcept DreamError as told: print(told)"
    )
    with ray_cluster({}) as cluster:
        for address in (cluster.client, cluster.jobs):
            env = environment({**cluster.environment(), "RAY_ADDRESS": address})
            command = [sys.executable, "-c", ask, str(tmp_path / "rows.parquet")]
            told = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
            assert "Ray gives a Dataset to processes of its cluster only" in told.stdout, told.stderr
            assert "read the Parquet file with pandas" in told.stdout
