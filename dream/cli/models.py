"""`dream models`: the offline model server."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from dream.cli.options import AsJson
from dream.shell import print_json

app = typer.Typer(help="The offline model server.", no_args_is_help=True)


@app.callback()
def models() -> None:
    """The offline model server."""


@app.command()
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
