"""The first thing that a job does: compare its versions with those of whoever sent it."""

from __future__ import annotations

import json
import sys

from dream.cluster.versions import own_versions, same_versions
from dream.errors import DreamError


def main(mine: str) -> int:
    """Exit code 0 if the two fit each other, else 2 and the reason on the last line."""
    try:
        same_versions(json.loads(mine), own_versions(), "the cluster")
    except DreamError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
