"""Executes the notebooks as a person does: in order, each from top to bottom, in a kernel of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
SETTINGS = ("DREAM_", "RAY_", "MLFLOW_", "AWS_")


@dataclass(frozen=True)
class Executed:
    """A notebook after its execution."""

    cells: list[Any]

    def shown(self, kind: str = "text/plain") -> str:
        """Everything that its cells showed, of one kind; what was printed counts as plain text."""
        texts = []
        for cell in self.cells:
            for output in cell.get("outputs", ()):
                if output.output_type == "stream" and kind == "text/plain":
                    texts.append(output.text)
                elif kind in output.get("data", {}):
                    texts.append(output.data[kind])
        return "\n".join(texts)


def copied(folder: Path) -> Path:
    """The notebooks in a folder of their own, as the image has them: links replaced by what they name."""
    target = folder / "notebooks"
    shutil.copytree(NOTEBOOKS, target, ignore=shutil.ignore_patterns(".dream", ".ipynb_checkpoints"))
    return target


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any setting of DREAM's, and with those."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


def execute(folder: Path, name: str, environment: Mapping[str, str], seconds: int = 240) -> Executed:
    """Run a notebook; a cell that raises ends it with its traceback."""
    from nbclient import NotebookClient

    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    client = NotebookClient(
        notebook, timeout=seconds, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    with replaced_environment(environment):
        client.execute()
    return Executed(notebook.cells)


@contextmanager
def replaced_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """The kernel takes over this process's environment whole."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
