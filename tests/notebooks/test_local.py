"""The notebooks on a machine where nothing is set but MLflow's address: local Ray, folders beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.run import NAMES, Executed, clean_environment, copied, execute
from tests.servers.mlflow import MlflowServer

pytestmark = pytest.mark.notebooks


def test_the_notebooks_run_in_order_on_this_machine(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    folder = copied(tmp_path)
    environment = clean_environment({"MLFLOW_TRACKING_URI": mlflow_server.url})
    shown = {name: execute(folder, name, environment) for name in NAMES}
    tell_what_they_should(shown, mlflow_server.url)
    assert (folder / ".dream" / "tutorial" / "report.html").is_file()


def tell_what_they_should(shown: dict[str, Executed], mlflow: str) -> None:
    """What a reader must find in each of the five."""
    assert list(shown) == ["01_corpus", "02_golden", "03_sweep", "04_compare", "05_own_method"]
    assert not any("Warning" in each.shown() for each in shown.values())  # of libraries, which help nobody
    corpus, golden, sweep, compare, own = shown.values()
    assert "3 documents read, 1 problems" in corpus.shown("text/html")
    assert "09-half-a-download.pdf" in corpus.shown("text/html")
    assert "1 removed, 1 reworded, 0 added" in golden.shown()
    assert "of 8 questions flagged" in golden.shown("text/html")
    assert "12 arms · " in sweep.shown()
    assert sweep.shown("text/html").count("sentence_window") == 4  # of 12 rows, all of them shown
    assert f"{mlflow}/#/compare-runs?" in compare.shown("text/html")
    assert "retrieved" in compare.shown()
    assert own.shown().count("paragraphs") == 2  # one arm for each language model
    assert "Traceback" not in own.shown() and "could not be built" not in own.shown()
