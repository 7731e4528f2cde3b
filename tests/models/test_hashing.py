"""The hashing embedding: alike texts are near, and nothing but the text decides the vector."""

from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer

from dream.errors import DreamError
from dream.models.hashing import FUNCTION_WORDS, embed_by_hashing

TEXTS = [
    "The capital of France is Paris.",
    "Bread is made of flour.",
    "",
    "?!",
    "of the and",
    "naïve café 向量",
    "a B c a b, the cat's 2 cats; Cats of the cat of cats! _x_ 3.14",
]


def test_unit_length_or_zero_and_no_nan() -> None:
    vectors = embed_by_hashing(TEXTS, 384)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 0, 0, 1, 1, 1], abs=1e-6)
    assert embed_by_hashing([], 8).shape == (0, 8)


def test_the_same_bits_in_any_company_and_order() -> None:
    alone = np.concatenate([embed_by_hashing([text], 384) for text in TEXTS])
    assert np.array_equal(embed_by_hashing(TEXTS, 384), alone)
    assert np.array_equal(embed_by_hashing(TEXTS[::-1], 384), alone[::-1])


def test_content_outweighs_function_words() -> None:
    question, answer, chatter = embed_by_hashing(
        ["What is the capital of France?", "Paris, capital of France", "What is the use of the thing?"], 2048
    )
    assert question @ answer > 0.6
    assert question @ chatter < 0.2


def test_pairs_count() -> None:
    question, same, turned = embed_by_hashing(
        ["machine learning", "machine learning", "learning machine"], 384
    )
    assert question @ turned < 0.95 < question @ same


def test_vectors_stay_what_they_are() -> None:
    """Ledgers hold these vectors: whoever changes them must change HASHING_ID too."""
    vector = embed_by_hashing(["Ray runs tasks on the cluster"], 16)[0]
    assert [round(float(value), 4) for value in vector] == [
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        -0.0476,
        -0.5238,
        -0.2381,
        0.2857,
        0.5238,
        -0.5238,
        0.0,
        0.1905,
        0.0,
    ]


@pytest.mark.parametrize("dimensions", [1, 16, 384, 2048])
def test_counts_are_those_of_scikit_learn(dimensions: int) -> None:
    def counted(ngrams: tuple[int, int], **more: Any) -> Any:
        found = HashingVectorizer(
            n_features=dimensions, token_pattern=r"\b\w+\b", ngram_range=ngrams, norm=None, **more
        ).transform(TEXTS)
        return (np.sign(found.toarray()) * np.sqrt(abs(found.toarray()))).astype(np.float64)

    stop = {"stop_words": list(FUNCTION_WORDS)}
    sums = counted((1, 1), **stop) + 0.5 * counted((2, 2), **stop) + 0.1 * counted((1, 1))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    theirs = (sums / np.where(lengths > 0, lengths, 1)).astype(np.float32)

    assert np.array_equal(embed_by_hashing(TEXTS, dimensions), theirs)


def test_no_dimensions_is_refused() -> None:
    with pytest.raises(DreamError, match="dimensions is 0; use 1 or more"):
        embed_by_hashing(["a"], 0)
