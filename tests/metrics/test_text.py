"""Exact match and F1, on the cases of SQuAD's own evaluation."""

import pytest

from dream.metrics.text import exact_match, f1

# answer, reference, exact match, F1
CASES = [
    ("Denver Broncos", "Denver Broncos", 1, 1),
    ("the denver  broncos!", "Denver Broncos", 1, 1),
    ("The Denver Broncos won", "Denver Broncos", 0, 4 / 5),
    ("Broncos", "Denver Broncos", 0, 2 / 3),
    ("Carolina Panthers", "Denver Broncos", 0, 0),
    ("a cat and a cat", "a cat", 0, 2 * 1 * (1 / 3) / (1 + 1 / 3)),
    ("cat", "cat cat", 0, 2 / 3),
    ("U.S.A.", "usa", 1, 1),
    ("42.", "42", 1, 1),
    ("1,000", "1000", 1, 1),
    ("theatre", "atre", 0, 0),
    ("", "", 1, 1),
    ("", "Denver", 0, 0),
    ("the", "a", 1, 1),
    ("the", "Denver", 0, 0),
    ("Zoë", "zoë", 1, 1),
]


@pytest.mark.parametrize(("answer", "reference", "exact", "shared"), CASES)
def test_squads_rules(answer, reference, exact, shared):
    assert exact_match(answer, reference) == exact
    assert f1(answer, reference) == pytest.approx(shared)
    assert f1(reference, answer) == pytest.approx(shared)
