"""What matters on these documents: where the differences between scores come from.

The variance of a score, over all arms and questions like these, is split into what the arms' parts make
(method, LLM, embedding, searched knobs, their combinations), what the question makes, what arm and
question make together, and, where answers are judged more than once, the judge's own noise. Arms are the
whole grid, each counting alike (the functional ANOVA that Hutter, Hoos and Leyton-Brown, ICML 2014, use
for hyperparameters); questions are a sample of all that could be asked (generalizability theory: Brennan,
2001). With y the vector of the arms' scores of one question, ȳ its mean and S its covariance over n
questions, a source with matrix M (see ``dream.verdict.effects``) among A arms has the component

    (ȳ' M ȳ - trace(M S) / n) / A

whose second term takes away what chance puts into ȳ. It is unbiased whatever the scores' distribution, and
equals the analysis of variance's estimate on a full grid. A component below zero counts as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dream.verdict.effects import Matrix, effect_matrices
from dream.verdict.router import Router, find_router
from dream.verdict.table import ScoreTable, score_table

if TYPE_CHECKING:
    from dream.verdict.result import SweepResult

Vector = NDArray[np.float64]

CHOICE, QUESTION, FIT, NOISE = "choice of arm", "question", "arm × question", "judge's noise"

# Fewer questions than these tell nothing about the spread of a share.
FEWEST_FOR_INTERVALS = 8


@dataclass(frozen=True)
class Share:
    """One source of differences.

    Attributes:
        source: such as ``LLM``, ``method × LLM``, ``question``.
        share: of the variance that it is told a part of, from 0 to 1.
        low: lower end of the 95 % interval; ``None`` where there are too few questions.
        high: upper end of it.
        variance: the component itself, in squared units of the metric; chance may make it negative.
    """

    source: str
    share: float
    low: float | None
    high: float | None
    variance: float


@dataclass(frozen=True)
class Matters:
    """What matters on a study's documents; shows itself as sentences.

    Attributes:
        objective: the metric whose scores are split.
        arms: how many arms were compared.
        questions: how many questions.
        filled: missing scores that were filled in by arm and question alone.
        left_out: arms and questions without enough scores, in words.
        judgings: how often each answer was judged.
        between_arms: what the differences between the arms' means come from, largest first; empty where
            the means differ no more than chance makes them.
        between_scores: what the differences between single scores come from.
        router: whether to choose the arm anew for each question.
    """

    objective: str
    arms: int
    questions: int
    filled: int
    left_out: tuple[str, ...]
    judgings: int
    between_arms: tuple[Share, ...]
    between_scores: tuple[Share, ...]
    router: Router | None

    def sentences(self) -> list[str]:
        """The findings in plain words."""
        from dream.verdict.matters_words import sentences

        return sentences(self)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON types, sentences included."""
        return {**asdict(self), "left_out": list(self.left_out), "sentences": self.sentences()}

    def __str__(self) -> str:
        return "\n".join(self.sentences())

    def _repr_html_(self) -> str:
        from dream.verdict.shown import matters_html

        return matters_html(self)


def find_matters(result: SweepResult) -> Matters | None:
    """Split the differences between the scores of the objective; ``None`` below two arms or two questions.

    Missing scores are filled in from arm and question (Yates, 1933), and the degrees of freedom reduced
    by as many. Intervals are the jackknife's over questions (Brennan, 2001, section 6.3).
    """
    table = score_table(result)
    if min(table.values.shape) < 2:
        return None
    matrices = effect_matrices(table.arms)
    components, without = _components(table, matrices)
    arms = [name for name in components if name in matrices]
    whole = sum(max(0.0, float(components[name])) for name in arms)
    # nothing is divided that chance alone would show half of the time
    between_arms = _shares(arms, components, without) if whole > 0 and _differ(table) else ()
    grouped = {CHOICE: np.sum([components[name] for name in arms], axis=0)}
    grouped_without = {CHOICE: np.sum([without[name] for name in arms], axis=0)}
    rest = {name: value for name, value in components.items() if name not in matrices}
    rest_without = {name: value for name, value in without.items() if name not in matrices}
    return Matters(
        objective=result.objective,
        arms=len(table.arms),
        questions=len(table.questions),
        filled=table.filled,
        left_out=table.left_out,
        judgings=table.judgings,
        between_arms=tuple(sorted(between_arms, key=lambda share: -share.share)),
        between_scores=_shares([CHOICE, *rest], grouped | rest, grouped_without | rest_without),
        router=find_router(table),
    )


