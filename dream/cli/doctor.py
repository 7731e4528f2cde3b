"""`dream doctor`: what a study needs, checked part by part."""

from __future__ import annotations

import typer

from dream.cli.options import AsJson, Storage, StudyFile
from dream.shell import FAILURES, print_json


def doctor(study: StudyFile, storage: Storage = None, as_json: AsJson = False) -> None:
    """Check every outside part that a study names, and say what to do about each.

    Example: dream doctor study.yaml
    """
    from dream.cluster.doctor import examine
    from dream.study_file import load_study

    checks = examine(load_study(study), storage)
    if as_json:
        print_json(
            {"checks": [vars(check) for check in checks], "healthy": all(check.well for check in checks)}
        )
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.well else 'FAIL'}  {check.part}: {check.found}")
    if not all(check.well for check in checks):
        raise typer.Exit(FAILURES)
