#!/usr/bin/env python3
"""Reads our Dockerfile, so that the root file system for the test cluster is made by the same list of steps.

dockerfile.py steps Dockerfile    one line a step, in order:  USER STEP
dockerfile.py image Dockerfile    what the image says of itself: one argument of `cluster image` a line
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """One ``FROM … AS name`` with the instructions below it, in order: ``("RUN", "/src/…")``."""

    name: str
    base: str
    instructions: tuple[tuple[str, str], ...] = field(default=())

    def last(self, instruction: str, default: str = "") -> str:
        """The argument of the last such instruction, which is the one in force."""
        found = [argument for name, argument in self.instructions if name == instruction]
        return found[-1] if found else default


def read_stages(text: str) -> list[Stage]:
    r"""The stages of a Dockerfile, its continued lines joined and its comments left out.

    >>> read_stages("FROM python:3.11.15 AS image\nUSER 1000:1000  \nRUN a \\\n  b")
    [Stage(name='image', base='python:3.11.15', instructions=(('USER', '1000:1000'), ('RUN', 'a b')))]
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            base, _, name = argument.partition(" AS ")
            stages.append(Stage(name or str(len(stages)), base))
        elif stages:
            last = stages[-1]
            stages[-1] = Stage(last.name, last.base, (*last.instructions, (instruction, argument.strip())))
    return stages


def steps(stages: list[Stage]) -> list[tuple[str, str]]:
    r"""Every step script that is run, with the user who runs it.

    >>> steps(read_stages("FROM a AS b\nRUN steps/1.sh\nUSER 7\nRUN --mount=type=bind /src/steps/2.sh"))
    [('0', '1.sh'), ('7', '2.sh')]
    """
    found = []
    for stage in stages:
        user = "0"
        for instruction, argument in stage.instructions:
            if instruction == "USER":
                user = argument
            elif instruction == "RUN":
                found.append((user, Path(argument.split()[-1]).name))
    return found


def environment(stage: Stage) -> dict[str, str]:
    """The variables that a stage sets."""
    settings = [argument for name, argument in stage.instructions if name == "ENV"]
    return dict(pair.split("=", 1) for setting in settings for pair in shlex.split(setting))


def image_arguments(stage: Stage) -> list[str]:
    """The arguments after ``cluster image NAME DIRECTORY`` that make it the image the Dockerfile makes."""
    arguments = [f"--env={name}={value}" for name, value in environment(stage).items()]
    arguments += [f"--workdir={stage.last('WORKDIR', '/')}", f"--user={stage.last('USER')}", "--"]
    # the test cluster's images know a command only; charts therefore name the whole of theirs
    return [*arguments, *json.loads(stage.last("ENTRYPOINT", "[]")), *json.loads(stage.last("CMD", "[]"))]


def main() -> None:
    """Print what is asked for, one a line."""
    wanted, path = sys.argv[1:]
    stages = read_stages(Path(path).read_text("utf-8"))
    lines = image_arguments(stages[-1]) if wanted == "image" else [" ".join(each) for each in steps(stages)]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
