"""MLflow is made ready while a sweep runs; whatever is wrong then is told when results are written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dream.tracking.client import make_ready
from tests.sweep.shell import wait_until


def test_the_database_is_there_and_nothing_else(tmp_path: Path) -> None:
    make_ready(None, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".claims", "mlflow.db"}
    made = (tmp_path / "mlflow.db").stat()

    make_ready(None, tmp_path)
    assert (tmp_path / "mlflow.db").stat().st_ino == made.st_ino

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert client.get_run(client.create_run("0").info.run_id).info.status == "RUNNING"


def test_what_cannot_be_made_ready_is_left_to_be_told_later(tmp_path: Path) -> None:
    make_ready("nonsense://here", tmp_path)
    (tmp_path / "mlflow.db").write_text("no database")
    make_ready(None, tmp_path)
    assert (tmp_path / "mlflow.db").read_text() == "no database"


def test_a_kill_in_the_midst_leaves_no_half_database(tmp_path: Path) -> None:
    code = "import sys, pathlib, dream.tracking.client as it; it.make_ready(None, pathlib.Path(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path])
    try:
        # its tables are being made
        wait_until(
            lambda: any(file.stat().st_size for file in tmp_path.glob(".mlflow-*/mlflow.db")), "a file"
        )
    finally:
        process.kill()
        process.wait()
    assert not (tmp_path / "mlflow.db").exists()
    make_ready(None, tmp_path)
    assert (tmp_path / "mlflow.db").stat().st_size > 100_000
