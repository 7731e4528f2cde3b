"""A folder and a bucket keep the same promises; the bucket is on a real S3 server."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dream.errors import CorruptObject, MissingObject, StorageError
from dream.storage import Bucket, Folder, Storage, open_storage

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path) -> Storage:
    return open_storage(tmp_path / "store")


@pytest.fixture
def bucket(s3, monkeypatch) -> Storage:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return open_storage(f"s3://{s3.bucket()}/some/prefix")


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.servers)])
def storage(request) -> Storage:
    return request.getfixturevalue(request.param)


KEYS = ["a.txt", "notes/a b.txt", "notes/déjà vu 文.txt", "notes/deep/er/x", "notes+1&2=3%20.txt", "#?;:@!"]


@pytest.mark.parametrize("key", KEYS)
def test_what_is_put_is_got(storage, key):
    assert not storage.exists(key) and storage.digest(key) is None
    digest = storage.put(key, b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest() == storage.digest(key)
    assert storage.get(key) == storage.get(key, digest) == b"hello"
    assert storage.exists(key)
    assert [(found.key, found.size) for found in storage.list()] == [(key, 5)]


def test_a_second_put_replaces_the_first(storage):
    storage.put("a", b"old and long")
    storage.put("a", b"new")
    assert storage.get("a") == b"new" and [found.size for found in storage.list()] == [3]


def test_an_empty_object_is_an_object(storage):
    digest = storage.put("empty", b"")
    assert storage.exists("empty") and storage.get("empty", digest) == b""


def test_listing_is_by_prefix_and_in_order(storage):
    for key in ["b/2", "b/10", "ab/1", "b-side", "c"]:
        storage.put(key, b"x")
    listed = {prefix: [found.key for found in storage.list(prefix)] for prefix in ("", "b", "b/", "b/1", "z")}
    assert listed == {
        "": ["ab/1", "b-side", "b/10", "b/2", "c"],
        "b": ["b-side", "b/10", "b/2"],
        "b/": ["b/10", "b/2"],
        "b/1": ["b/10"],
        "z": [],
    }


def test_what_is_deleted_is_gone_and_may_be_deleted_again(storage):
    storage.put("a", b"x")
    storage.delete("a")
    storage.delete("a")
    storage.delete("never/was")
    assert not storage.exists("a") and list(storage.list()) == []


def test_a_missing_object_is_told_by_its_address(storage):
    with pytest.raises(MissingObject) as told:
        storage.get("not/there")
    assert str(told.value).startswith(f"{storage.url}/not/there: nothing is stored there")


@pytest.mark.parametrize("key", ["../out", "notes/../../out", "notes/.."])
def test_a_key_cannot_leave_the_storage(storage, key):
    for verb in (storage.get, storage.exists, storage.delete, storage.digest):
        with pytest.raises(StorageError, match="must not leave"):
            verb(key)
    with pytest.raises(StorageError, match="must not leave"):
        storage.put(key, b"x")


@pytest.mark.parametrize("key", ["", "/etc/hostname", "/"])
def test_a_file_outside_the_folder_is_out_of_reach(folder, key):
    for verb in (folder.get, folder.exists, folder.delete, folder.digest):
        with pytest.raises(StorageError, match="must not leave"):
            verb(key)


def test_bytes_that_are_not_those_asked_for_are_refused(storage):
    storage.put("a", b"hello")
    with pytest.raises(CorruptObject, match=r"/a: its hash is not the one"):
        storage.get("a", hashlib.sha256(b"other").hexdigest())


def test_a_flipped_bit_on_the_disk_is_seen(folder):
    digest = folder.put("a", bytes(1000))
    path = folder.root / "a"
    damaged = bytearray(path.read_bytes())
    damaged[500] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(CorruptObject, match="hash"):
        folder.get("a", digest)


@pytest.mark.servers
def test_a_bucket_knows_the_hash_by_itself(bucket):
    digest = bucket.put("a", b"hello")
    whole = f"{bucket.prefix}a"
    bucket.client.put_object(Bucket=bucket.bucket, Key=whole, Body=b"hallo", Metadata={"sha256": digest})
    with pytest.raises(CorruptObject):
        bucket.get("a")


@pytest.mark.servers
def test_an_object_that_others_wrote_has_a_digest_too(bucket):
    bucket.client.put_object(Bucket=bucket.bucket, Key=f"{bucket.prefix}theirs", Body=b"hello")
    assert bucket.digest("theirs") == hashlib.sha256(b"hello").hexdigest()
    assert bucket.get("theirs") == b"hello"


@pytest.mark.servers
def test_a_prefix_is_a_folder_of_its_own(bucket):
    beside = open_storage(f"s3://{bucket.bucket}/some/prefix-2")
    bucket.put("a", b"1")
    beside.put("b", b"2")
    assert [found.key for found in bucket.list()] == ["a"]
    assert [found.key for found in beside.list()] == ["b"]


@pytest.mark.servers
def test_a_listing_goes_on_after_a_thousand_keys(bucket):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: bucket.put(f"{number:04}", b""), range(1005)))
    assert [found.key for found in bucket.list()] == [f"{number:04}" for number in range(1005)]


WRITER = """
import sys
from dream.storage import open_storage
storage = open_storage(sys.argv[1])
letter = 0
while True:
    letter = (letter + 1) % 26
    storage.put("large", bytes([65 + letter]) * int(sys.argv[2]))
    print("put", flush=True)
