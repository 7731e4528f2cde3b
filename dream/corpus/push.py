"""Copy a folder of documents to an S3 bucket, or to any storage, without sending what is there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from dream.corpus.source import SourceFile, list_files
from dream.storage import Storage, open_storage

_AT_ONCE = 8


@dataclass(frozen=True)
class PushResult:
    """What a push did.

    Attributes:
        uploaded: how many files were sent.
        skipped: how many were there with the same content.
        bytes: how many bytes were sent.
    """

    uploaded: int
    skipped: int
    bytes: int


def push_corpus(
    folder: Path, target: str, progress: Callable[[str, int, bool], None] | None = None
) -> PushResult:
    """Upload the files of a folder, hidden ones excepted, several at once.

    A file is skipped where the target holds one of the same size and SHA-256; nothing is removed there.

    Args:
        folder: where the files are; their paths below it become the keys.
        target: ``s3://bucket/prefix``, or another folder.
        progress: called in this thread after each file with its key, its size in bytes, and whether it
            was skipped.

    Raises:
        DreamError: the folder is not there or holds no file.
        StorageError: the target cannot be reached or refuses; what was sent until then stays.

    >>> import tempfile
    >>> folder, target = Path(tempfile.mkdtemp()), tempfile.mkdtemp()
    >>> _ = (folder / "a.txt").write_text("hello")
    >>> push_corpus(folder, target)
    PushResult(uploaded=1, skipped=0, bytes=5)
    >>> push_corpus(folder, target)
    PushResult(uploaded=0, skipped=1, bytes=0)
    """
    files = list_files(str(folder))
    source, goal = open_storage(folder), open_storage(target)
    sizes = {stored.key: stored.size for stored in goal.list()}
    uploaded = skipped = sent = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = {pool.submit(_send, file, source, goal, sizes.get(file.id)): file for file in files}
        try:
            for job in as_completed(jobs):
                file, was_there = jobs[job], job.result()
                if was_there:
                    skipped += 1
                else:
                    uploaded, sent = uploaded + 1, sent + file.size
                if progress:
                    progress(file.id, file.size, was_there)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # one refusal is enough; Ctrl-C too
            raise
    return PushResult(uploaded, skipped, sent)


def _send(file: SourceFile, source: Storage, goal: Storage, size_there: int | None) -> bool:
    """Send one file; whether it was there already."""
    # sizes differ more often than not, and then no hash need be asked for
    if size_there == file.size and goal.digest(file.id) == source.digest(file.key):
        return True
    goal.put(file.id, source.get(file.key))
    return False
