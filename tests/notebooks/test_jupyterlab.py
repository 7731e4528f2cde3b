"""JupyterLab in a real browser: a notebook is opened and run as a person would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.lab import browser_page, jupyter_lab, open_notebook, run_all
from tests.notebooks.run import clean_environment, copied

pytestmark = pytest.mark.notebooks


def test_a_person_opens_the_first_notebook_and_runs_it(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    with jupyter_lab(folder, clean_environment({})) as address, browser_page() as page:
        open_notebook(page, address, "01_corpus.ipynb")
        run_all(page)
        page.get_by_text("3 documents read, 1 problems").wait_for(timeout=180_000)
        page.get_by_text("corrupt").first.wait_for(timeout=30_000)
        assert page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0
        page.screenshot(path=tmp_path / "jupyterlab.png")
    assert (folder / ".dream" / "stages").exists() or list((folder / ".dream").iterdir())
