"""Takes the tutorial's pictures from a real run of its notebooks: `make tutorial-pictures`."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from tests.notebooks.lab import browser_page, jupyter_lab, open_notebook, run_all
from tests.notebooks.run import clean_environment, copied, execute
from tests.servers.mlflow import mlflow_on


def main(images: Path) -> None:
    """Run the first four notebooks, then photograph JupyterLab, the plot and a trace."""
    with tempfile.TemporaryDirectory() as kept:
        folder = copied(Path(kept))
        with mlflow_on(f"sqlite:///{kept}/mlflow.db", f"{kept}/artifacts", {}, "mlflow") as url:
            environment = clean_environment({"MLFLOW_TRACKING_URI": url})
            of_jupyter(folder, environment, images / "tutorial-corpus.png")
            for name in ("02_golden", "03_sweep"):
                execute(folder, name, environment, 600)
            shown = execute(folder, "04_compare", environment, 600).shown("text/html")
            link = re.search(r'href="([^"]*compare-runs[^"]*)"', shown)
            assert link, "the notebook shows no link to MLflow"
            of_mlflow(link[1].replace("&amp;", "&"), images)


def of_jupyter(folder: Path, environment: dict[str, str], image: Path) -> None:
    """The first notebook after it was run, at its table of files."""
    with jupyter_lab(folder, environment) as address, browser_page(1280, 860) as page:
        open_notebook(page, address, "01_corpus.ipynb")
        run_all(page)
        found = page.get_by_text("3 documents read, 1 problems")
        found.wait_for(timeout=180_000)
        page.wait_for_timeout(1500)
        found.scroll_into_view_if_needed()
        page.screenshot(path=image)


def of_mlflow(link: str, images: Path) -> None:
    """The parallel-coordinates plot, and the first trace of the same experiment."""
    with browser_page(1280, 860) as page:
        page.goto(link)
        page.locator(".parcoords").first.wait_for(timeout=120_000)
        page.wait_for_timeout(1500)
        page.screenshot(path=images / "tutorial-mlflow.png")
        page.goto(link_to_a_trace(link))
        page.get_by_text("retrieve", exact=True).first.click(timeout=120_000)
        page.wait_for_timeout(1500)
        page.screenshot(path=images / "tutorial-trace.png")


def link_to_a_trace(link: str) -> str:
    """The page of one trace of the plot's experiment."""
    from mlflow import MlflowClient

    home, _, query = link.partition("/#/compare-runs?")
    (experiment,) = json.loads(parse_qs(query)["experiments"][0])
    (trace,) = MlflowClient(home).search_traces(
        locations=[experiment], filter_string="trace.status = 'OK'", max_results=1, include_spans=False
    )
    opened = urlencode({"selectedEvaluationId": trace.info.trace_id})
    return f"{home}/#/experiments/{experiment}/traces?{opened}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
