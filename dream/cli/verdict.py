"""`dream verdict`: what the evidence supports."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.console import Console

from dream.cli.options import AsJson, Quiet, Storage, StudyFile
from dream.shell import print_json, shown_progress


def verdict(
    study: StudyFile,
    metric: Annotated[
        str | None, typer.Option(help="Compare the arms by it.", show_default="the study's objective")
    ] = None,
    rule: Annotated[
        Literal["cheapest", "fastest", "best"] | None,
        typer.Option(help="Which of the arms that may be the best to take.", show_default="the study's"),
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say which arms may be the best, which of them to take, and how sure that is; calls no model.

    Example: dream verdict study.yaml --rule fastest
    """
    from dream import verbs
    from dream.report.verdict_table import print_verdict
    from dream.study_file import load_study

    with shown_progress(quiet) as watcher:
        result = verbs.read_results(load_study(study), storage, watcher)
    found = result.verdict(metric, rule)
    if as_json:
        print_json(found.to_json())
    else:
        print_verdict(found, Console(highlight=False))