def _differ(table: ScoreTable) -> bool:
    """Whether the arms' means differ at all: Friedman's (1937) rank test over questions, at 5 %."""
    from scipy import stats

    if np.ptp(table.values, axis=0).max() == 0:
        return False
    if table.values.shape[0] == 2:
        differences = table.values[0] - table.values[1]
        return bool(np.any(differences)) and bool(stats.wilcoxon(differences).pvalue < 0.05)
    return bool(stats.friedmanchisquare(*table.values).pvalue < 0.05)


def _components(
    table: ScoreTable, matrices: Mapping[str, Matrix]
) -> tuple[dict[str, Vector], dict[str, Vector]]:
    """Each source's component, and the same with each question left out in turn."""
    values = table.values
    arms, count = values.shape
    mean = values.mean(axis=1)
    apart = values - mean[:, None]
    means_without = (count * mean[:, None] - values) / (count - 1)
    noise = table.noise_of_means

    def traces(matrix: Matrix) -> tuple[Vector, Vector]:
        """trace(M S) of all questions, and without each; S has the divisor of an unbiased covariance."""
        each = _varied(matrix, apart)
        total = each.sum()
        without = (total - count / (count - 1) * each) / max(1, count - 2)
        return np.asarray(total / (count - 1)), without

    everything: dict[str, Vector] = {}
    without: dict[str, Vector] = {}
    for name, matrix in matrices.items():
        chance, chance_without = (part * table.inflation for part in traces(matrix))
        everything[name] = np.asarray((mean @ matrix @ mean - chance / count) / arms)
        without[name] = (_varied(matrix, means_without) - chance_without / (count - 1)) / arms
    constant = np.full((arms, arms), 1 / arms)
    both = traces(constant)
    everything[QUESTION], without[QUESTION] = (part / arms - noise / arms for part in both)
    rest = traces(np.eye(arms) - constant)
    everything[FIT], without[FIT] = (
        part * table.inflation / arms - noise * (arms - 1) / arms for part in rest
    )
    if table.judgings > 1:
        everything[NOISE] = np.asarray(table.noise)
        without[NOISE] = np.full(count, table.noise)
    return everything, without


def _varied(matrix: Matrix, columns: Vector) -> Vector:
    """``x @ matrix @ x`` for each column x."""
    found: Vector = ((matrix @ columns) * columns).sum(axis=0)
    return found


def _shares(
    names: list[str], components: Mapping[str, Vector], without: Mapping[str, Vector]
) -> tuple[Share, ...]:
    def parts(found: Mapping[str, Vector]) -> dict[str, Vector]:
        above = {name: np.maximum(0.0, found[name]) for name in names}
        whole = np.sum(list(above.values()), axis=0)
        return {name: part / np.where(whole > 0, whole, 1.0) for name, part in above.items()}

    shares, jackknifed = parts(components), parts(without)
    count = len(next(iter(jackknifed.values())))
    made = []
    for name in names:
        share, low, high = float(shares[name]), None, None
        if count >= FEWEST_FOR_INTERVALS:
            half = 1.96 * float(np.sqrt((count - 1) * np.var(jackknifed[name])))
            low, high = max(0.0, share - half), min(1.0, share + half)
        made.append(Share(name, share, low, high, float(components[name])))
    return tuple(made)
