"""`dream judge`: how far the judge can be trusted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from dream.cli.options import AsJson, Quiet, Storage, StudyFile
from dream.shell import DONE, print_json, shown_progress

app = typer.Typer(help="How far the judge can be trusted.", no_args_is_help=True)


@app.callback()
def judge() -> None:
    """How far the judge can be trusted."""


@app.command()
def audit(
    study: StudyFile,
    storage: Storage = None,
    rows: Annotated[int, typer.Option(min=4, help="About how many answers you will label.")] = 30,
    page: Annotated[bool, typer.Option(help="Label on a page in the browser.")] = False,
    labels: Annotated[
        str | None, typer.Option(help="CSV file with the columns id and label.", show_default=False)
    ] = None,
    ask: Annotated[bool, typer.Option(help="Ask for labels; else use those there are.")] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Label about 30 answers; see how far the judge agrees with you, and what becomes of the ranking.

    Shows the answers on which a label says most about which arm is best, without telling which arm gave
    them or how the judge scored them. Labels are kept; run it again to go on.

    Example: dream judge audit study.yaml
    """
    from dream.audits import load_labels, open_labelling, write_sheet
    from dream.report.judge_audit import print_judge_audit
    from dream.report.label_server import serve_labelling
    from dream.report.label_terminal import label_in_terminal
    from dream.study_file import load_study
    from dream.verdict.judge_audit import audit_judge

    read = load_study(study)
    with shown_progress(quiet) as watcher:
        result, plan, labelling = open_labelling(read, storage, rows, watcher)
    console = Console(highlight=False, stderr=as_json)
    if labels is not None:
        console.print(f"{load_labels(labelling, labels)} labels read from {labels}", soft_wrap=True)
    elif ask and page:
        said = "label on {0}\nCtrl-C, or finish on the page, ends it"
        serve_labelling(labelling, lambda url: console.print(said.format(url), soft_wrap=True))
    elif ask and sys.stdin.isatty() and labelling.next is not None:
        label_in_terminal(labelling, console, typer.getchar)
    found = audit_judge(result, plan, labelling.labels, read.seed)
    sheet = write_sheet(labelling)
    if as_json:
        print_json({**found.to_json(), "sheet": sheet})
    else:
        print_judge_audit(found, console)
        if found.labelled < found.rows:
            console.print(f"go on by running it again, or label in a copy of {sheet}", soft_wrap=True)
    raise typer.Exit(DONE)
