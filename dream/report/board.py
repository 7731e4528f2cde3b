"""The leaderboard and the header of the page, ready to be put into its template."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from dream.report.words import count_text, dollars_text, score_text, seconds_text, share_text
from dream.sweep.result import ArmResult, Summary
from dream.verdict.result import SweepResult


@dataclass(frozen=True)
class Cell:
    """One mean of one arm: its words, and its bar in percent of the column's width.

    Attributes:
        sort: what the column is sorted by; ``None`` stays last.
        text: the mean, or what stands instead.
        half: half the width of the 95 % interval, as text; empty where there is none.
        count: how many scores the mean rests on, such as ``22 of 24``.
        complete: whether no score is missing.
        mean: end of the bar, in percent.
        low: lower end of the whisker, in percent.
        high: upper end of the whisker, in percent.
    """

    sort: float | None
    text: str
    half: str
    count: str
    complete: bool
    mean: float = 0.0
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One arm on the leaderboard."""

    rank: int
    result: ArmResult
    cells: tuple[Cell, ...]
    coverage: float
    coverage_text: str
    dollars: str
    p50: str
    p95: str


def columns(result: SweepResult) -> tuple[str, ...]:
    """The metrics in the order in which tables show them: the objective, then the study's order.

    >>> columns(SweepResult("s", "mrr", ("faithfulness", "mrr"), (), ()))
    ('mrr', 'faithfulness')
    """
    return (result.objective, *(metric for metric in result.metrics if metric != result.objective))


def lines(result: SweepResult) -> list[Line]:
    """One line for each arm, best first, failed arms last."""
    metrics = columns(result)
    tops = {metric: _top([arm.summary(metric) for arm in result.arms]) for metric in metrics}
    made = []
    for rank, arm in enumerate(result.ranked(), start=1):
        coverage = min((arm.summary(metric).coverage for metric in metrics), default=1.0)
        made.append(
            Line(
                rank=rank,
                result=arm,
                cells=tuple(cell(arm.summary(metric), tops[metric]) for metric in metrics),
                coverage=coverage,
                coverage_text=share_text(coverage),
                dollars=dollars_text(arm.dollars),
                p50=seconds_text(arm.seconds(0.5)),
                p95=seconds_text(arm.seconds(0.95)),
            )
        )
    return made


def cell(summary: Summary, top: float = 1.0) -> Cell:
    """A summary as the leaderboard shows it; ``top`` is the value at which a bar is full.

    >>> shown = cell(Summary(0.5, 0.1, 0.3, 0.7, scored=22, missing=2))
    >>> shown.text, shown.half, shown.count, (shown.low, shown.mean, shown.high)
    ('0.500', '±0.200', '22 of 24', (30.0, 50.0, 70.0))
    """
    wanted = summary.scored + summary.missing
    count = str(summary.scored) if not summary.missing else f"{summary.scored} of {wanted}"
    if summary.mean is None:
        return Cell(
            None, "missing" if summary.missing else "–", "", count if wanted else "", not summary.missing
        )
    half = f"±{score_text(summary.high - summary.mean)}" if summary.high is not None else ""
    place = _places(summary, top)
    return Cell(summary.mean, score_text(summary.mean), half, count, not summary.missing, *place)


def gaps(result: SweepResult) -> list[str]:
    """What should be there and is not, with the commonest reason; failed arms are told elsewhere.

    >>> from dream.records import Answer, Question, Score
    >>> from dream.sweep.result import Arm, Row
    >>> rows = (
    ...     Row("a", Answer("yes"), (Score("mrr", reason="no vote"),)),
    ...     Row("b", None, (), "the cap is reached"),
    ... )
    >>> arm = ArmResult(Arm("chunks", "small", "minilm"), rows)
    >>> gaps(SweepResult("s", "mrr", ("mrr",), (), (arm,)))
    ['1 of 2 answers is missing: the cap is reached', '1 of 1 score of the answers is missing: no vote']
    """
    rows = [row for arm in result.arms for row in arm.rows]
    answered = [row for row in rows if row.answer is not None]
    scores = [row.score(metric) for row in answered for metric in result.metrics]
    unanswered = [row.error for row in rows if row.answer is None]
    unscored = [score.reason for score in scores if score.missing]
    return [
        *_missing(unanswered, len(rows), "answer", "answers"),
        *_missing(unscored, len(scores), "score of the answers", "scores of the answers"),
    ]


def golden_notes(result: SweepResult) -> list[str]:
    """What is to be said of the golden dataset: first of questions that could not be made, then the rest.

    >>> lineage = {"golden_notes": ["b: removed.", "a: failed."], "golden_failures": ["a: failed."]}
    >>> golden_notes(SweepResult("s", "mrr", ("mrr",), (), (), lineage=lineage))
    ['a: failed.', 'b: removed.']
    """
    failures = list(result.lineage.get("golden_failures", ()))
    return [*failures, *(note for note in result.lineage.get("golden_notes", ()) if note not in failures)]


def _missing(reasons: list[str], due: int, one: str, many: str) -> list[str]:
    if not reasons:
        return []
    commonest, times = Counter(reasons).most_common(1)[0]
    said = f"{len(reasons):,} of {count_text(due, one, many)} {'is' if len(reasons) == 1 else 'are'} missing"
    mostly = "" if times == len(reasons) else "mostly "
    return [f"{said}: {mostly}{commonest or 'no reason is known'}"]


def _top(summaries: list[Summary]) -> float:
    ends = [end for summary in summaries for end in (summary.mean, summary.high) if end is not None]
    means = [summary.mean for summary in summaries if summary.mean is not None]
    # a metric that stays within 0 to 1 is drawn on that scale, so that its columns can be compared
    return 1.0 if all(mean <= 1 for mean in means) else max(ends)


def _places(summary: Summary, top: float) -> tuple[float, float | None, float | None]:
    def place(value: float) -> float:
        return round(100 * min(1.0, max(0.0, value / top)), 1)

    low = place(summary.low) if summary.low is not None else None
    high = place(summary.high) if summary.high is not None else None
    return place(summary.mean or 0.0), low, high
