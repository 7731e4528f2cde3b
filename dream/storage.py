"""A folder or an S3 bucket behind five verbs: put, get, exists, list, delete.

Keys are relative paths with ``/`` between their parts. A write is seen whole or not at all, even
when the process dies in the middle; a read that is given a digest returns exactly those bytes or fails.

>>> import tempfile
>>> storage = open_storage(tempfile.mkdtemp())
>>> digest = storage.put("notes/a.txt", b"hello")
>>> storage.get("notes/a.txt", digest), storage.exists("notes/b.txt")
(b'hello', False)
>>> [found.key for found in storage.list()]
['notes/a.txt']
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dream.errors import CorruptObject, MissingObject, StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


Answer = TypeVar("Answer")


class AwayError(StorageError):
    """The server of a bucket cannot be reached, or fails; it may come back."""


@dataclass(frozen=True)
class StoredObject:
    """What a listing tells of an object: its key and its size in bytes."""

    key: str
    size: int


class Storage(Protocol):
    """Where DREAM keeps what it makes; see the module for what each verb promises."""

    url: str

    def put(self, key: str, data: bytes) -> str:
        """Write whole or not at all; gives the SHA-256 of the data."""

    def get(self, key: str, digest: str | None = None) -> bytes:
        """Read; with a digest, raise CorruptObject unless the bytes have it."""

    def exists(self, key: str) -> bool:
        """Whether something is stored under the key."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects whose key starts with the prefix, in order of their keys."""

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens if there is none."""

    def digest(self, key: str) -> str | None:
        """SHA-256 of what is stored, found without transferring it where that is possible."""


# Seconds for which a bucket that has answered before is waited for when its server is away.
PATIENCE = 90.0


def open_storage(url: str | Path, *, proven: bool = False) -> Storage:
    """The folder at a path, or the bucket and prefix at ``s3://bucket/prefix``.

    S3 credentials, region and ``AWS_ENDPOINT_URL`` are taken from the environment, as boto3 does; they
    are never part of the address.

    Args:
        url: the address.
        proven: it has answered before, in another process: if its server is away it is waited for.

    Raises:
        StorageError: the address is of another kind.
    """
    text = str(url)
    if text.startswith("s3://"):
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        if "@" in bucket:
            what, todo = (
                "a key must not stand in an address",
                "export AWS_ACCESS_KEY_ID and its secret instead",
            )
            raise StorageError(what, text, todo)
        if not bucket:
            raise StorageError("no bucket in the address", text, "write s3://bucket/prefix")
        return Bucket(bucket, prefix.strip("/"), proven)
    if "://" in text:
        raise StorageError("this kind of address is not known", text, "give a folder or s3://bucket/prefix")
    return Folder(Path(text).expanduser())


def _checked(key: str) -> str:
    """The key, unless it is none or climbs out of where the storage lies."""
    if not key or ".." in key.split("/"):
        raise StorageError("a key must not leave the storage", repr(key), "give a relative path without '..'")
    return key


def _verified(data: bytes, digest: str | None, where: str) -> bytes:
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise CorruptObject("its hash is not the one it was written with", where, "delete it and run again")
    return data


class Folder:
    """Objects as files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.url = str(self.root)

    def _path(self, key: str) -> Path:
        if key.startswith("/"):
            raise StorageError("a key must not leave the storage", repr(key), "give a relative path")
        return self.root / _checked(key)

    def put(self, key: str, data: bytes) -> str:
        """Write to a temporary file beside the target, then rename, which POSIX makes atomic."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                Path(temporary).chmod(0o644)
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StorageError(
                f"cannot write: {error.strerror}", str(path), "free space or mend rights"
            ) from None
        return hashlib.sha256(data).hexdigest()

    def get(self, key: str, digest: str | None = None) -> bytes:
        """Read the file; see Storage."""
        path = self._path(key)
        try:
            return _verified(path.read_bytes(), digest, str(path))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise MissingObject("nothing is stored there", str(path), "check the path") from None
        except OSError as error:
            raise StorageError(f"cannot read: {error.strerror}", str(path), "mend its rights") from None

    def exists(self, key: str) -> bool:
        """Whether the file is there."""
        return self._path(key).is_file()

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Walk the folder; files that are being written are not shown."""
        found = []
        for folder, _, names in os.walk(self.root / prefix.rpartition("/")[0]):
            for name in names:
                path = Path(folder, name)
                key = path.relative_to(self.root).as_posix()
                # a link to nothing is listed by the folder and is no file
                if key.startswith(prefix) and not name.startswith(".writing-") and path.is_file():
                    found.append(StoredObject(key, path.stat().st_size))
        yield from sorted(found, key=lambda stored: stored.key)

    def delete(self, key: str) -> None:
        """Remove the file."""
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise StorageError(f"cannot delete: {error.strerror}", str(path), "mend its rights") from None

    def digest(self, key: str) -> str | None:
        """Hash the file, if there is one."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageError(f"cannot read: {error.strerror}", str(path), "mend its rights") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return (Folder, (self.root,))


class Bucket:
    """Objects in an S3 bucket below a prefix, on any S3 server, by path-style addresses.

    A server that has answered once, and then does not, is being restarted or moved: it is waited for, so
    that what was paid for in the meantime is not lost. One that never answered is told of at once.
    """

    def __init__(self, bucket: str, prefix: str = "", proven: bool = False) -> None:
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""
        self._proven = proven
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")

    @cached_property
    def client(self) -> S3Client:
        """Made on first use in each process; boto3 clients may be shared by threads."""
        import boto3
        from botocore.config import Config

        # Path style and checksums "when required": what every S3 server understands.
        config = Config(
            connect_timeout=5,
            read_timeout=60,
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "max_attempts": 6},
            max_pool_connections=64,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # A session of its own: boto3's shared one keeps the first credentials that it saw.
        return boto3.Session().client("s3", config=config)

    def _patiently(self, key: str, ask: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with _in_one_sentence(f"s3://{self.bucket}/{self.prefix}{key}"):
                    answer = ask()
            except MissingObject:
                self._proven = True
                raise
            except AwayError:
                if not self._proven or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.2, 1.0))
            else:
                self._proven = True
                return answer

    def _call(self, verb: str, key: str, **arguments: Any) -> Any:
        named = {"Bucket": self.bucket, "Key": self.prefix + _checked(key), **arguments}
        return self._patiently(key, lambda: getattr(self.client, verb)(**named))

    def put(self, key: str, data: bytes) -> str:
        """Write by one request, which S3 makes atomic; the hash travels as metadata."""
        digest = hashlib.sha256(data).hexdigest()
        self._call("put_object", key, Body=data, Metadata={"sha256": digest})
        return digest

    def get(self, key: str, digest: str | None = None) -> bytes:
        """Read; without a digest, the one that was stored with the object is verified."""

        def ask() -> tuple[bytes, str | None]:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + _checked(key))
            return answer["Body"].read(), answer["Metadata"].get("sha256")  # it may break off in the body

        data, stored = self._patiently(key, ask)
        return _verified(data, digest or stored, f"s3://{self.bucket}/{self.prefix}{key}")

    def exists(self, key: str) -> bool:
        """Ask for the object's head."""
        try:
            self._call("head_object", key)
        except MissingObject:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """List by pages of a thousand keys."""
        where = f"s3://{self.bucket}/{self.prefix}{prefix}"
        with _in_one_sentence(where):
            pages = iter(
                self.client.get_paginator("list_objects_v2").paginate(
                    Bucket=self.bucket, Prefix=self.prefix + prefix
                )
            )
        while True:
            with _in_one_sentence(where):
                page = next(pages, None)
            if page is None:
                return
            for found in page.get("Contents", ()):
                yield StoredObject(found["Key"].removeprefix(self.prefix), found["Size"])

    def delete(self, key: str) -> None:
        """Remove the object."""
        self._call("delete_object", key)

    def digest(self, key: str) -> str | None:
        """The hash in the object's metadata; an object that others wrote is read and hashed."""
        try:
            head = self._call("head_object", key)
        except MissingObject:
            return None
        stored: str | None = head["Metadata"].get("sha256")
        return stored or hashlib.sha256(self.get(key)).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:  # Ray sends storages between processes; a client cannot travel
        return (Bucket, (self.bucket, self.prefix.rstrip("/"), self._proven))


