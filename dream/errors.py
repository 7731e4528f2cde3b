"""What went wrong, where, and what to do: the errors that a user meets."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

# What stands before the @ of an address, with a scheme or as user:password.
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s'\"]*@|[^\s'\"/@:]+:[^\s'\"/@]+@")
_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
_SHORTEST = 8  # letters of a value that is taken for a secret; a shorter one would strike out words


def masked(text: str) -> str:
    """The text without passwords in addresses, and without what the environment holds under secret names.

    >>> masked("cannot reach s3://me:password@bucket/documents")
    'cannot reach s3://***@bucket/documents'
    """
    text = _IN_ADDRESS.sub("***@", text)
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and value in text and _SECRET_NAME.search(name):
            text = text.replace(value, "***")
    return text


class DreamError(Exception):
    """A mistake that a person can mend, told in one sentence.

    Args:
        what: what is wrong, with the value that was seen.
        where: the file and line, the study field, the address or the object it was seen in.
        todo: what to do about it.

    >>> print(DreamError("top_k is 0", where="study.yaml:12 search.top_k", todo="use 1 or more"))
    study.yaml:12 search.top_k: top_k is 0; use 1 or more
    """

    def __init__(self, what: str, where: str = "", todo: str = "") -> None:
        # Libraries like to repeat the address or the header that they were given.
        self.what, self.where, self.todo = map(masked, (what, where, todo))
        super().__init__(
            self.what, self.where, self.todo
        )  # all three, so that the error survives pickling by Ray

    def __str__(self) -> str:
        said = f"{self.where}: {self.what}" if self.where else self.what
        return f"{said}; {self.todo}" if self.todo else said


def told(error: BaseException) -> str:
    """An error in words: a person's mistake as its sentence, any other with its kind.

    >>> told(DreamError("top_k is 0", todo="use 1 or more")), told(ValueError("no digit"))
    ('top_k is 0; use 1 or more', 'ValueError: no digit')
    """
    return str(error) if isinstance(error, DreamError) else f"{type(error).__name__}: {error}"


class StudyError(DreamError):
    """The study file, or what it names, is not usable."""

    @classmethod
    def of(cls, problems: Sequence[DreamError]) -> StudyError:
        """One error that tells several problems, a line each."""
        first, *others = (str(problem) for problem in problems)
        return cls("\n".join([first, *others]))


class StorageError(DreamError):
    """An object is missing, damaged, or the folder or bucket cannot be reached."""


class CorruptObject(StorageError):
    """What was read is not what was written: its hash differs."""


class MissingObject(StorageError):
    """Nothing is stored under that key."""


class ModelError(DreamError):
    """A model call failed for good, after its retries."""


class NoScore(DreamError):
    """A metric could not give a number; the reason is kept beside the missing score."""


class NotApplicable(NoScore):
    """The metric has no meaning for this question, such as recall without any evidence."""
