"""``python -m dream.models.offline``: the offline server alone, as a container or :func:`start` runs it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from dataclasses import fields

from dream.errors import DreamError
from dream.models.offline.options import Faults, ServerOptions
from dream.models.offline.serve import serve


def main(arguments: list[str]) -> int:
    """Serves by command-line options; says its address as one JSON line on standard output.

    >>> main(["--port", "99999"])
    2
    """
    try:
        given = _parser().parse_args(arguments)
        if given.child is not None:
            threading.Thread(target=_end_with_parent, daemon=True).start()
            options = _from_json(given.child)
        else:
            faults = Faults(**{one.name: getattr(given, one.name) for one in fields(Faults)})
            options = ServerOptions(given.host, given.port, given.api_key_env, faults)
        serve(options, on_ready=lambda url: print(json.dumps({"url": url}), flush=True))
    except DreamError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dream.models.offline", description=__doc__)
    parser.add_argument("--host", default=ServerOptions.host)
    parser.add_argument("--port", type=int, default=ServerOptions.port, help="0 takes a free one")
    parser.add_argument("--api-key-env", help="environment variable with the key that callers must send")
    for one in fields(Faults):
        flag = f"--{one.name.replace('_', '-')}"
        parser.add_argument(flag, type=type(one.default), default=one.default, help="see Faults")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser


def _from_json(text: str) -> ServerOptions:
    given = json.loads(text)
    return ServerOptions(**{**given, "faults": Faults(**given["faults"])})


def _end_with_parent() -> None:
    """Waits until the parent's end of the pipe closes, then ends at once: nobody is left to answer."""
    while os.read(0, 4096):  # not sys.stdin, whose lock would be held when the interpreter ends
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
