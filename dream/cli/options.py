"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StudyFile = Annotated[Path, typer.Argument(help="The study file.", show_default=False)]
Storage = Annotated[
    str | None,
    typer.Option(
        help="Folder or s3://bucket/prefix of the ledger.", envvar="DREAM_STORAGE", show_default=".dream"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Namespace = Annotated[str, typer.Option(help="Namespace of the platform.", envvar="DREAM_NAMESPACE")]
Context = Annotated[
    str | None, typer.Option(help="Context of the kubeconfig.", show_default="the current one")
]
