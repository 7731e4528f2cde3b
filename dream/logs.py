"""Log records of DREAM: one line each on standard error, of one level in all processes of a run.

Only the logger ``dream`` follows the level. Libraries may tell errors alone: what they say below that is
about their insides, and at their most talkative they print what is sent, keys included.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import TextIO

from dream.errors import masked

LEVELS = ("debug", "info", "warning", "error")
VARIABLE = "DREAM_LOG_LEVEL"  # by which Ray's workers learn the level


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at the moment, which a progress bar replaces."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None: ...


class _Masked(logging.Formatter):
    """Without a secret, whatever a record says."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class _Sending(logging.Handler):
    """Hands each record, as a line, to whoever shows it."""

    def __init__(self, send: Callable[[int, str], object]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        self._send(record.levelno, self.format(record))


def show(level: str | None = None) -> None:
    """Write records of that level and above to standard error, in this process and in workers to come.

    Args:
        level: one of LEVELS; that of DREAM_LOG_LEVEL, or else warning, if not given.
    """
    os.environ[VARIABLE] = level or os.environ.get(VARIABLE) or "warning"
    _attach(_Stderr(), "%(asctime)s %(levelname)s %(name)s: %(message)s")


def send(to: Callable[[int, str], object]) -> None:
    """In a worker: hand records of the run's level to the process that shows them."""
    _attach(_Sending(to), "%(name)s: %(message)s")


def _attach(handler: logging.Handler, form: str) -> None:
    handler.setFormatter(_Masked(form, "%H:%M:%S"))
    level = os.environ.get(VARIABLE, "warning")
    ours = logging.getLogger("dream")
    ours.setLevel((level if level in LEVELS else "warning").upper())
    ours.handlers[:] = [handler]
    ours.propagate = False
    logging.getLogger().setLevel(logging.ERROR)
    for name in ("httpx", "openai", "botocore", "boto3", "urllib3", "ray", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # a trial that is lost is tried again, and told in a sentence if that fails; Tune prints a traceback
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
