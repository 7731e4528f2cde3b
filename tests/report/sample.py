"""A sweep's result as a real one looks: 12 arms, 24 questions, gaps, a failed arm, and hostile texts."""

# ruff: noqa: E501  (texts whose line breaks would be read as the documents' own)

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from dream.records import Answer, Chunk, Problem, Question, Score, Span
from dream.sweep.result import Arm, ArmResult, Row, Usage
from dream.verdict.result import SweepResult

EVIL = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=2'> <!-- \u2028"
ARM_ERROR = (
    "the index could not be built: the embedding server answered 503 five times; start it and run again"
)
MISSING = "the judge's answer was cut off at 512 tokens"
NOT_APPLICABLE = "the question has no evidence in the corpus"
METRICS = (
    "faithfulness", "answer_relevancy", "context_precision", "context_recall", "answer_correctness",
    "answer_similarity", "recall_at_k", "mrr",
)  # fmt: skip

# the first signs of the second document are outside the basic plane: one character, two UTF-16 units
TEXTS = {
    "guides/retrieval.pdf": "Sentence-window retrieval embeds single sentences and shows the model the sentences around "
    "the one that matched. A window of three sentences on each side is a common start. Auto-merging retrieval embeds "
    "only the leaves of a hierarchy and replaces them by their parent once more than half of the parent's leaves are "
    "found. Chunk sizes descend from 2,048 to 512 to 128 tokens. Overlap between neighbouring chunks keeps a sentence "
    "whole that would otherwise be cut in two; one eighth of the chunk size is enough for most texts. ",
    "operations/cluster.pdf": "🚀🚀 A Ray cluster has one head node and any number of workers. The head keeps the tables "
    "of actors and objects; if it is lost, running jobs are lost with it, unless its state is kept in Redis. Object "
    "stores spill to disk when they are 80 % full. A worker that does not answer its health check for 30 seconds is "
    "taken out, and its tasks run again elsewhere. Kubernetes restarts the pod after 60 seconds. ",
    "evaluation.md": "Faithfulness is the share of an answer's statements that the retrieved contexts support. Answer "
    "correctness weighs the agreement of facts at 0.75 and the similarity of meaning at 0.25. Context recall asks "
    "which sentences of the reference can be attributed to the contexts. An unanswerable question has no evidence, so "
    "that recall has no meaning for it. "
    + EVIL
    + " The judge sees the question, the contexts and the answer. ",
}

ASKED = [
    ("How many sentences on each side are a common start for a sentence window?", "Three.", "single-hop",
     [("guides/retrieval.pdf", "A window of three sentences on each side is a common start.")]),
    ("When does auto-merging replace leaves by their parent?", "Once more than half of the parent's leaves are found.",
     "single-hop", [("guides/retrieval.pdf", "replaces them by their parent once more than half of the parent's leaves are found")]),
    ("Which chunk sizes does the hierarchy use?", "2,048, 512 and 128 tokens.", "numeric",
     [("guides/retrieval.pdf", "Chunk sizes descend from 2,048 to 512 to 128 tokens.")]),
    ("At which fill level do object stores spill to disk?", "At 80 %.", "numeric",
     [("operations/cluster.pdf", "Object stores spill to disk when they are 80 % full.")]),
    ("Which waits longer, Ray's health check or Kubernetes' restart?", "Kubernetes: 60 seconds against 30.", "multi-hop",
     [("operations/cluster.pdf", "A worker that does not answer its health check for 30 seconds is taken out"),
      ("operations/cluster.pdf", "Kubernetes restarts the pod after 60 seconds.")]),
    ("Who won the football world cup of 1954?", "The documents do not say.", "unanswerable", []),
    ("How are facts and meaning weighed in answer correctness?", "0.75 for facts, 0.25 for meaning.", "table",
     [("evaluation.md", "weighs the agreement of facts at 0.75 and the similarity of meaning at 0.25")]),
    ("What does faithfulness measure? " + EVIL, "The share of supported statements. " + EVIL, "single-hop",
     [("evaluation.md", "Faithfulness is the share of an answer's statements that the retrieved contexts support.")]),
]  # fmt: skip


