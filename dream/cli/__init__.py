"""The verbs at the shell: one file a command or group of commands."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, Any, Literal

import typer

from dream import logs
from dream.cli import corpus, golden, judge, models
from dream.cli.attach import attach
from dream.cli.connect import connect
from dream.cli.doctor import doctor
from dream.cli.init import init
from dream.cli.study import plan, report, run
from dream.cli.verdict import verdict
from dream.cluster.connect import QUIET
from dream.errors import DreamError
from dream.shell import MISTAKE, STOPPED
from dream.start_up import collect_rarely

app = typer.Typer(
    help="Finds the best RAG set-up for your own documents, and says how sure it is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
for command in (init, doctor, plan, run, report, verdict, connect, attach):
    app.command()(command)
for group, name in ((corpus, "corpus"), (golden, "golden"), (judge, "judge"), (models, "models")):
    app.add_typer(group.app, name=name)


def _set_level(value: str | None) -> None:
    if value:
        logs.show(value)


def _set_verbose(value: bool) -> None:
    if value:
        logs.show("info")


def _of_every_command(
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(
            help="What to tell on standard error, Ray's workers included.",
            show_default="warning",
            callback=_set_level,
            expose_value=False,
        ),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="The same as --log-level info.",
            callback=_set_verbose,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """Holds the options that every command has."""


def _with_options(command: Any) -> Any:
    """The command, and all below it, with the options of every command."""
    for below in getattr(command, "commands", {}).values():
        _with_options(below)
    if not hasattr(command, "commands"):
        holder = typer.Typer(add_completion=False)
        holder.command()(_of_every_command)
        command.params += typer.main.get_command(holder).params
    return command


def main() -> None:
    """Run the command line; a user's mistake is one sentence, never a traceback."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore")
    collect_rarely()
    logs.show()
    try:
        _with_options(typer.main.get_command(app))()
    except DreamError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
