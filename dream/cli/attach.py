"""`dream run --submit` and `dream attach`: a study that runs on the cluster, watched from here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dream.cli.options import Context, Namespace
from dream.errors import DreamError
from dream.shell import DONE, print_json

if TYPE_CHECKING:
    from dream.study import Study

Submit = Annotated[bool, typer.Option("--submit", help="Run it on the platform's cluster, and show its log.")]


def submitted(study: Study, storage: str, namespace: str, context: str | None, as_json: bool) -> int:
    """Submit the study and follow it; gives its exit code. With JSON, only its name is told."""
    from dream.cluster.submit import find_cluster, jobs_api, submit

    cluster = find_cluster(namespace, context)
    with jobs_api(cluster) as client:
        name = submit(study, storage, cluster, client)
        if as_json:
            print_json({"job": name, "storage": storage})
            return DONE
        return _watched(client, name)


def attach(
    name: Annotated[
        str | None, typer.Argument(help="Name of the job.", show_default="the newest that runs")
    ] = None,
    namespace: Namespace = "dream",
    context: Context = None,
) -> None:
    """Show the log of a submitted study again, from its beginning; Ctrl-C leaves it running.

    Example: dream attach
    """
    from dream.cluster.submit import find_cluster, jobs_api, running

    with jobs_api(find_cluster(namespace, context)) as client:
        found = name or running(client)
        if found is None:
            raise DreamError("no submitted study runs", "dream attach", "name one that ended: ray job list")
        raise typer.Exit(_watched(client, found))


def _watched(client: Any, name: str) -> int:
    from dream.cluster.submit import follow

    def show(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    try:
        typer.echo(f"{name} runs on the cluster; Ctrl-C leaves it running", err=True)
        return follow(client, name, show)
    except KeyboardInterrupt:
        typer.echo(f"\ndetached; it goes on. Come back with: dream attach {name}", err=True)
        return DONE
