"""`dream doctor`: what a study needs, or the platform on its cluster, checked part by part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dream.cli.options import AsJson, Context, Namespace, Quiet, Storage
from dream.errors import DreamError
from dream.shell import FAILURES, print_json, shown_progress


def doctor(
    study: Annotated[Path | None, typer.Argument(help="The study file.", show_default=False)] = None,
    storage: Storage = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Look at the platform on Kubernetes.")] = False,
    namespace: Namespace = "dream",
    context: Context = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Check every outside part that a study names, or the platform, and say what to do about each.

    Example: dream doctor study.yaml
    Example: dream doctor --cluster
    """
    from dream.cluster.doctor import examine

    checks = []
    if cluster:
        from dream.cluster.access import open_cluster
        from dream.cluster.health import examine_cluster

        checks += examine_cluster(open_cluster(namespace, context))
    if study is not None:
        from dream.study_file import load_study

        with shown_progress(quiet) as watcher:
            checks += examine(load_study(study), storage, watcher)
    elif not cluster:
        raise DreamError("nothing to look at", "dream doctor", "name a study file, or pass --cluster")
    if as_json:
        print_json(
            {"checks": [vars(check) for check in checks], "healthy": all(check.well for check in checks)}
        )
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.well else 'FAIL'}  {check.part}: {check.found}")
    if not all(check.well for check in checks):
        raise typer.Exit(FAILURES)
