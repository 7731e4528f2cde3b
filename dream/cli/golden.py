"""`dream golden`: the questions, built and looked after."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dream.cli.options import AsJson, Quiet, Storage, StudyFile
from dream.shell import DONE, FAILURES, print_json, shown_progress

if TYPE_CHECKING:
    from dream.sweep.progress import Status, Watcher
    from dream.verdict.golden_audit import Estimate

app = typer.Typer(help="Build the golden dataset, and look after it.", no_args_is_help=True)


@app.command()
def build(study: StudyFile, storage: Storage = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Build the golden dataset, and write it to storage as CSV and Parquet.

    Example: dream golden build study.yaml
    """
    from dream import verbs
    from dream.study_file import load_study

    with shown_progress(quiet) as watcher:
        found = verbs.build_golden(load_study(study), storage, watcher=watcher)
    where = verbs.place(storage).storage
    if as_json:
        print_json(
            {
                "questions": len(found.questions),
                "digest": found.digest,
                "notes": list(found.notes),
                "failures": list(found.failures),
                "csv": f"{where}/{found.csv_key}",
                "parquet": f"{where}/{found.parquet_key}",
            }
        )
    else:
        for note in found.notes:
            typer.echo(f"note  {note}")
        typer.echo(f"{len(found.questions)} questions, digest {found.digest[:12]}")
        typer.echo(f"written to {where}/{found.csv_key}")
    raise typer.Exit(FAILURES if found.failures else DONE)


@app.command()
def audit(
    study: StudyFile,
    storage: Storage = None,
    llm: Annotated[
        list[str] | None,
        typer.Option(
            help="Model that is asked without documents; may be given twice.", show_default="search.llm"
        ),
    ] = None,
    models: Annotated[bool, typer.Option(help="Run the checks that ask language models too.")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before money is spent.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look for questions that mislead: answered without documents, double, ambiguous, copied, evidence lost.

    Says what asking the models costs before it asks them. Writes a CSV in which you keep or drop each
    question; name it in the study (golden.exclude), and runs leave out what you dropped.

    Example: dream golden audit study.yaml
    """
    from dream.audits import audit_golden
    from dream.report.golden_audit import print_audit
    from dream.study_file import load_study

    shown: list[Watcher | None] = [None]
    with ExitStack() as stack:

        def agree(estimate: Estimate) -> bool:
            agreed = models and _agreed(estimate, yes)
            if agreed:  # not before: a progress bar would write over the question
                shown[0] = stack.enter_context(shown_progress(quiet))
            return agreed

        def watch(status: Status) -> None:
            if shown[0]:
                shown[0](status)

        found = audit_golden(load_study(study), storage, agree=agree, llms=llm or (), watcher=watch)
    if as_json:
        print_json(found.to_json())
    else:
        print_audit(found, Console(highlight=False))
    raise typer.Exit(DONE)


def _agreed(estimate: Estimate, yes: bool) -> bool:
    """Say the cost, and ask whether to go on where money is spent and somebody can answer."""
    typer.echo(f"asking the models takes {estimate}", err=True)
    if yes or (estimate.priced and not estimate.dollars):
        return True
    if sys.stdin.isatty():
        return typer.confirm("ask them?", default=True, err=True)
    typer.echo("they are not asked; say --yes to ask them", err=True)
    return False