"""


@pytest.mark.parametrize("milliseconds", [1, 7, 18])
def test_a_writer_killed_in_the_middle_leaves_a_whole_object(storage, milliseconds):
    size = 12_000_000
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, storage.url, str(size)], cwd=ROOT, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"put\n"
        time.sleep(milliseconds / 1000)
        os.kill(writer.pid, signal.SIGKILL)
    data = storage.get("large")
    assert len(data) == size and data == data[:1] * size
    assert storage.digest("large") == hashlib.sha256(data).hexdigest()
    assert [found.key for found in storage.list()] == ["large"]


def test_a_file_that_is_being_written_is_not_listed(folder):
    folder.put("notes/a", b"x")
    (folder.root / "notes" / ".writing-abc").write_bytes(b"half")
    assert [found.key for found in folder.list()] == ["notes/a"]


def put_from_elsewhere(storage: Storage) -> str:
    return storage.put("from/elsewhere", b"hello")


def test_a_storage_travels_between_processes(storage):
    storage.put("here", b"x")  # so that a bucket's client is open and stays behind
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        digest = pool.apply(put_from_elsewhere, [storage])
    assert storage.get("from/elsewhere", digest) == b"hello"
    assert pickle.loads(pickle.dumps(storage)).url == storage.url


FULL = """
import resource, signal, sys
from dream.errors import StorageError
from dream.storage import open_storage
storage = open_storage(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    storage.put("a", bytes(1_000_000))
except StorageError as error:
    print(error)
"""


def test_a_full_disk_is_one_sentence_and_the_old_object_stays(folder):
    folder.put("a", b"old")
    told = subprocess.run(
        [sys.executable, "-c", FULL, folder.url], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == f"{folder.root / 'a'}: cannot write: File too large; free space or mend rights\n"
    assert folder.get("a") == b"old"
    assert [path.name for path in folder.root.iterdir()] == ["a"]


def test_a_file_where_a_folder_should_be_is_one_sentence(folder):
    folder.put("a", b"x")
    for verb in (lambda: folder.put("a/b", b"x"), lambda: folder.get("a/b")):
        with pytest.raises(StorageError) as told:
            verb()
        assert "\n" not in str(told.value)
    folder.delete("a/b")
    assert folder.digest("a/b") is None and not folder.exists("a/b")


def message_of(url: str) -> str:
    """What one is told who reads, writes and lists there: always the same kind of sentence."""
    storage = open_storage(url)
    said = []
    for verb in (lambda: storage.get("a"), lambda: storage.put("a", b"x"), lambda: list(storage.list("a"))):
        with pytest.raises(StorageError) as told:
            verb()
        said.append(str(told.value))
        assert "\n" not in said[-1] and type(told.value) is StorageError
    return "\n".join(said)


@pytest.mark.servers
def test_wrong_credentials_are_told_without_the_secret(s3, monkeypatch):
    bucket = s3.bucket()
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-value")
    if s3.program == "moto":
        pytest.skip("moto lets everybody in")
    said = message_of(f"s3://{bucket}/x")
    assert said.count("check the AWS_* credentials") == 3
    assert "wrong-secret-value" not in said and s3.secret_key not in said


@pytest.mark.servers
def test_a_bucket_that_is_not_there_is_told(s3, monkeypatch):
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    assert message_of("s3://no-such-bucket-here/x").count("the bucket does not exist") == 3


def test_an_endpoint_that_nobody_listens_on_is_told(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses at once
        port = taken.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-value")
        storage = Bucket("b")
        with pytest.raises(StorageError) as told:
            storage.get("a")
    said = str(told.value)
    assert "s3://b/a" in said and f"127.0.0.1:{port}" in said and "AWS_ENDPOINT_URL" in said
    assert "\n" not in said and "wrong-secret-value" not in said


@pytest.fixture
def somebody(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-value")


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWS_ENDPOINT_URL", "localhost:9000", "Invalid endpoint: localhost:9000"),
        ("AWS_PROFILE", "nobody", "The config profile (nobody) could not be found"),
        ("AWS_DEFAULT_REGION", "not a region", "not a region"),
    ],
)
def test_settings_that_boto_cannot_use_are_one_sentence(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    told = message_of("s3://b/x")
    assert told.count(said) >= 3 and told.count("check AWS_ENDPOINT_URL (http://HOST:PORT)") == 3
    assert "wrong-secret-value" not in told


@pytest.mark.usefixtures("somebody")
def test_a_connection_that_breaks_off_in_the_body_is_one_sentence(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

        threading.Thread(target=answer, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(StorageError) as told:
            Bucket("b").get("a")
    assert str(told.value).startswith("s3://b/a: ") and "\n" not in str(told.value)


@pytest.mark.parametrize("address", ["gs://bucket/x", "http://host/x", "s3://", "s3:///x"])
def test_other_addresses_are_refused(address):
    with pytest.raises(StorageError):
        open_storage(address)


def test_a_home_folder_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    opened = open_storage("~/ledger")
    assert isinstance(opened, Folder) and opened.root == tmp_path / "ledger"
