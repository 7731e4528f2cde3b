"""MiniLM against sentence-transformers' own vectors, and the promises that the ledger relies on."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from dream.errors import DreamError
from dream.models import minilm

REFERENCE = json.loads(Path(__file__).with_name("minilm_reference.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def embed(cache: Path) -> minilm.Embed:
    return minilm.open_minilm(cache=cache)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the model's folder that a test may damage."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in minilm.SHA256:
        shutil.copyfile(minilm._installed_model() / name, folder / name)
    return folder


def test_equals_sentence_transformers(embed: minilm.Embed) -> None:
    expected = np.array(REFERENCE["vectors"])
    vectors = embed(REFERENCE["texts"])
    assert vectors.shape == (len(REFERENCE["texts"]), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = (vectors * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)
    assert dict(zip(REFERENCE["texts"], cosines, strict=True)) == pytest.approx(
        dict.fromkeys(REFERENCE["texts"], 1), abs=1e-5
    )


def test_a_vector_is_the_same_bits_in_any_company_and_order(embed: minilm.Embed, cache: Path) -> None:
    # Texts of 3 to 45 tokens, four of each length, so that groups of several sizes are formed.
    words = ["ray", "runs", "many", "tasks", "and", "actors", "on", "every", "node", "of", "a", "cluster"]
    texts = [" ".join([*words[start:], *words * 5][:n]) for n in (1, 5, 6, 13, 29, 43) for start in range(4)]
    texts += REFERENCE["texts"][:24]
    alone = np.concatenate([embed([text]) for text in texts])
    assert np.array_equal(embed(texts), alone)
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(texts))[: 17 + 20 * seed]
        assert np.array_equal(embed([texts[i] for i in order]), alone[order])
    assert np.array_equal(minilm.open_minilm(threads=2, cache=cache)(texts), alone)


def test_the_graph_is_built_once(embed: minilm.Embed, cache: Path) -> None:
    (built,) = cache.iterdir()
    assert built.name == f"{minilm.MINILM_ID}.onnx"
    before = built.stat()
    again = minilm.open_minilm(cache=cache)
    assert [file.name for file in cache.iterdir()] == [built.name]
    assert (built.stat().st_mtime_ns, built.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert np.array_equal(again(["Ray"]), embed(["Ray"]))


def test_the_cache_is_under_xdg_cache_home(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = f"{minilm.MINILM_ID}.onnx"
    minilm.open_minilm()
    assert (tmp_path / "dream" / name).is_file()


def test_no_texts_and_broken_unicode(embed: minilm.Embed) -> None:
    assert embed([]).shape == (0, 384)
    assert np.array_equal(embed(["broken \ud800 pair"]), embed(["broken ? pair"]))


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_other_weights_are_refused(model: Path, cache: Path, name: str) -> None:
    with (model / name).open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(
        DreamError, match=r"not the published MiniLM: its sha256 is \w{12}…, expected"
    ) as caught:
        minilm.open_minilm(cache=cache, model=model)
    assert caught.value.where == str(model / name)
    assert "\n" not in str(caught.value)


def test_missing_weights_and_missing_packages_are_told(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DreamError, match=r"model\.safetensors: cannot be read: No such file"):
        minilm.open_minilm(cache=cache, model=tmp_path)
    for package in (minilm.PACKAGE, "onnxruntime", "tokenizers"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)  # makes Python answer as if it were not installed
            with pytest.raises(DreamError, match="install the extra `minilm`"):
                minilm.open_minilm(cache=cache)


def test_a_damaged_or_unwritable_cache_is_told(tmp_path: Path) -> None:
    damaged = tmp_path / f"{minilm.MINILM_ID}.onnx"
    damaged.write_bytes(b"half a file")
    with pytest.raises(DreamError, match="damaged; delete the file"):
        minilm.open_minilm(cache=tmp_path)
    with pytest.raises(DreamError, match="cannot be written"):
        minilm.open_minilm(cache=damaged)  # a file where the folder should be
