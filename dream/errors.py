"""What went wrong, where, and what to do: the errors that a user meets."""

from __future__ import annotations

from collections.abc import Sequence


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
        self.what, self.where, self.todo = what, where, todo
        super().__init__(what, where, todo)  # all three, so that the error survives pickling by Ray

    def __str__(self) -> str:
        said = f"{self.where}: {self.what}" if self.where else self.what
        return f"{said}; {self.todo}" if self.todo else said


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
