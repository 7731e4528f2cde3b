"""How a sweep grows: 12, 48, 200 arms × 40, 200 questions.

    python -m benchmarks.growth [--quick] [--json]

Arms are chunk sizes × chunks shown × two LLMs, so that each arm-question needs about as many calls in a
large sweep as in a small one. What any `dream run` takes, whatever its size, is no growth: so two sizes
that differ in arms or in questions alone are compared, and the seconds that the larger one takes more are
divided by the arm-questions that it has more. A call takes 0.5 s, and 16 may be under way: a wait that two
processors can fill, so that what is not flat is DREAM's and not theirs. The S3 requests are counted by a
MinIO server, in a sweep of 12 and one of 48 arms × 40 questions.
Targets: an arm-question more takes the same time everywhere within 20 %, the driver stays below 1.5 GB,
objects and S3 requests per arm-question are no more in the larger sweep than in the smaller.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.common import (
    Run,
    dream_run,
    finish,
    make_questions,
    outline,
    read_options,
    serving,
    tell,
    write_study,
)
from dream.models.offline import RunningServer

FLAT = 1.2
MOST_MEGABYTES = 1500
LATENCY = 0.5
CALLS_AT_ONCE = 16
LEAST = 0.1  # milliseconds that can be told from none
COUNTED_AFTER = 15.0  # MinIO tells for ten seconds what it told before

METRICS = ("context_recall", "answer_similarity", "tokens_per_question")
TOP_K = (2, 3, 4, 5)
CHUNK_SIZES = tuple(range(128, 528, 16))

# arms: chunk sizes × chunks shown × LLMs
GRIDS = {2: (1, 1, 2), 12: (3, 2, 2), 48: (6, 4, 2), 200: (25, 4, 2)}


def sweep(
    server: RunningServer, folder: Path, arms: int, questions: int, storage: str = "", environment: Any = None
) -> Run:
    """A cold sweep of so many arms."""
    sizes, tops, llms = GRIDS[arms]
    here = folder / f"{arms}x{questions}{'-s3' if storage else ''}"
    knobs = {
        "chunk_size": list(CHUNK_SIZES[:: len(CHUNK_SIZES) // sizes][:sizes]),
        "top_k": list(TOP_K[:tops]),
        "chunk_overlap": 16,
    }
    study = write_study(
        here, server.url, questions=make_questions(questions), llms=["extractive", "lead"][:llms],
        embeddings={"hashing": {"provider": "hashing", "dimensions": 384}},
        search={"method": ["chunks"], "knobs": {"chunks": knobs}}, calls_at_once=CALLS_AT_ONCE,
        metrics=METRICS, objective="answer_similarity",
    )  # fmt: skip
    run = dream_run(study, storage or here / "store", environment)
    if run.arm_questions != arms * questions:
        raise RuntimeError(f"{run.arm_questions} arm-questions instead of {arms * questions}")
    return run


def increments(seconds: Mapping[tuple[int, int], float]) -> dict[str, float]:
    """Milliseconds of an arm-question more, from each size to the next in arms and the next in questions.

    >>> increments({(2, 10): 5.0, (4, 10): 6.0, (2, 20): 7.0})
    {'2 × 10 to 2 × 20': 100.0, '2 × 10 to 4 × 10': 50.0}
    """
    found = {}
    for (arms, questions), taken in seconds.items():
        longer = [size for size in seconds if size[0] == arms and size[1] > questions]
        wider = [size for size in seconds if size[1] == questions and size[0] > arms]
        for larger in (min(sizes) for sizes in (longer, wider) if sizes):
            more = larger[0] * larger[1] - arms * questions
            name = f"{arms} × {questions} to {larger[0]} × {larger[1]}"
            found[name] = round(1000 * (seconds[larger] - taken) / more, 1)
    return found


def objects_in(store: Path) -> int:
    """How many objects a folder holds, MLflow's files and the page aside."""
    kept = ("ledger", "index", "golden")
    return sum(1 for part in kept for path in (store / part).rglob("*") if path.is_file())


def s3_requests(server: RunningServer, folder: Path, arms: int, questions: int) -> dict[str, float]:
    """Requests and objects per arm-question of a cold sweep on a real S3 server, as it counts them."""
    from tests.servers.s3 import s3_server

    with s3_server({"MINIO_PROMETHEUS_AUTH_TYPE": "public"}) as store:
        bucket = store.bucket()
        before = _requests(store.endpoint)
        sweep(server, folder, arms, questions, f"s3://{bucket}/dream", store.environment())
        time.sleep(COUNTED_AFTER)
        asked = _requests(store.endpoint)
        per = arms * questions
        counts = {name: round((count - before.get(name, 0)) / per, 2) for name, count in asked.items()}
        return {
            **{name: count for name, count in counts.items() if count},
            "all": round(sum(counts.values()), 2),
            "objects": round(len(store.keys(bucket)) / per, 2),
        }


def _requests(endpoint: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{endpoint}/minio/v2/metrics/cluster", timeout=30) as answer:
        text = answer.read().decode()
    found = re.findall(r'^minio_s3_requests_total\{api="(\w+)"[^}]*\} ([\d.e+]+)$', text, re.MULTILINE)
    return {name: float(count) for name, count in found}


def main() -> int:
    """Run all sweeps, and see how each figure grows."""
    options = read_options(__doc__, quick="2 arms × 3 and 6 questions, no S3")
    sizes = [(2, 3), (2, 6)] if options.quick else list(product((12, 48, 200), (40, 200)))
    on_s3 = [] if options.quick else [(12, 40), (48, 40)]
    if on_s3:
        from tests.servers.s3 import minio_program

        if not minio_program():  # said before an hour of sweeps
            sys.exit("growth takes MinIO's own count of S3 requests: put minio on the PATH, or give --quick")
    table, s3, seconds = {}, {}, {}
    with tempfile.TemporaryDirectory() as name, serving(LATENCY) as server:
        folder = Path(name)
        for arms, questions in sizes:
            run = sweep(server, folder, arms, questions)
            seconds[arms, questions] = run.watch.seconds
            per, size = arms * questions, f"{arms} × {questions}"
            table[size] = {
                "milliseconds": round(1000 * run.watch.seconds / per, 1),
                "calls": round(run.said["model_calls"] / per, 2),
                "objects": round(objects_in(folder / f"{arms}x{questions}" / "store") / per, 2),
                **outline(run),
            }
            tell(size, table[size])
        for arms, questions in on_s3:
            size = f"{arms} × {questions}"
            s3[size] = s3_requests(server, folder, arms, questions)
            tell(f"{size} on S3", s3[size])
    more = increments(seconds)
    ratio = max(more.values()) / max(min(more.values()), LEAST)
    memory = max(each["driver_megabytes"] for each in table.values())
    objects = [each["objects"] for each in table.values()]
    requests = [each["all"] for each in s3.values()]
    met = (
        ratio <= FLAT
        and memory < MOST_MEGABYTES
        and max(objects) <= objects[0] * FLAT
        and (not requests or max(requests) <= requests[0] * FLAT)
    )
    found = {
        "milliseconds_of_an_arm_question_more": more, "driver_megabytes": memory, "latency": LATENCY,
        "calls_at_once": CALLS_AT_ONCE, "per_arm_question": table, "s3_per_arm_question": s3,
    }  # fmt: skip
    return finish(options, ratio, f"an arm-question more within {FLAT}, driver < 1.5 GB", met, found)


if __name__ == "__main__":
    sys.exit(main())
