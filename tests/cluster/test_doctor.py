"""What doctor says of parts that are wrong in ways that nobody foresaw."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from dream.cluster.doctor import Check, examine
from dream.study_file import load_study
from tests.sweep.shell import OFFLINE, SEARCH, small_study


def mlflow_check(folder: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> Check:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    study = load_study(small_study(folder, models=OFFLINE, search=SEARCH))
    checks = {check.part: check for check in examine(study, str(folder / "store"))}
    assert [part for part, check in checks.items() if not check.well and part != "MLflow"] == []
    return checks["MLflow"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ftp://host/x", "no address of an MLflow server or database"),
        ("sqlite:///{}/study.yaml", "file is not a database"),
        ("sqlite:///{}/study.yaml/mlflow.db", "the folder cannot be made"),
        ("postgresql://me:swordfish@127.0.0.1:9/x", "the database cannot be opened"),
    ],
)
def test_an_address_that_mlflow_cannot_use_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    check = mlflow_check(tmp_path, monkeypatch, address.format(tmp_path))
    assert not check.well and said in check.found and "swordfish" not in check.found


def test_a_database_that_can_be_opened_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mlflow_check(tmp_path, monkeypatch, f"sqlite:///{tmp_path}/new/mlflow.db").well


def test_an_error_that_nobody_foresaw_is_a_failed_check_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "swordfish-swordfish")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"no HTTP, but swordfish-swordfish\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        check = mlflow_check(tmp_path, monkeypatch, address)
    assert not check.well
    assert check.found == "BadStatusLine: no HTTP, but ${SOME_API_KEY}"
