"""`dream golden`: the questions, built and looked after."""

from __future__ import annotations

import typer

from dream.cli.options import AsJson, Quiet, Storage, StudyFile
from dream.shell import DONE, FAILURES, print_json, shown_progress

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
