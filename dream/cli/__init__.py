"""The verbs at the shell: one file a command or group of commands."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import typer

from dream.cli import corpus, golden, judge, models
from dream.cli.connect import connect
from dream.cli.doctor import doctor
from dream.cli.init import init
from dream.cli.study import plan, report, run
from dream.cli.verdict import verdict
from dream.cluster.connect import QUIET
from dream.errors import DreamError
from dream.shell import MISTAKE, STOPPED

app = typer.Typer(
    help="Finds the best RAG set-up for your own documents, and says how sure it is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
for command in (init, doctor, plan, run, report, verdict, connect):
    app.command()(command)
for group, name in ((corpus, "corpus"), (golden, "golden"), (judge, "judge"), (models, "models")):
    app.add_typer(group.app, name=name)


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
