"""The verbs at the shell."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import warnings
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dream.cluster.connect import QUIET
from dream.errors import DreamError
from dream.shell import DONE, FAILURES, MISTAKE, STOPPED, print_json, shown_progress

if TYPE_CHECKING:
    from dream.sweep.result import SweepResult

app = typer.Typer(
    help="Finds the best RAG set-up for your own documents, and says how sure it is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
corpus_app = typer.Typer(help="Look at the documents, or push them to S3.", no_args_is_help=True)
models_app = typer.Typer(help="The offline model server.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")
app.add_typer(models_app, name="models")

StudyFile = Annotated[Path, typer.Argument(help="The study file.", show_default=False)]
Storage = Annotated[
    str | None,
    typer.Option(
        help="Folder or s3://bucket/prefix of the ledger.", envvar="DREAM_STORAGE", show_default=".dream"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


@app.command()
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


@app.command()
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


@app.command()
def plan(study: StudyFile, storage: Storage = None, as_json: AsJson = False) -> None:
    """Say what a run would take, and how much of it is done already.

    Example: dream plan study.yaml
    """
    from dream import verbs
    from dream.study_file import load_study

    found = verbs.plan(load_study(study), storage=storage)
    if as_json:
        print_json(vars(found))
    else:
        typer.echo(found)


@corpus_app.command("read")
def corpus_read(study: StudyFile, storage: Storage = None, as_json: AsJson = False) -> None:
    """Read the study's documents and list what could not be read, with the reason.

    Example: dream corpus read study.yaml
    """
    from dream import verbs
    from dream.study_file import load_study

    found = verbs.gather_corpus(load_study(study), storage)
    if as_json:
        documents = [
            {"id": each.id, "characters": len(each.text), "pages": len(each.pages) or None}
            for each in found.documents
        ]
        print_json(
            {
                "documents": documents,
                "problems": [vars(each) for each in found.problems],
                "digest": found.digest,
            }
        )
        return
    for document in found.documents:
        pages = f"  {len(document.pages)} pages" if document.pages else ""
        typer.echo(f"read     {document.id}{pages}  {len(document.text):,} characters")
    for problem in found.problems:
        typer.echo(
            f"{'skipped' if problem.skipped else 'partly '}  {problem.id}  {problem.kind}: {problem.reason}"
        )
    typer.echo(f"{len(found.documents)} documents, {len(found.problems)} problems")


@corpus_app.command("push")
def corpus_push(
    folder: Annotated[Path, typer.Argument(help="Folder of documents.", show_default=False)],
    target: Annotated[str, typer.Argument(help="s3://bucket/prefix", show_default=False)],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Upload a folder of documents; what is there with the same content is skipped.

    Example: dream corpus push ./documents s3://my-bucket/documents
    """
    from dream.corpus import list_files, push_corpus
    from dream.sweep.progress import Status

    total = len(list_files(str(folder)))
    done = 0
    with shown_progress(quiet) as watcher:

        def count(_key: str, _size: int, _skipped: bool) -> None:
            nonlocal done
            done += 1
            if watcher:
                watcher(Status("push", done, total, "files"))

        found = push_corpus(folder, target, count)
    if as_json:
        print_json(vars(found))
    else:
        typer.echo(
            f"{found.uploaded} files uploaded ({found.bytes:,} bytes), {found.skipped} were there already"
        )


@app.command()
def golden(study: StudyFile, storage: Storage = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Build the golden dataset, and write it to storage as CSV and Parquet.

    Example: dream golden study.yaml
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
def run(study: StudyFile, storage: Storage = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Run the study: golden dataset, indexes, every arm, leaderboard, report, MLflow.

    Running again resumes: nothing that is finished is computed, called or paid for again.

    Example: dream run study.yaml
    """
    from dream import verbs
    from dream.study_file import load_study

    try:
        with shown_progress(quiet) as watcher:
            result = verbs.run_sweep(load_study(study), storage=storage, watcher=watcher)
    except KeyboardInterrupt:
        _stopped(study, storage)
    raise typer.Exit(_publish(result, storage, as_json))


@app.command()
def report(study: StudyFile, storage: Storage = None, as_json: AsJson = False) -> None:
    """Show the leaderboard and write the page from what the ledger holds; calls no model.

    Example: dream report study.yaml
    """
    from dream import verbs
    from dream.study_file import load_study

    result = verbs.read_results(load_study(study), storage)
    raise typer.Exit(_publish(result, storage, as_json))


@models_app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    latency: Annotated[float, typer.Option(help="Seconds that each call takes.")] = 0.0,
    rate_limited: Annotated[float, typer.Option(help="Share of calls answered 429 the first time.")] = 0.0,
    failing: Annotated[float, typer.Option(help="Share of calls answered 500 the first time.")] = 0.0,
    truncated: Annotated[
        float, typer.Option(help="Share of answers cut in the middle the first time.")
    ] = 0.0,
    api_key_env: Annotated[str | None, typer.Option(help="Variable that holds the key to ask for.")] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the offline models over the OpenAI API: no weights, no key, the same answers every time.

    Example: dream models serve --port 8100
    """
    from dream.models.offline import Faults, ServerOptions, start

    faults = Faults(latency=latency, rate_limited=rate_limited, failing=failing, truncated=truncated)
    options = ServerOptions(host=host, port=port, api_key_env=api_key_env, faults=faults)
    with start(options) as server:
        if as_json:
            print_json({"url": server.url, "pid": server.pid})
        else:
            typer.echo(f"listening on {server.url}; end it with Ctrl-C")
        sys.stdout.flush()
        try:
            os.waitpid(server.pid, 0)
        except (KeyboardInterrupt, ChildProcessError):
            return


def _publish(result: SweepResult, storage: str | None, as_json: bool) -> int:
    """Leaderboard and page, then MLflow, in words or as JSON; gives the exit code.

    What MLflow cannot take is all the more worth seeing here.
    """
    from dream import verbs
    from dream.report.summary import has_failures, summary_of

    if not as_json:
        _print_result(result)
    page = verbs.write_page(result, storage)
    if not as_json:
        typer.echo(f"report    {page}")
    tracked, failure = None, ""
    try:
        tracked = verbs.track(result, page, storage)
    except (DreamError, OSError) as error:
        failure = str(error)
    if as_json:
        mlflow = {
            "mlflow_run": tracked.run_id if tracked else None,
            "mlflow_link": tracked.compare_link if tracked else None,
            "mlflow_error": failure or None,
        }
        print_json({**summary_of(result), **mlflow, "report": str(page)})
    elif tracked:
        typer.echo(f"mlflow    {tracked.compare_link}")
        if tracked.command:
            typer.echo(f"          shown by: {tracked.command}")
    if failure:
        typer.echo(f"error: {failure}", err=True)
    return FAILURES if failure or has_failures(result) else DONE


def _print_result(result: SweepResult) -> None:
    from dream.report.terminal import print_leaderboard

    print_leaderboard(result, Console(highlight=False))
    used = result.usage
    spent = f", ${used.dollars:,.2f}" if used.dollars else ""
    typer.echo(
        f"this run  {used.model_calls:,} model calls, {used.embedded_texts:,} texts embedded, "
        f"{used.reused:,} reused{spent}, {used.seconds:.0f} s"
    )


def _stopped(study: Path, storage: str | None) -> None:
    option = f" --storage {storage}" if storage else ""
    typer.echo(f"\nstopped; what is finished is kept. Go on with: dream run {study}{option}", err=True)
    raise typer.Exit(STOPPED)


def main() -> None:
    """Run the command line; a user's mistake is one sentence, never a traceback."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        app()
    except DreamError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
