"""Every finished piece of work, under the hash of all that went into it.

``remember(stage, inputs, compute)`` gives what was computed before for the same inputs, or computes
it, records it, and gives it. Reuse between arms, resume after a crash and replay without keys are
this one verb. Records are objects of their own, written whole or not at all, so that any number of
processes may share a ledger.

>>> from dream.storage import open_storage
>>> import tempfile
>>> ledger = Ledger(open_storage(tempfile.mkdtemp()))
>>> ledger.remember("parse", {"file": "a.pdf"}, lambda: {"pages": 3})
{'pages': 3}
>>> ledger.remember("parse", {"file": "a.pdf"}, lambda: 1 / 0)
{'pages': 3}
>>> ledger.made["parse"], ledger.reused["parse"]
(1, 1)
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from dream.claims import agreement_for, claims_beside
from dream.errors import CorruptObject, MissingObject, StorageError
from dream.records import digest_of
from dream.storage import Storage

log = logging.getLogger(__name__)

STAGES = (
    "parse", "chunk", "embed", "index", "golden", "testset", "retrieve", "generate", "judge", "trial"
)  # fmt: skip

_NOTHING = object()

_UNWRITABLE = "the storage cannot be written"  # claimed by each process whose last write failed
_PROOF = "ledger/.proof"


class Ledger:
    """The records of one storage.

    Attributes:
        storage: where the records are kept.
        made: how many pieces of work this object computed, by stage.
        reused: how many it found recorded, by stage.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.made: Counter[str] = Counter()
        self.reused: Counter[str] = Counter()
        self._claims = claims_beside(storage)

    def remember(self, stage: str, inputs: Any, compute: Callable[[], Any], *, count: int = 1) -> Any:
        """What ``compute`` gives for these inputs, computed once.

        While another process of this machine, or of the Ray cluster, computes the same, this call waits
        for its record.

        Args:
            stage: one of STAGES.
            inputs: plain JSON types: everything that the result depends on.
            compute: gives plain JSON types or bytes.
            count: how many pieces of work this is, for ``made`` and ``reused``.

        Raises:
            StorageError: the storage cannot be reached, or is full; nothing recorded is lost.
        """
        key = key_of(stage, inputs)
        while (value := self._find(key)) is _NOTHING:
            if not self._claims.take(key):
                for wait in self._waits_for(key):
                    time.sleep(wait)
                continue
            elsewhere: Future[None] | None = None
            try:
                agreed = agreement_for(self._claims, self.storage.url)
                if agreed and not agreed.ask(key).result():
                    elsewhere = agreed.freed(key)
                # Whoever held the claim may have finished between the look and the claim.
                elif (value := self._find(key)) is _NOTHING:
                    self.prove_writable()
                    value = compute()
                    self._write(key, value)
                    self.made[stage] += count
                    return value
                else:
                    break
            finally:
                self._give_back(key)
            elsewhere.result()
        self.reused[stage] += count
        return value

    def remember_many(
        self, stage: str, inputs: Sequence[Any], compute: Callable[[Sequence[int]], Sequence[Any]]
    ) -> list[Any]:
        """``remember`` for several pieces of work that are cheaper done together.

        Args:
            stage: one of STAGES.
            inputs: of each piece.
            compute: gives the values at the places it is asked for.

        Returns:
            The values, in the order of the inputs.
        """
        keys = [key_of(stage, each) for each in inputs]
        values: dict[int, Any] = {}
        while True:
            for place, key in enumerate(keys):
                if place not in values and (value := self._find(key)) is not _NOTHING:
                    values[place] = value
                    self.reused[stage] += 1
            wanted = [key for place, key in enumerate(keys) if place not in values]
            with self._claimed(wanted) as (mine, here, elsewhere):
                missing = []
                for place, key in enumerate(keys):
                    # Whoever held a claim may have finished between the look and the claim.
                    if place in values or key not in mine:
                        continue
                    if (value := self._find(key)) is _NOTHING:
                        mine = mine - {key}  # one that is asked for twice is computed once
                        missing.append(place)
                    else:
                        values[place] = value
                        self.reused[stage] += 1
                if missing:
                    self.prove_writable()
                for place, value in zip(missing, compute(missing) if missing else (), strict=True):
                    self._write(keys[place], value)
                    values[place] = value
                    self.made[stage] += 1
            if len(values) == len(keys):
                return [values[place] for place in range(len(keys))]
            for key in here:
                for wait in self._waits_for(key):
                    time.sleep(wait)
            for freed in elsewhere:
                freed.result()

    async def remember_call(
        self, stage: str, inputs: Any, compute: Callable[[], Awaitable[Any]], *, count: int = 1
    ) -> Any:
        """The same for work that is awaited, such as a model call; recorded when its answer arrives."""
        key = key_of(stage, inputs)
        while (value := await asyncio.to_thread(self._find, key)) is _NOTHING:
            if not self._claims.take(key):
                for wait in self._waits_for(key):
                    await asyncio.sleep(wait)
                continue
            elsewhere: Future[None] | None = None
            try:
                agreed = agreement_for(self._claims, self.storage.url)
                if agreed and not await asyncio.wrap_future(agreed.ask(key)):
                    elsewhere = agreed.freed(key)
                elif (value := await asyncio.to_thread(self._find, key)) is _NOTHING:
                    if self.doubted:
                        await asyncio.to_thread(self.prove_writable)
                    value = await compute()
                    await asyncio.to_thread(self._write, key, value)
                    self.made[stage] += count
                    return value
                else:
                    break
            finally:
                self._give_back(key)
            await asyncio.wrap_future(elsewhere)
        self.reused[stage] += count
        return value

    def record(self, stage: str, inputs: Any, value: Any) -> None:
        """Record work that was done elsewhere."""
        self._write(key_of(stage, inputs), value)

    def find(self, stage: str, inputs: Any) -> Any | None:
        """What is recorded, or ``None``; computes nothing and counts nothing."""
        value = self._find(key_of(stage, inputs))
        return None if value is _NOTHING else value

    def holds(self, stage: str, inputs: Any) -> bool:
        """Whether there is a record, without reading it."""
        return self.storage.exists(key_of(stage, inputs))

    @contextmanager
    def _claimed(self, keys: Sequence[str]) -> Iterator[tuple[set[str], list[str], list[Future[None]]]]:
        """Claim what can be had now: what is ours, what is claimed on this machine, waits for the others."""
        taken: list[str] = []
        try:
            taken += [key for key in dict.fromkeys(keys) if self._claims.take(key)]
            here = [key for key in keys if key not in taken]
            mine, elsewhere = set(taken), []
            if taken and (agreed := agreement_for(self._claims, self.storage.url)):
                answers = dict(zip(taken, agreed.ask_all(taken), strict=True))
                mine = {key for key in taken if answers[key]}
                elsewhere = [agreed.freed(key) for key in taken if not answers[key]]
            yield mine, here, elsewhere
        finally:
            for key in taken:
                self._give_back(key)

    def _waits_for(self, key: str) -> Iterator[float]:
        """Seconds between looks whether the key is still claimed here: soon at first, then less often."""
        wait = 0.005
        while not self._claims.free(key):
            yield wait
            wait = min(wait * 1.5, 0.1)

    def _give_back(self, key: str) -> None:
        self._claims.give_back(key)
        if agreed := agreement_for(self._claims, self.storage.url):
            agreed.given_back(key)

    def _find(self, key: str) -> Any:
        try:
            framed = self.storage.get(key)
        except MissingObject:
            return _NOTHING
        except CorruptObject as damage:
            log.warning("%s; it is computed again", damage)
            return _NOTHING
        try:
            return _unframe(framed)
        except ValueError:
            log.warning("%s: the record is damaged; it is computed again", key)
            return _NOTHING

    def _write(self, key: str, value: Any) -> None:
        try:
            self.storage.put(key, _frame(value))
        except StorageError:
            # From now on everyone on this machine proves that he can write before he pays.
            self._claims.take(_UNWRITABLE)
            raise

    @property
    def doubted(self) -> bool:
        """Whether a write has failed on this machine, and none was proven to succeed since."""
        return not self._claims.free(_UNWRITABLE)

    def prove_writable(self) -> None:
        """Where a write has failed on this machine, write something first: what is paid for must be kept.

        Raises:
            StorageError: it fails again.
        """
        if not self.doubted:
            return
        self.storage.put(_PROOF, bytes(64 * 1024))
        self.storage.delete(_PROOF)
        self._claims.give_back(_UNWRITABLE)


def key_of(stage: str, inputs: Any) -> str:
    """Where the record of that work is stored.

    >>> key_of("embed", {"text": "a"})
    'ledger/embed/b4/b403bcac939de7916c545ab87b8e2c37e459771d895158dea57357e0ed941c47'

    Raises:
        ValueError: the stage is not one of STAGES.
    """
    if stage not in STAGES:
        raise ValueError(f"{stage!r} is not a stage of the ledger; stages are {', '.join(STAGES)}")
    digest = digest_of([stage, inputs])
    return f"ledger/{stage}/{digest[:2]}/{digest}"


def _frame(value: Any) -> bytes:
    """The value behind one line that holds its kind and hash, so that any damage is seen when read."""
    if isinstance(value, bytes):
        kind, payload = b"bytes", value
    else:
        kind, payload = b"json", json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return kind + b" " + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


def _unframe(framed: bytes) -> Any:
    header, _, payload = framed.partition(b"\n")
    kind, _, digest = header.partition(b" ")
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise ValueError("hash differs")
    return payload if kind == b"bytes" else json.loads(payload)
