"""Does the verdict keep its promises? Studies made up with a known truth, judged, and compared with it.

    python -m benchmarks.verdict_simulation [--quick] [--json] [--studies N] [--questions N …]

Scores come from a Gaussian copula with exactly known means: questions are hard or easy for all arms alike,
and where there are documents, an arm is better on some of them than on others. Four kinds of metric: even
(a bell on [0, 1]), skewed (most scores near 1), binary, and mixed (half of the arms' scores are binary and
half even, so that differences of equal arms are lopsided); and two that are hard in other ways: rare (binary,
19 of 20 right) and alike (arms are nearly copies of each other, two by two). Three truths: all arms equal,
one best by a step, and a ladder from best to worst. Told for each cell:

- wrong: share of studies in which an arm that is truly among the best was called out (at most 5 %);
- holds best: share in which the tie set holds a true best arm (at least 95 %);
- covered: share in which all intervals of all pairs hold together, and of those that a verdict shows (95 %);
- tied: mean size of the tie set; and beside it what "take the top mean" does:
- top wrong: share in which the top mean is no best arm; optimism: how much its mean promises too much;
- honest: the same for its mean on a holdout of 30 % (0, within Monte-Carlo error).

Then races: how often one stopped a true best arm (at most 1 %), or the verdict after it called one out (at
most 5 %), and what share of the full grid's questions it spared.

The exit code is 1 if a promise is missed by more than two Monte-Carlo errors (three for the holdout's bias).
Intervals that hold together in more than 96 % are wider than they need be: that is told, and no miss.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from dream.verdict.compare import compare
from dream.verdict.race import ERROR, ROUNDS, SMALLEST, stopped

Numbers = NDArray[np.float64]

TARGET_WRONG, TARGET_COVERED = 0.05, 0.95
HOLDOUT = 0.3


@dataclass(frozen=True)
class Cell:
    """One kind of study.

    Attributes:
        arms: how many.
        questions: used for choosing.
        metric: even, skewed, binary, mixed, rare or alike.
        truth: equal, step or ladder.
        per_document: questions on one document; 1 for questions that stand alone.
        missing: share of scores that are missing by chance.
    """

    arms: int
    questions: int
    metric: str = "even"
    truth: str = "equal"
    per_document: int = 1
    missing: float = 0.0


def true_means(cell: Cell) -> Numbers:
    """The arms' expected scores."""
    top = {"skewed": 0.75, "rare": 0.95}.get(cell.metric, 0.6)
    if cell.truth == "equal":
        return np.full(cell.arms, top)
    if cell.truth == "step":  # a third are best, the others a step below
        return np.where(np.arange(cell.arms) < max(1, cell.arms // 3), top, top - 0.12)
    return top - np.linspace(0, 0.3, cell.arms)


def draw(cell: Cell, means: Numbers, questions: int, dice: np.random.Generator) -> tuple[Numbers, Any]:
    """Arms by questions, and each question's document."""
    documents = np.arange(questions) // cell.per_document
    here = documents.max() + 1
    shared = dice.normal(size=questions) * math.sqrt(0.5)
    local = dice.normal(size=(cell.arms, here))[:, documents] * math.sqrt(0.15)
    own = dice.normal(size=(cell.arms, questions)) * math.sqrt(0.35 if cell.per_document > 1 else 0.5)
    if cell.metric == "alike":  # two by two, arms are nearly copies of each other
        own[1::2] = math.sqrt(0.9) * own[: len(own) // 2 * 2 : 2] + math.sqrt(0.1) * own[1::2]
    latent = shared + own + (local if cell.per_document > 1 else 0.0)
    uniform = stats.norm.cdf(latent)
    if cell.metric in ("binary", "mixed", "rare"):
        scores = (uniform > 1 - means[:, None]).astype(np.float64)
    if cell.metric == "mixed":
        scores[::2] = _beta(uniform[::2], means[::2], 6.0)
    elif cell.metric not in ("binary", "rare"):
        strength = 1.2 if cell.metric == "skewed" else 6.0
        scores = _beta(uniform, means, strength)
    scores[dice.random(scores.shape) < cell.missing] = np.nan
    return scores, documents


def _beta(uniform: Numbers, means: Numbers, strength: float) -> Numbers:
    """Beta quantiles from a table, arm by arm: the exact function is slow."""
    return np.array(
        [
            np.interp(own, GRID, _table(float(mean), strength))
            for own, mean in zip(uniform, means, strict=True)
        ]
    )


GRID = np.linspace(0, 1, 4001)


@functools.cache
def _table(mean: float, strength: float) -> Numbers:
    table: Numbers = stats.beta.ppf(GRID, mean * strength, (1 - mean) * strength)
    return table


def simulate(cell: Cell, studies: int, seed: int = 0, flips: int = 999) -> dict[str, Any]:
    """Rates over that many studies of one kind."""
    means = true_means(cell)
    best = means >= means.max() - 1e-12
    truth = means[None, :] - means[:, None]
    seen: dict[str, list[float]] = {name: [] for name in NAMES}
    for study in range(studies):
        dice = np.random.default_rng([seed, study, cell.arms, cell.questions])
        held = max(cell.per_document, round(cell.questions * HOLDOUT / (1 - HOLDOUT)))
        scores, documents = draw(cell, means, cell.questions, dice)
        later, _ = draw(cell, means, held, dice)
        found = compare(scores, documents, flips=flips, seed=study)
        top = int(np.nanargmax(found.means))
        inside = (found.low <= truth + 1e-9) & (truth - 1e-9 <= found.high)
        seen["wrong"].append(float((~found.tied & best).any()))
        seen["holds_best"].append(float((found.tied & best).any()))
        seen["covered"].append(float(inside.all()))
        seen["covered_shown"].append(float(inside[top].all()))
        seen["tied"].append(float(found.tied.sum()))
        seen["top_wrong"].append(float(not best[top]))
        seen["optimism"].append(float(found.means[top] - means[top]))
        if not np.isnan(later[top]).all():
            seen["honest"].append(float(np.nanmean(later[top]) - means[top]))
    rates = {name: float(np.mean(values)) for name, values in seen.items()}
    errors = {f"{name}_error": float(np.std(v) / math.sqrt(len(v))) for name, v in seen.items()}
    kept = _kept(rates, errors["honest_error"], studies)
    return {**asdict(cell), "studies": studies, **rates, **errors, "kept": kept}


NAMES = ("wrong", "holds_best", "covered", "covered_shown", "tied", "top_wrong", "optimism", "honest")


def _kept(rates: dict[str, float], honest_error: float, studies: int) -> dict[str, bool]:
    """Which promises hold, within two Monte-Carlo standard errors; three for the holdout, of which there
    are as many as cells.
    """
    slack = 2 * math.sqrt(0.05 * 0.95 / studies)
    return {
        "wrong": rates["wrong"] <= TARGET_WRONG + slack,
        "holds_best": rates["holds_best"] >= TARGET_COVERED - slack,
        "covered": rates["covered"] >= TARGET_COVERED - 0.01 - slack,
        "honest": abs(rates["honest"]) <= 3 * honest_error,
    }


def cells(quick: bool) -> list[Cell]:
    """What is tried."""
    if quick:
        return [
            Cell(12, 10), Cell(12, 79, "binary"), Cell(12, 80, "skewed", "step", 5),
            Cell(12, 40, "even", "ladder", missing=0.05), Cell(200, 40),
        ]  # fmt: skip
    made = [
        Cell(12, questions, metric, truth)
        for questions in (10, 20, 40, 100, 500)
        for metric in ("even", "skewed", "binary")
        for truth in ("equal", "step")
    ]
    made += [Cell(12, questions, "even", "ladder") for questions in (10, 40, 100, 500)]
    made += [
        Cell(12, questions, metric, truth, per_document=5)
        for questions in (50, 100, 500)
        for metric in ("even", "skewed", "binary")
        for truth in ("equal", "step")
    ]
    made += [
        Cell(12, questions, metric, truth)
        for questions in (10, 20, 40, 100)
        for metric in ("mixed", "rare", "alike")
        for truth in ("equal", "step")
    ]
    made += [Cell(12, 60, metric, "step", missing=0.1) for metric in ("even", "skewed", "binary")]
    made += [
        Cell(200, questions, metric, truth)
        for questions, metric, truth in (
            (10, "even", "equal"), (10, "binary", "equal"), (40, "even", "step"), (40, "skewed", "equal"),
            (100, "binary", "step"), (100, "skewed", "step"), (500, "even", "ladder"),
        )
    ]  # fmt: skip
    return made


def race(cell: Cell, studies: int, seed: int = 1) -> dict[str, Any]:
    """Races over that many studies of one kind, and the verdicts after them."""
    means = true_means(cell)
    best = means >= means.max() - 1e-12
    stopped_best, wrong, spared = [], [], []
    for study in range(studies):
        dice = np.random.default_rng([seed, study, cell.arms, cell.questions])
        scores, documents = draw(cell, means, cell.questions, dice)
        order = dice.permutation(cell.questions)
        running, asked = np.arange(cell.arms), np.full(cell.arms, cell.questions)
        for part in range(1, ROUNDS):
            size = max(SMALLEST, round(cell.questions * part / ROUNDS))
            out = stopped(scores[running][:, order[:size]], cell.arms)
            asked[running[out]] = size
            running = running[~out]
        found = compare(scores[running], documents, level=0.95 + ERROR, flips=999, seed=study)
        tied = np.isin(np.arange(cell.arms), running[found.tied])
        stopped_best.append(float((best & (asked < cell.questions)).any()))
        wrong.append(float((best & ~tied).any()))
        spared.append(float(1 - asked.sum() / (cell.arms * cell.questions)))
    slack = 2 * math.sqrt(0.05 * 0.95 / studies)
    rates = {"stopped_best": np.mean(stopped_best), "wrong": np.mean(wrong), "spared": np.mean(spared)}
    kept = {
        "stopped_best": rates["stopped_best"] <= ERROR + 2 * math.sqrt(ERROR / studies),
        "wrong": rates["wrong"] <= TARGET_WRONG + slack,
    }
    return {
        **asdict(cell),
        "studies": studies,
        **{name: float(rate) for name, rate in rates.items()},
        "kept": {name: bool(held) for name, held in kept.items()},
    }


def races(quick: bool) -> list[Cell]:
    """What races are tried on."""
    if quick:
        return [Cell(12, 100, "binary", "equal"), Cell(12, 200, "even", "ladder")]
    kinds = [
        Cell(12, questions, metric, truth)
        for questions in (50, 200, 500)
        for metric in ("even", "skewed", "binary")
        for truth in ("equal", "ladder")
    ]
    return [*kinds, Cell(12, 200, "even", "equal", 5), Cell(12, 200, "even", "ladder", 5)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few cells, within a minute")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--studies", type=int, help="of each cell with 12 arms")
    parser.add_argument("--questions", type=int, nargs="*", help="only cells with so many questions")
    asked = parser.parse_args()

    def wanted(cell: Cell) -> bool:
        return not asked.questions or cell.questions in asked.questions

    studies = asked.studies or (150 if asked.quick else 1000)
    found = []
    for cell in filter(wanted, cells(asked.quick)):
        started = time.monotonic()
        many = cell.arms > 50
        one = simulate(cell, max(20, studies // (8 if many else 1)), flips=499 if many else 999)
        found.append(one)
        if not asked.json:
            print(line(one), f"{time.monotonic() - started:6.1f} s", flush=True)
    raced = []
    for cell in filter(wanted, races(asked.quick)):
        raced.append(race(cell, studies))
        if not asked.json:
            print(race_line(raced[-1]), flush=True)
    if asked.json:
        print(json.dumps({"cells": found, "races": raced}, indent=2))
    sys.exit(0 if all(all(one["kept"].values()) for one in (*found, *raced)) else 1)


def _name(one: dict[str, Any]) -> str:
    name = f"{one['arms']:>3} arms {one['questions']:>3} {one['metric']:<6} {one['truth']:<6}"
    more = f"{'/' + str(one['per_document']) if one['per_document'] > 1 else '  '} {one['missing']:.0%}"
    return f"{name}{more:<7}"


def _missed(one: dict[str, Any]) -> str:
    missed = [promise for promise, held in one["kept"].items() if not held]
    wide = "  (wide)" if one.get("covered", 0.0) > TARGET_COVERED + 0.01 else ""
    return f"  MISSED {', '.join(missed)}" if missed else wide


def race_line(one: dict[str, Any]) -> str:
    """One race as a line of the table."""
    return (
        f"race {_name(one)} stopped a best arm {one['stopped_best']:.3f}  wrong {one['wrong']:.3f}  "
        f"spared {one['spared']:.0%}{_missed(one)}"
    )


def line(one: dict[str, Any]) -> str:
    """One cell as a line of the table."""
    return (
        f"{_name(one)} wrong {one['wrong']:.3f}  holds best {one['holds_best']:.3f}  "
        f"covered {one['covered']:.3f} (shown {one['covered_shown']:.3f})  tied {one['tied']:5.1f} | "
        f"top wrong {one['top_wrong']:.2f}  optimism {one['optimism']:+.3f}  "
        f"honest {one['honest']:+.3f}{_missed(one)}"
    )


if __name__ == "__main__":
    main()