@contextmanager
def _in_one_sentence(where: str) -> Iterator[None]:
    """Tell what boto3 raises, from making its client to the last byte of a body, as a StorageError."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,
        HTTPClientError,
        IncompleteReadError,
    )

    todo = "check AWS_ENDPOINT_URL (http://HOST:PORT), AWS_REGION and the AWS_* credentials"
    try:
        yield
    except ClientError as error:
        raise _told(error, where) from None
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise AwayError(" ".join(str(error).split()).rstrip("."), where, todo) from None
    except (BotoCoreError, ValueError) as error:  # the latter for an endpoint that is no address
        # botocore's texts name the endpoint and what is missing, never a secret
        said = " ".join(str(error).split()).rstrip(".")
        if said.startswith("Invalid endpoint") and not re.fullmatch(r".*: [\w.-]+:\d+", said):
            said = "AWS_ENDPOINT_URL is no address"  # but perhaps a key in the wrong place
        raise StorageError(said, where, todo) from None


def _told(error: Any, where: str) -> StorageError:
    """The server's refusal in one sentence."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in {"NoSuchKey", "404", "NotFound"}:
        return MissingObject("nothing is stored there", where, "check the key")
    if code == "NoSuchBucket":
        return StorageError("the bucket does not exist", where, "create it or mend the name")
    if code in {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return StorageError(f"the S3 server refused access ({code})", where, "check the AWS_* credentials")
    kind = (
        AwayError
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
        else StorageError
    )
    return kind(f"the S3 server answered {code or error}", where, "look at the server's log")
