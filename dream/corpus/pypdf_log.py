"""What pypdf says in its log while it reads: of what it could not unpack or find it tells only there."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Of all that pypdf warns of, these lose text; of the others it warns because it mended them.
_LOSSES = re.compile(
    r"pypdf\.filters: .*|pypdf\._page: .* not a .*|.*: Pdf\w+Error\(.*|.*: Object .* not defined.*", re.DOTALL
)


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.damage: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.thread == self._thread and _LOSSES.fullmatch(f"{record.name}: {message}"):
            self.damage.append(message)


@contextmanager
def damage_heard() -> Iterator[list[str]]:
    """A list that fills with pypdf's warnings of lost data, as this thread reads.

    While it listens nothing of pypdf's log reaches the terminal, unless the program set up logging.

    >>> with damage_heard() as damage:
    ...     logging.getLogger("pypdf.filters").warning("invalid block type")
    ...     logging.getLogger("pypdf._reader").warning("EOF marker not found")
    >>> damage
    ['invalid block type']
    """
    listener = _Listener()
    log = logging.getLogger("pypdf")
    log.addHandler(listener)
    try:
        yield listener.damage
    finally:
        log.removeHandler(listener)
