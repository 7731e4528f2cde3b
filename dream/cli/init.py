"""`dream init`: a commented study file to start from."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from dream.cli.options import AsJson
from dream.errors import DreamError
from dream.shell import print_json


def init(
    path: Annotated[Path, typer.Argument(help="Where to write the study.")] = Path("study.yaml"),
    corpus: Annotated[str, typer.Option(help="Folder of documents, or s3://bucket/prefix.")] = "documents",
    name: Annotated[
        str | None, typer.Option(help="The study's name.", show_default="the folder's name")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a commented study file, and its JSON Schema beside it for editors.

    Example: dream init study.yaml --corpus ./documents
    """
    from dream.study import Study

    shape = Study.model_json_schema()
    pattern = shape["properties"]["name"]["pattern"]
    name = _name_of(path.resolve().parent) if name is None else name
    if not re.fullmatch(pattern, name):
        raise DreamError(f"{name!r} cannot name a study", "--name", f"give one that matches {pattern}")
    template = files("dream").joinpath("template.yaml").read_text(encoding="utf-8")
    text = template.replace("{name}", json.dumps(name)).replace("{corpus}", json.dumps(corpus))
    schema = path.with_name("study.schema.json")
    try:
        if path.exists():
            raise DreamError("the file exists already", str(path), "give another name, or remove it")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        schema.write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        todo = "name a folder you can write to"
        raise DreamError(f"cannot be written: {error.strerror}", str(path), todo) from None
    if as_json:
        print_json({"study": str(path), "schema": str(schema)})
    else:
        typer.echo(f"wrote {path} and {schema}; edit the first, then: dream doctor {path}")


def _name_of(folder: Path) -> str:
    """A folder's name as a study may be called."""
    allowed = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("._-")
    return allowed[:63] or "my-study"
