"""A person's way through the answers to label: the same for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dream.storage import Storage
from dream.verdict.labels import LabelRow, forget_label, store_label, stored_labels


@dataclass
class Labelling:
    """Where the labelling of one study stands; every label is stored the moment it is given.

    Attributes:
        storage: keeps the labels.
        study: the study's name.
        rows: the answers to label, in their order.
        labels: what was said so far, by the rows' ids, earlier sessions included.
        skipped: ids that were passed over; they come again the next time.
        given: ids labelled or skipped in this session, the last one last.
    """

    storage: Storage
    study: str
    rows: Sequence[LabelRow]
    labels: dict[str, bool]
    skipped: set[str] = field(default_factory=set)
    given: list[str] = field(default_factory=list)

    @property
    def next(self) -> LabelRow | None:
        """The first row that is neither labelled nor skipped."""
        seen = (row for row in self.rows if row.id not in self.labels and row.id not in self.skipped)
        return next(seen, None)

    @property
    def done(self) -> int:
        """How many of the rows are labelled."""
        return sum(row.id in self.labels for row in self.rows)

    def say(self, id: str, right: bool) -> None:
        """Label a row, and store it."""
        store_label(self.storage, self.study, id, right)
        self.labels[id] = right
        self.given.append(id)

    def skip(self, id: str) -> None:
        """Pass a row over for now."""
        self.skipped.add(id)
        self.given.append(id)

    def undo(self) -> LabelRow | None:
        """Take the last label or skip of this session back; gives the row that it was about."""
        if not self.given:
            return None
        last = self.given.pop()
        if last in self.skipped:
            self.skipped.discard(last)
        else:
            forget_label(self.storage, self.study, last)
            self.labels.pop(last, None)
        return next(row for row in self.rows if row.id == last)


def start_labelling(storage: Storage, study: str, rows: Sequence[LabelRow]) -> Labelling:
    """Go on where the last session ended."""
    return Labelling(storage, study, rows, stored_labels(storage, study))
