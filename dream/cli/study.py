"""`dream plan`, `run` and `report`: a study before, during and after its sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dream.cli.attach import Submit, submitted
from dream.cli.options import AsJson, Context, Namespace, Quiet, Storage, StudyFile
from dream.errors import DreamError
from dream.shell import DONE, FAILURES, STOPPED, print_json, shown_progress

if TYPE_CHECKING:
    from dream.verdict.result import SweepResult


def plan(
    study: StudyFile,
    storage: Storage = None,
    exact: Annotated[bool, typer.Option("--exact", help="Look at every question, however many.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say what a run would take in calls, tokens, dollars and time, and how much of it is done already.

    Example: dream plan study.yaml
    """
    from dream import verbs
    from dream.study_file import load_study

    with shown_progress(quiet) as watcher:
        found = verbs.plan(load_study(study), storage=storage, exact=exact, watcher=watcher)
    if as_json:
        print_json(found.to_json())
    else:
        from dream.report.plan import print_plan

        print_plan(found, Console(highlight=False))


def run(
    study: StudyFile,
    storage: Storage = None,
    submit: Submit = False,
    namespace: Namespace = "dream",
    context: Context = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the study: golden dataset, indexes, every arm, leaderboard, report, MLflow.

    Running again resumes: nothing that is finished is computed, called or paid for again.

    Example: dream run study.yaml
    Example: dream run study.yaml --submit --storage s3://dream/ledger
    """
    from dream import verbs
    from dream.study_file import load_study

    if submit:
        raise typer.Exit(
            submitted(load_study(study), verbs.place(storage).storage, namespace, context, as_json)
        )
    try:
        with shown_progress(quiet) as watcher:
            result = verbs.run_sweep(load_study(study), storage=storage, watcher=watcher)
    except KeyboardInterrupt:
        _stopped(study, storage)
    raise typer.Exit(_publish(result, storage, as_json))


def report(study: StudyFile, storage: Storage = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Show the leaderboard and write the page from what the ledger holds; calls no model.

    Example: dream report study.yaml
    """
    from dream import verbs
    from dream.study_file import load_study

    with shown_progress(quiet) as watcher:
        result = verbs.read_results(load_study(study), storage, watcher)
    raise typer.Exit(_publish(result, storage, as_json))


def _publish(result: SweepResult, storage: str | None, as_json: bool) -> int:
    """Leaderboard, page and table, then MLflow, in words or as JSON; gives the exit code.

    What the disk, the bucket or MLflow cannot take is all the more worth seeing here.
    """
    from dream import verbs
    from dream.report.summary import has_failures, summary_of
    from dream.report.verdict_table import print_verdict

    if not as_json:
        _print_result(result)
    page = table = tracked = None
    unwritten = failure = ""
    try:
        page = verbs.write_page(result, storage)
        table = verbs.write_table(result, storage)
    except (DreamError, OSError) as error:
        unwritten = str(error)
    if not as_json and page:
        typer.echo(f"report    {page}")
    if not as_json and table:
        typer.echo(f"results   {table}")
    try:
        tracked = verbs.track(result, page, storage) if page else None
    except (DreamError, OSError) as error:
        failure = str(error)
    if as_json:
        mlflow = {
            "mlflow_run": tracked.run_id if tracked else None,
            "mlflow_link": tracked.compare_link if tracked else None,
            "mlflow_error": failure or None,
        }
        files = {"report": str(page) if page else None, "results": table}
        print_json({**summary_of(result), **mlflow, **files})
    elif tracked:
        typer.echo(f"mlflow    {tracked.compare_link}")
        if tracked.command:
            typer.echo(f"          shown by: {tracked.command}")
    if not as_json:
        print_verdict(result.verdict(), Console(highlight=False), arms=False)
    for what in filter(None, (unwritten, failure)):
        typer.echo(f"error: {what}", err=True)
    return FAILURES if unwritten or failure or has_failures(result) else DONE


def _print_result(result: SweepResult) -> None:
    from dream.report.terminal import print_leaderboard

    print_leaderboard(result, Console(highlight=False))
    used = result.usage
    spent = f", ${used.dollars:,.2f}" if used.dollars else ""
    if used.unpriced and used.model_calls:
        spent += f", dollars unknown for {', '.join(used.unpriced)}"
    typer.echo(
        f"this run  {used.model_calls:,} model calls, {used.input_tokens:,} + {used.output_tokens:,} tokens, "
        f"{used.embedded_texts:,} texts embedded, {used.reused:,} reused{spent}, {used.seconds:.0f} s"
    )


def _stopped(study: Path, storage: str | None) -> None:
    option = f" --storage {storage}" if storage else ""
    typer.echo(f"\nstopped; what is finished is kept. Go on with: dream run {study}{option}", err=True)
    raise typer.Exit(STOPPED)
