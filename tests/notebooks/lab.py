"""JupyterLab as a server, and a person's hands on it in a real browser."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.servers.fixtures import missing
from tests.servers.process import answers, free_port, new_secret, own_folder, running

QUIETLY = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@contextlib.contextmanager
def jupyter_lab(root: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """JupyterLab on a folder, as the chart starts it; gives its address with the token."""
    token, port = new_secret(), free_port()
    url = f"http://127.0.0.1:{port}"
    with own_folder("lab") as folder:
        command = [
            sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--port={port}", "--no-browser",
            "--allow-root", f"--ServerApp.root_dir={root}", "--ServerApp.port_retries=0",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.news_url=None", "--LabApp.extension_manager=readonly",
        ]  # fmt: skip
        settings = {**environment, "JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": f"{folder}/run"}
        settings |= {"JUPYTER_CONFIG_DIR": f"{folder}/config", "JUPYTER_DATA_DIR": f"{folder}/data"}
        with running(command, settings, folder, lambda: answers(f"{url}/api"), [token], seconds=150):
            yield f"{url}/lab?token={token}"


@contextlib.contextmanager
def browser_page(width: int = 1360, height: int = 1000) -> Iterator[Any]:
    """A page of a headless Chromium."""
    program = shutil.which("chromium")
    if program is None:
        missing("no browser: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIETLY)
        yield browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        browser.close()


def open_notebook(page: Any, address: str, name: str) -> None:
    """Open a notebook by its address and wait for its cells and its kernel."""
    page.goto(address.replace("/lab?", f"/lab/tree/{name}?"))
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=120_000)
    # one who runs cells before there is a kernel is asked to select one
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=120_000)
    with contextlib.suppress(Exception):  # a question about news, which is not always asked
        page.get_by_role("button", name="No", exact=True).click(timeout=3000)


def run_all(page: Any) -> None:
    """Run ▸ Run All Cells, as one does with the mouse."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).first.click()
