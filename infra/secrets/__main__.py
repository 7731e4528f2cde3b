"""``python -m infra.secrets``: what `make secrets` and `make rotate-secret` call."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from dream.cluster.access import open_cluster
from dream.errors import DreamError
from infra.secrets.catalogue import KINDS
from infra.secrets.make import given_by, make_missing
from infra.secrets.rotate import restarted_by, rotate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        0 done, 2 a mistake that a person can mend.
    """
    parser = argparse.ArgumentParser(
        prog="python -m infra.secrets",
        description="Make the platform's secrets once, at random, straight into the cluster; or replace one.",
        epilog="example: python -m infra.secrets --rotate dream-jupyter",
    )
    parser.add_argument("--namespace", default="dream", help="where the platform lives (default: dream)")
    parser.add_argument("--context", help="context of the kubeconfig (default: the current one)")
    parser.add_argument(
        "--from-environment",
        metavar="NAME",
        help="make this one from variables called as its keys: dream-s3 for a store elsewhere",
    )
    parser.add_argument("--rotate", metavar="NAME", help=f"replace one of {', '.join(KINDS)}")
    parser.add_argument("--dry-run", action="store_true", help="with --rotate: only say what would restart")
    chosen = parser.parse_args(arguments)
    try:
        cluster = open_cluster(chosen.namespace, chosen.context)
        if chosen.rotate and chosen.dry_run:
            for line in restarted_by(cluster, chosen.rotate):
                print(f"would restart {line}")
        elif chosen.rotate:
            for line in rotate(cluster, chosen.rotate):
                print(f"{chosen.rotate}: {line}", flush=True)
        else:
            own = chosen.from_environment
            given = {own: given_by(os.environ, own)} if own else {}
            for name, made in make_missing(cluster, given):
                print(f"{name:16} {'made' if made else 'there, left as it is'}", flush=True)
    except DreamError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
