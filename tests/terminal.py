"""A program in a real terminal, and a person who answers its prompts with single keys."""

from __future__ import annotations

import os
import pty
import select
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CTRL_C = b"\x03"

PROMPT = b"q stop"


def listens(terminal: int) -> bool:
    """Whether the program waits for a single key; one that is pressed before is thrown away."""
    return not termios.tcgetattr(terminal)[3] & termios.ICANON


def typed(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], keys: Sequence[bytes]
) -> tuple[int, str, int]:
    """Run a command that labels, and press a key a prompt; its exit status, its screen, its prompts."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(command[0], list(command), dict(environment))
    said, pressed, deadline = b"", 0, time.monotonic() + 300
    try:
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    said += os.read(terminal, 65536)
                except OSError:  # the program has ended
                    break
            elif pressed < (asked := said.count(PROMPT)) <= len(keys) and listens(terminal):
                os.write(terminal, keys[asked - 1])
                pressed = asked
    finally:
        os.close(terminal)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return ended, said.decode(errors="replace"), pressed
