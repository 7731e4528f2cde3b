"""A folder of mixed files: each is read or told, the rest goes on, the same files give the same digest."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dream.corpus import PARSER_ID, gather, list_files, push_corpus, read_corpus, read_document
from dream.errors import DreamError, StorageError
from dream.records import Corpus, Document, Problem, digest_of, from_json, to_json
from tests.corpus import files
from tests.corpus.files import PAGES, pdf
from tests.servers.s3 import S3Server


def write(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


MIXED = {
    "good.pdf": pdf(*PAGES),
    "sub/copy.pdf": pdf(*PAGES),
    "half.pdf": pdf(*PAGES)[:900],
    "locked.pdf": files.locked(pdf(*PAGES), "secret"),
    "nothing.txt": b"",
    "scan.pdf": pdf(files.scan),
    "french.txt": "Le café est fermé l’été. La crème brûlée coûte 5 €.".encode("cp1252"),
    "minutes.docx": b"PK\x03\x04",
    "README": b"no suffix",
    "page.html": b"<title>Rates</title><p>At most 600.",
    "notes.md": b"# Notes\n",
    ".DS_Store": b"\0\0",
    "sub/.hidden/a.txt": b"hidden",
    "Thumbs.db": b"\0",
}


def test_of_mixed_files_each_is_read_or_told(tmp_path: Path) -> None:
    corpus = read_corpus(str(write(tmp_path, MIXED)))
    assert [document.id for document in corpus.documents] == [
        "french.txt", "good.pdf", "notes.md", "page.html",
    ]  # fmt: skip
    assert [(problem.id, problem.kind, problem.skipped) for problem in corpus.problems] == [
        ("README", "unsupported", True),
        ("french.txt", "encoding", False),
        ("half.pdf", "corrupt", True),
        ("locked.pdf", "encrypted", True),
        ("minutes.docx", "unsupported", True),
        ("nothing.txt", "empty", True),
        ("scan.pdf", "image-only", True),
        ("sub/copy.pdf", "duplicate", True),
    ]
    assert "'good.pdf'" in corpus.problems[-1].reason
    assert corpus.documents[1].origin == str(tmp_path / "good.pdf")


def test_the_same_files_give_the_same_digest_anywhere(tmp_path: Path) -> None:
    one = read_corpus(str(write(tmp_path / "one", MIXED)))
    two = read_corpus(str(write(tmp_path / "two", dict(reversed(MIXED.items())))))
    assert one.digest == two.digest
    assert one.digest == digest_of([[document.id, document.digest] for document in one.documents])
    changed = read_corpus(str(write(tmp_path / "two", {"notes.md": b"# Other notes\n"})))
    assert changed.digest != one.digest


def test_duplicates_are_found_in_any_order_by_bytes_and_by_text() -> None:
    parsed = [
        read_document(id, data, "")
        for id, data in [
            ("c.txt", b"same\r\n"),
            ("b.txt", b"same\n"),
            ("a.md", b"other"),
            ("d.txt", b"same\n"),
        ]
    ]
    for order in (parsed, parsed[::-1]):
        corpus = gather(order)
        assert [document.id for document in corpus.documents] == ["a.md", "b.txt"]
        assert [(problem.id, problem.kind) for problem in corpus.problems] == [
            ("c.txt", "duplicate"),
            ("d.txt", "duplicate"),
        ]
        assert all("'b.txt'" in problem.reason for problem in corpus.problems)


def test_a_corpus_without_any_document_is_an_error_with_counts(tmp_path: Path) -> None:
    write(tmp_path, {"a.pdf": b"no", "b.txt": b"", "c.txt": b" "})
    with pytest.raises(DreamError) as told:
        read_corpus(str(tmp_path))
    assert told.value.where == str(tmp_path)
    assert "1 corrupt, 2 empty" in told.value.what


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    for wrong, words in [("nowhere", "no such folder"), ("a.txt", "this is a file")]:
        with pytest.raises(DreamError, match=words):
            list_files(str(tmp_path / wrong))
    (tmp_path / "a.txt").unlink()
    with pytest.raises(DreamError, match="no files"):
        list_files(str(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_file_name_that_is_no_unicode_is_read(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_bytes(b"text")
    corpus = read_corpus(str(tmp_path))
    assert [document.id for document in corpus.documents] == ["caf\\udce9.txt"]


def test_what_was_read_survives_the_ledger() -> None:
    document, problems = read_document("a.pdf", pdf(*PAGES, files.scan), "corpus/a.pdf")
    assert document is not None
    assert from_json(Document, to_json(document)) == document
    assert from_json(Problem, to_json(problems[0])) == problems[0]
    corpus = Corpus((document,), problems, "")
    assert from_json(Corpus, to_json(corpus)) == corpus
    assert "pypdf" in PARSER_ID


def test_push_to_a_folder_sends_once_and_then_only_what_changed(tmp_path: Path) -> None:
    folder, target = write(tmp_path / "from", MIXED), tmp_path / "to"
    seen: list[tuple[str, int, bool]] = []
    sent = push_corpus(folder, str(target), lambda *told: seen.append(told))
    visible = {name: data for name, data in MIXED.items() if name[0] != "." and "/." not in name}
    del visible["Thumbs.db"]
    assert (sent.uploaded, sent.skipped, sent.bytes) == (len(visible), 0, sum(map(len, visible.values())))
    assert sorted(seen) == sorted((name, len(data), False) for name, data in visible.items())
    assert {name: (target / name).read_bytes() for name in visible} == visible
    assert not (target / ".DS_Store").exists()
    # the same size, another content
    (folder / "README").write_bytes(b"NO SUFFIX")
    again = push_corpus(folder, str(target))
    assert (again.uploaded, again.skipped, again.bytes) == (1, len(visible) - 1, 9)
    assert (target / "README").read_bytes() == b"NO SUFFIX"


@pytest.mark.servers
def test_push_to_s3_and_read_from_there(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    folder, url = write(tmp_path, MIXED), f"s3://{s3.bucket()}/team/docs"
    first, again = push_corpus(folder, url), push_corpus(folder, url)
    assert (first.skipped, again.uploaded, again.skipped) == (0, 0, first.uploaded)
    there, here = read_corpus(url), read_corpus(str(folder))
    assert there.digest == here.digest
    assert there.problems == here.problems
    assert there.documents[1].origin == f"{url}/good.pdf"


@pytest.mark.servers
def test_push_does_not_send_what_another_program_put_there(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    bucket = s3.bucket()
    s3.client().put_object(Bucket=bucket, Key="docs/a.txt", Body=b"hello")
    s3.client().put_object(Bucket=bucket, Key="docs/", Body=b"")
    folder = write(tmp_path, {"a.txt": b"hello", "b.txt": b"other"})
    pushed = push_corpus(folder, f"s3://{bucket}/docs")
    assert (pushed.uploaded, pushed.skipped, pushed.bytes) == (1, 1, 5)
    assert [file.id for file in list_files(f"s3://{bucket}/docs")] == ["a.txt", "b.txt"]


@pytest.mark.servers
def test_a_bucket_that_is_not_there_is_told(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match="bucket does not exist"):
        push_corpus(write(tmp_path, {"a.txt": b"hello"}), "s3://no-such-bucket/docs")
