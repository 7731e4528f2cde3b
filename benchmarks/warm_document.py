"""What one more document costs in a corpus of 1,000, by the offline server's own count, and in seconds.

    python -m benchmarks.warm_document [--quick] [--json]

Two runs of `dream` on one ledger: 1,000 short documents, two methods, one question; then the same with one
more document. What the document costs of its own is what a run on it alone embeds, its question aside.
Target: the second run embeds that and nothing else.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.common import (
    counts_anew,
    dream_run,
    finish,
    outline,
    read_options,
    served_embedding,
    serving,
    write_study,
)

LATENCY = 0.2
CALLS_AT_ONCE = 64
SENTENCES = 12


def write_document(corpus: Path, number: int) -> None:
    """Sentences that no other document has."""
    text = " ".join(
        f"Machine {number} was oiled on day {day} in hall {number + day}, and {number * day} parts passed."
        for day in range(1, SENTENCES + 1)
    )
    (corpus / f"machine-{number:05}.txt").write_text(text, encoding="utf-8")


def main() -> int:
    """Run on all, on one more, and on that one alone; compare, print."""
    options = read_options(__doc__, quick="50 documents")
    documents = 50 if options.quick else 1000
    question = {"id": "q", "question": "Where was machine 3 oiled on day 4?", "reference": "In hall 7."}
    runs, counts = {}, {}
    with tempfile.TemporaryDirectory() as name, serving(0.0 if options.quick else LATENCY) as server:
        many, alone = Path(name, "many"), Path(name, "alone")
        for folder in (many, alone):
            (folder / "corpus").mkdir(parents=True)
            write_study(
                folder, server.url, llms=["lead"], calls_at_once=CALLS_AT_ONCE,
                questions=[question],
                embeddings={"served": served_embedding(server.url, 384)},
                search={"method": ["chunks", "sentence_window"]},
                metrics=["tokens_per_question", "f1"], objective="f1",
            )  # fmt: skip
        for number in range(documents):
            write_document(many / "corpus", number)
        write_document(alone / "corpus", documents)
        for run, folder in (("all", many), ("one more", many), ("alone", alone)):
            if run == "one more":
                write_document(many / "corpus", documents)
            counts_anew(server)
            runs[run] = dream_run(folder / "study.yaml", folder / "store")
            counts[run] = server.calls()
    own = counts["alone"]["embedded_texts"] - 1  # its question is another run's too
    ratio = counts["one more"]["embedded_texts"] / own
    met = ratio <= 1.0 and not any(each["repeats"] for each in counts.values())
    found = {
        "documents": documents, "own_texts": own, "latency": LATENCY,
        "texts": {name: each["embedded_texts"] for name, each in counts.items()},
        "seconds": {name: round(run.watch.seconds, 1) for name, run in runs.items()},
        "runs": {name: outline(run) for name, run in runs.items()},
    }  # fmt: skip
    return finish(options, ratio, "at most the document's own texts", met, found)


if __name__ == "__main__":
    sys.exit(main())
