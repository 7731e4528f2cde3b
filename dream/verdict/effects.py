"""How the differences between arms divide among the parts that the arms are made of.

Each source (method, LLM, embedding, a searched knob, a pair of them, all other combinations) gets a
matrix M, positive semidefinite, such that ``mean @ M @ mean`` is its part of the variation between the
arms' means, and all parts together are the whole variation. On a full grid M is the projection of the
analysis of variance. Where the grid has holes (a knob that only one method has, an arm that failed)
main effects overlap; then each source gets the average over all orders in which it could enter, as
Lindeman, Merenda and Gold (1980) proposed and Grömping, *The American Statistician* 61 (2007), explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from dream.sweep.result import Arm

Matrix = NDArray[np.float64]

# All subsets of the factors are fitted; beyond this many, the knobs count as one.
MOST_FACTORS = 8


def effect_matrices(arms: Sequence[Arm]) -> dict[str, Matrix]:
    """For each source its matrix, of shape [arms, arms]; sources without two levels are left out.

    >>> grid = [Arm(method, llm, "minilm") for method in ("chunks", "window") for llm in ("a", "b")]
    >>> {source: float(np.trace(matrix).round(6)) for source, matrix in effect_matrices(grid).items()}
    {'method': 1.0, 'LLM': 1.0, 'method × LLM': 1.0}
    """
    factors = _factors(arms)
    constant = np.full((len(arms), 1), 1.0)
    mains = {name: columns for name, columns in factors.items() if _rank(columns) > 0}
    found = _average_over_orders(constant, mains)
    before = np.hstack([constant, *mains.values()])
    primary = [name for name in ("method", "LLM", "embedding") if name in mains]
    pairs = {f"{a} × {b}": _products(mains[a], mains[b]) for a, b in combinations(primary, 2)}
    found |= _average_over_orders(before, pairs)
    everything = np.hstack([before, *pairs.values()])
    # arms that no factor tells apart, such as those with the same name, stay together in the rest
    rest = np.eye(len(arms)) - _projection(everything)
    if np.trace(rest) > 0.5:
        found["other combinations"] = rest
    return {source: matrix for source, matrix in found.items() if np.trace(matrix) > 1e-9}


def _factors(arms: Sequence[Arm]) -> dict[str, Matrix]:
    """Centred indicator columns of each factor; those of a knob are centred within its method."""
    found = {
        "method": _indicators([arm.method for arm in arms]),
        "LLM": _indicators([arm.llm for arm in arms]),
        "embedding": _indicators([arm.embedding for arm in arms]),
    }
    knobs: dict[str, list[Matrix]] = {}
    for method in dict.fromkeys(arm.method for arm in arms):
        mine = [place for place, arm in enumerate(arms) if arm.method == method]
        for knob in dict.fromkeys(knob for place in mine for knob in arms[place].searched):
            within = _indicators([str(arms[place].knobs.get(knob)) for place in mine])
            columns = np.zeros((len(arms), within.shape[1]))
            columns[mine] = within
            knobs.setdefault(knob, []).append(columns)
    if 3 + len(knobs) > MOST_FACTORS:
        knobs = {"knobs": [part for parts in knobs.values() for part in parts]}
    return found | {knob: np.hstack(parts) for knob, parts in knobs.items()}


def _indicators(levels: Sequence[str]) -> Matrix:
    names = list(dict.fromkeys(levels))
    columns = np.array([[float(level == name) for name in names] for level in levels])
    centred: Matrix = columns - columns.mean(axis=0)
    return centred


def _products(first: Matrix, second: Matrix) -> Matrix:
    made: Matrix = np.einsum("ai,aj->aij", first, second).reshape(len(first), -1)
    return made


def _average_over_orders(before: Matrix, factors: Mapping[str, Matrix]) -> dict[str, Matrix]:
    """What each factor adds to those that entered earlier, averaged over all orders."""
    names = list(factors)
    count = len(names)
    spaces: dict[frozenset[str], Matrix] = {}
    for size in range(count + 1):
        for chosen in combinations(names, size):
            columns = np.hstack([before, *(factors[name] for name in chosen)])
            spaces[frozenset(chosen)] = _projection(columns)
    found = {}
    for name in names:
        total = np.zeros_like(next(iter(spaces.values())))
        for earlier, space in spaces.items():
            if name not in earlier:
                # how often, among all orders, exactly these came earlier
                weight = 1 / (count * comb(count - 1, len(earlier)))
                total += weight * (spaces[earlier | {name}] - space)
        found[name] = total
    return found


def _projection(columns: Matrix) -> Matrix:
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    basis = left[:, sizes > 1e-9 * max(1.0, float(sizes[0]))]
    made: Matrix = basis @ basis.T
    return made


def _rank(columns: Matrix) -> int:
    return int(np.linalg.matrix_rank(columns)) if columns.size else 0
