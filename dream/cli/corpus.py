"""`dream corpus`: look at the documents, push them to S3."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dream.cli.options import AsJson, Quiet, Storage, StudyFile
from dream.shell import print_json, shown_progress

app = typer.Typer(help="Look at the documents, or push them to S3.", no_args_is_help=True)


@app.command("read")
def corpus_read(
    study: StudyFile, storage: Storage = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Read the study's documents and list what could not be read, with the reason.

    Example: dream corpus read study.yaml
    """
    from dream import verbs
    from dream.study_file import load_study

    with shown_progress(quiet) as watcher:
        found = verbs.gather_corpus(load_study(study), storage, watcher=watcher)
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


@app.command("push")
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
