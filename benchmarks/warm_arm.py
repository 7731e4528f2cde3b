"""What one more LLM costs in a finished sweep, by the offline server's own count.

    python -m benchmarks.warm_arm [--quick] [--json]

Three sweeps: with one LLM; the same study with a second LLM, on the same ledger; and that wider study once
more on a cold ledger. What the second LLM costs of its own is the cold wide sweep less the first one.
Target: the second sweep asks for no more than that, nothing is asked twice, and the first LLM answers
nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.common import (
    counts_anew,
    dream_run,
    finish,
    make_questions,
    outline,
    read_options,
    served_embedding,
    serving,
    write_study,
)

LATENCY = 0.5
CALLS_AT_ONCE = 64


def main() -> int:
    """Run the three sweeps, compare the counts, print."""
    options = read_options(__doc__, quick="1 arm × 3 questions, then 2; no cold sweep; mostly start-up")
    quick = options.quick
    questions = make_questions(3 if quick else 40)
    methods = ["chunks"] if quick else ["chunks", "sentence_window", "auto_merging"]
    runs, counts = {}, {}
    with tempfile.TemporaryDirectory() as name, serving(0.05 if quick else LATENCY) as server:
        folder = Path(name)
        for sweep, store, llms in (
            ("first", "warm", ["extractive"]),
            ("one more", "warm", ["extractive", "lead"]),
            ("cold", "cold", ["extractive", "lead"]),
        )[: 2 if quick else 3]:
            study = write_study(
                folder, server.url, questions=questions, llms=llms,
                embeddings={"served": served_embedding(server.url, 384)}, search={"method": methods},
                calls_at_once=CALLS_AT_ONCE,
            )  # fmt: skip
            counts_anew(server)
            runs[sweep] = dream_run(study, folder / store)
            counts[sweep] = server.calls()
    # a quick look takes the first LLM's for the second one's
    cold, first = counts.get("cold"), counts["first"]
    own, texts = (
        (cold[what] if cold else 2 * first[what]) - first[what] for what in ("chat", "embedded_texts")
    )
    answers = counts["one more"]["by_kind"].get("generate", 0)
    ratio = counts["one more"]["chat"] / own
    met = (
        ratio <= 1.0
        and counts["one more"]["embedded_texts"] <= texts
        and answers <= len(methods) * len(questions)
        and not any(each["repeats"] for each in counts.values())
    )
    found = {
        "own_calls": own, "own_texts": texts, "answers_of_the_new_llm": answers, "counts": counts,
        "latency": LATENCY, "runs": {name: outline(run) for name, run in runs.items()},
    }  # fmt: skip
    return finish(options, ratio, "at most the new LLM's own calls", met, found)


if __name__ == "__main__":
    sys.exit(main())
