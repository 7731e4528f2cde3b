"""Takes the pictures in the README from the real report of the quickstart: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
QUIETLY = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
]


def main(report: Path, folder: Path) -> None:
    """Open the page at desktop width, and keep its head and where questions are lost."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        page = browser.new_page(viewport={"width": 1360, "height": 1180}, color_scheme="light")
        page.goto(report.absolute().as_uri())
        page.wait_for_timeout(500)
        page.screenshot(path=folder / "report.png")
        page.locator("#matters").screenshot(path=folder / "matters.png")
        page.locator("#losses").screenshot(path=folder / "losses.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
