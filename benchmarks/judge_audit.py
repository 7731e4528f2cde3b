"""Are the corrected means right, and do their intervals hold the truth? A simulation with known truth.

    python -m benchmarks.judge_audit [--quick] [--json]

Questions of unlike difficulty, three arms that share some answers, and judges of several kinds: fair, biased
towards one arm, sure and often wrong, and pure noise. A person labels the rows that the audit draws. For each
setting: bias of the corrected means and differences, coverage of their 95 % intervals over both chances, of
questions and of labels, and their width beside that of the labels alone.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from typing import Any

import numpy as np

from dream.verdict.label_sample import chances_for, draw, worth_labelling
from dream.verdict.prediction_powered import Numbers, correct_mean

SKILL = (0.9, 0.5, 0.1)
SAME = 0.35
"""Share of the questions on which an arm gives the very answer of the arm before it."""

JUDGES = ("fair", "biased", "overconfident", "noise")


def population(number: int, judge: str, dice: np.random.Generator) -> tuple[Numbers, Numbers, Any]:
    """What a person would say, what the judge says, and which answers are equal: [questions, arms] each."""
    hard = dice.normal(0, 1.5, number)
    right = np.stack([dice.random(number) < 1 / (1 + np.exp(-(skill + hard))) for skill in SKILL], 1)
    equal = np.tile(np.arange(len(SKILL)), (number, 1))
    for arm in range(1, len(SKILL)):
        same = dice.random(number) < SAME
        right[same, arm] = right[same, arm - 1]
        equal[same, arm] = equal[same, arm - 1]
    strength = {"fair": 0.5, "biased": 0.45, "overconfident": 0.7, "noise": 0.0}[judge]
    blur = dice.normal(0, 0.22, right.shape)
    judged = 0.5 + strength * (right - 0.5) + blur
    if judge == "overconfident":
        wrong = dice.random(right.shape) < 0.2
        judged = np.clip(np.where(wrong, 1 - judged, judged) * 3 - 1, 0.02, 0.98)
    for arm in range(1, len(SKILL)):
        same = equal[:, arm] == equal[:, arm - 1]
        judged[same, arm] = judged[same, arm - 1]
    if judge == "biased":
        judged[:, 2] += 0.25 * (equal[:, 2] == 2)
    return right.astype(float), np.clip(judged, 0, 1), equal


def simulate(questions: int, rows: int, judge: str, repeats: int, seed: int = 0) -> dict[str, Any]:
    """Bias, coverage and width over many repeats of asking, answering, drawing and labelling."""
    dice = np.random.default_rng([seed, questions, rows, JUDGES.index(judge)])
    truth = population(400_000, judge, dice)[0].mean(axis=0)
    pairs = list(combinations(range(len(SKILL)), 2))
    wanted = [*truth, *(truth[a] - truth[b] for a, b in pairs)]
    off: list[list[float]] = [[] for _ in wanted]
    held = np.zeros(len(wanted))
    wide: list[list[float]] = [[] for _ in wanted]
    asked = 0.0
    for repeat in range(repeats):
        right, judged, equal = population(questions, judge, dice)
        costs = np.array([len(set(row)) for row in equal.tolist()], float)
        chances = chances_for(worth_labelling(judged, equal.tolist()), costs, rows)
        drawn = draw([f"{repeat}-{number}" for number in range(questions)], chances, seed)
        asked += costs[drawn].sum() / repeats
        seen = np.full(questions, False)
        seen[drawn] = True
        found = [
            correct_mean(judged[:, arm], np.where(seen, right[:, arm], np.nan), chances)
            for arm in range(len(SKILL))
        ]
        for a, b in pairs:
            known = np.where(equal[:, a] == equal[:, b], 0.0, np.nan)
            labels = np.where(seen, right[:, a] - right[:, b], np.nan)
            found.append(correct_mean(judged[:, a] - judged[:, b], labels, chances, known))
        for place, one in enumerate(found):
            if one is None or one.low is None or one.high is None:
                continue
            off[place].append(one.mean - wanted[place])
            held[place] += one.low <= wanted[place] <= one.high
            wide[place].append((one.high - one.low) / 2)
    counts = np.array([len(each) for each in off])
    covered = held / counts
    biases = np.array([np.mean(each) for each in off])
    errors = np.array([np.std(each) / np.sqrt(len(each)) for each in off])
    arms = len(SKILL)
    return {
        "questions": questions,
        "rows": rows,
        "labelled": round(asked, 1),
        "judge": judge,
        "coverage_means": round(float(covered[:arms].mean()), 4),
        "coverage_differences": round(float(covered[arms:].mean()), 4),
        "worst_coverage": round(float(covered.min()), 4),
        "largest_bias": round(float(np.abs(biases).max()), 4),
        "bias_in_errors": round(float(np.abs(biases / errors).max()), 1),
        "half_width_difference": round(float(np.mean([np.mean(each) for each in wide[arms:]])), 3),
        "intervals": round(float(counts.min() / repeats), 4),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few repeats")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    repeats = 500 if given.quick else 2000
    made = [
        simulate(questions, rows, judge, repeats)
        for judge in JUDGES
        for questions, rows in ((80, 30), (80, 60), (200, 30), (200, 60), (200, 100))
    ]
    if given.json:
        print(json.dumps(made, indent=2))
        return
    for one in made:
        print("  ".join(f"{name} {value}" for name, value in one.items()))


if __name__ == "__main__":
    main()
