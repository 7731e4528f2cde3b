"""Whether both ends of a connection run the same Ray, Python and DREAM; answers in one sentence if not."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from dream.errors import DreamError

# What runs on the workers, or makes the ledger's keys; the rest may differ.
SHARED = (
    "corpus", "models", "metrics", "retrieval", "golden", "methods", "sweep",
    "cells.py", "claims.py", "errors.py", "ledger.py", "modules.py", "records.py", "storage.py", "study.py",
)  # fmt: skip


@cache
def own_versions() -> dict[str, str]:
    """This process's versions, with a hash of DREAM's sources: work is kept under the code that did it."""
    import ray

    package = Path(__file__).parents[1]
    named = [package / name for name in SHARED]
    files = sorted(file for path in named for file in ([path] if path.is_file() else path.rglob("*.py")))
    code = hashlib.sha256()
    for file in files:
        code.update(f"{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    return {
        "Ray": ray.__version__,
        "Python": platform.python_version(),
        "dream": version("dream-rag"),
        "code": code.hexdigest()[:12],
    }


def same_versions(mine: Mapping[str, str], theirs: Mapping[str, str], where: str) -> None:
    """Do nothing if the two fit each other.

    Args:
        mine: this process's, as ``own_versions`` gives them.
        theirs: the cluster's; what is not known there is not compared.
        where: the cluster's address.

    Raises:
        DreamError: they do not fit: another Ray, another minor version of Python, another DREAM.

    >>> mine = {"Ray": "2.60.0", "Python": "3.11.7", "dream": "0.1.0", "code": "aaa"}
    >>> same_versions(mine, {**mine, "Python": "3.11.2"}, "ray://head:10001")
    >>> same_versions(mine, {**mine, "Python": "3.12.1"}, "ray://head:10001")
    Traceback (most recent call last):
        ...
    dream.errors.DreamError: ray://head:10001: here is Python 3.11.7, the cluster has Python 3.12.1; ...
    """
    for name in ("Ray", "Python", "dream", "code"):
        here, there = mine[name], theirs.get(name, mine[name])
        if name == "Python":
            here, there = (text.rsplit(".", 1)[0] for text in (here, there))
        if here != there:
            what = f"here is {name} {mine[name]}, the cluster has {name} {theirs[name]}"
            if name == "code":
                what = (
                    f"both have dream {mine['dream']}, but of different sources "
                    f"({mine['code']} here, {theirs['code']} there)"
                )
            todo = "use the image of the cluster here, or bring the cluster to this version"
            raise DreamError(what, where, todo)