def sample_questions(count: int = 24) -> tuple[Question, ...]:
    """``count`` questions; from the ninth on the first eight are asked in other words."""
    openings = ("", "In short: ", "For a new colleague: ")
    made = []
    for number in range(count):
        question, reference, kind, pieces = ASKED[number % len(ASKED)]
        opening = openings[number // len(ASKED) % len(openings)]
        spans = tuple(
            Span(name, TEXTS[name].index(text), TEXTS[name].index(text) + len(text)) for name, text in pieces
        )
        made.append(
            Question(
                id=f"q{number + 1:02}",
                question=opening + question,
                reference=reference,
                evidence=spans,
                evidence_text=tuple(text for _, text in pieces),
                kind=kind,
                origin="questions.csv",
                answerable=bool(pieces),
            )
        )
    return tuple(made)


def sample_chunks(size: int) -> list[Chunk]:
    """The documents cut at every ``size`` characters; the PDFs have a page for every 400."""
    return [
        Chunk(
            id=f"{name}-{start}",
            text=text[start : start + size],
            span=Span(name, start, min(start + size, len(text))),
            page=start // 400 + 1 if name.endswith(".pdf") else None,
        )
        for name, text in TEXTS.items()
        for start in range(0, len(text), size)
    ]


def sample_arms() -> list[Arm]:
    """12 arms; the methods do not have the same number of them, and only chunks has a searched knob twice."""
    made = []
    for llm in ("offline-extractive", "gpt-4.1-mini"):
        for embedding in ("minilm", "hashing"):
            made += [_arm("chunks", llm, embedding, {"chunk_size": 512, "top_k": top_k}) for top_k in (3, 6)]
        made += [_arm(method, llm, "minilm", {"top_k": 6}) for method in ("sentence_window", "auto_merging")]
    return made


def _arm(method: str, llm: str, embedding: str, knobs: Mapping[str, Any]) -> Arm:
    return Arm(method, llm, embedding, knobs, ("top_k",))


def sample_row(arm: Arm, question: Question, dice: random.Random) -> Row:
    """One answered question with its scores: some missing, some not applicable."""
    skill: float = {"chunks": 0.52, "sentence_window": 0.6, "auto_merging": 0.66}[arm.method]
    skill += (
        0.16 * (arm.llm == "gpt-4.1-mini")
        - 0.14 * (arm.embedding == "hashing")
        + 0.01 * float(arm.knobs["top_k"])
    )
    chunks = sample_chunks({"chunks": 180, "sentence_window": 110, "auto_merging": 260}[arm.method])

    def similarity(chunk: Chunk) -> float:
        held = sum(chunk.span.overlap(span) for span in question.evidence) if chunk.span else 0
        return 0.35 + 0.4 * (held > 20) * (dice.random() < skill) + 0.2 * dice.random()

    found = sorted(((similarity(chunk), chunk) for chunk in chunks), key=lambda one: -one[0])[
        : arm.knobs["top_k"]
    ]
    contexts = tuple(
        Chunk(chunk.id, chunk.text, chunk.span, chunk.page, score=score)
        for score, chunk in found
    )  # fmt: skip
    right = dice.random() < skill
    text = question.reference if right else "The contexts do not say."
    real = arm.llm == "gpt-4.1-mini"
    answer = Answer(
        text, contexts, 900, 30, 0.00042 * (0.8 + 0.4 * dice.random()) if real else 0.0,
        dice.lognormvariate(0.2 if real else -3, 0.5),
    )  # fmt: skip
    return Row(question.id, answer, tuple(_score(metric, question, skill, right, dice) for metric in METRICS))


def _score(metric: str, question: Question, skill: float, right: bool, dice: random.Random) -> Score:
    if metric in ("recall_at_k", "mrr", "context_recall") and not question.evidence:
        return Score(metric, reason=NOT_APPLICABLE, applicable=False)
    if metric in ("faithfulness", "answer_relevancy") and dice.random() < 0.03:
        return Score(metric, reason=MISSING)
    value = min(1.0, max(0.0, dice.gauss(skill + (0.2 if right else -0.25), 0.12)))
    reason = (
        ""
        if metric in ("mrr", "recall_at_k")
        else f"{'All' if right else 'Some'} of the statements are supported."
    )
    return Score(metric, value, reason)


def sample_result(questions: int = 24) -> SweepResult:
    """The whole result; the same every time."""
    asked = sample_questions(questions)
    arms = []
    for number, arm in enumerate(sample_arms()):
        offline = arm.llm.startswith("offline")
        if number == 8:
            arms.append(ArmResult(arm, error=ARM_ERROR + " " + EVIL, offline=offline))
            continue
        dice = random.Random(f"{arm.id} of the sample")
        rows = [sample_row(arm, question, dice) for question in asked]
        if number == 0:  # one certain gap, one answer that never came, one that is hostile
            rows[0] = Row(
                rows[0].question, rows[0].answer, (Score(METRICS[0], reason=MISSING), *rows[0].scores[1:])
            )
            rows[1] = Row(
                asked[1].id, None, tuple(Score(m, reason="no answer") for m in METRICS), "the model timed out"
            )
        if number == 1 and rows[2].answer:
            rows[2] = Row(asked[2].id, Answer(EVIL, rows[2].answer.contexts), rows[2].scores)
        arms.append(ArmResult(arm, tuple(rows), offline=offline, calls={"generate": 24, "judge": 140}))
    return SweepResult(
        study="quickstart " + EVIL,
        objective="answer_correctness",
        metrics=METRICS,
        questions=asked,
        arms=tuple(arms),
        problems=(
            Problem(
                "scans/invoice.pdf",
                "image-only",
                "no page holds text; run optical recognition over it " + EVIL,
            ),
            Problem(
                "notes/old.txt", "encoding", "3 characters were not UTF-8 and were replaced", skipped=False
            ),
        ),
        usage=Usage(model_calls=1934, embedded_texts=812, reused=3346, dollars=0.61, seconds=194.0),
        lineage={
            "corpus digest": "9f2c41d0a7be5e0c5be0c1f5f1ab10dc09d1c1a5a2b6de55ab0f4d4f3a1c2b7e",
            "golden dataset digest": "1b77c7b2d84e02a3f9f6e3ad9c1a32fe0b6c2e81fd2a0d1f7db2c3a6a5e49f10",
            "seed": 7,
            "versions": {"dream-rag": "0.1.0", "ray": "2.60.0", "ragas": "0.4.3", "python": "3.11.2"},
            "prompts": {"chunks": "a81c52", "judge": "77e0d4"},
        },
        study_text="name: quickstart\ncorpus: examples/quickstart/corpus\nobjective: answer_correctness\n# "
        + EVIL
        + "\n",
    )
