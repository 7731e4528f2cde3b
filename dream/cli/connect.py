"""`dream connect`: the platform's ports on this machine."""

from __future__ import annotations

import sys
import threading

import typer

from dream.cli.options import AsJson, Context, Namespace
from dream.shell import print_json


def connect(namespace: Namespace = "dream", context: Context = None, as_json: AsJson = False) -> None:
    """Forward the ports that a laptop needs, and print the addresses; ends with Ctrl-C.

    Example: dream connect
    """
    from dream.cluster.access import open_cluster
    from dream.cluster.forward import exports, forward

    with forward(open_cluster(namespace, context)) as opened:
        lines = exports(opened, namespace)
        if as_json:
            print_json({"ports": [vars(each) for each in opened], "exports": lines})
        else:
            for each in opened:
                typer.echo(f"{each.what:<28} 127.0.0.1:{each.local}")
            typer.echo("\nIn another shell, so that DREAM uses them:\n")
            typer.echo("\n".join(lines))
            typer.echo("\nopen until Ctrl-C")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return
