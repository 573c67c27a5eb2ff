"""Assignment over a million units: as the weights say, and independent of every other experiment, ramp and segment.

Ids are counted up as databases do, which is where weak hashes show. All is deterministic, so a test that passes always
does; the bounds are those of p > 0.001 and of |r| <= 0.005 (five standard errors of a correlation of nothing).
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, chisquare

from recsys.experiments.design.assignment import OUTSIDE, WHOLE, Hash, Plan, encode_unit
from recsys.experiments.design.definition import SEGMENTS, Experiment

N = 1_000_000
UNITS = [f"user-{n}" for n in range(N)]
ENCODED = [encode_unit(unit) for unit in UNITS]
WEIGHTS = {"a": 1.0, "b": 2.0, "c": 0.0, "d": 0.1, "e": 3.9}


def _plan(key: str, *, weights: dict[str, float] | None = None, coverage: float = 1.0) -> Plan:
    arms = {name: {"weight": weight} for name, weight in (weights or {"a": 1.0, "b": 1.0}).items()}
    return Plan.from_experiment(
        Experiment.model_validate(
            {
                "key": key,
                "title": key,
                "hypothesis": key,
                "control": "a",
                "arms": arms,
                "metrics": [{"name": "ctr"}],
                "coverage": coverage,
            }
        )
    )


@pytest.fixture(scope="module")
def first() -> NDArray[np.int64]:
    return _plan("restyled-cards").assign_many(UNITS)


def test_numbers_are_uniform() -> None:
    points = Hash.from_salt("split", "restyled-cards").points(ENCODED)
    counts = np.bincount(points // (WHOLE // 1024), minlength=1024)
    assert len(counts) == 1024
    assert chisquare(counts).pvalue > 0.001
    # The last bits are as good as the first.
    assert chisquare(np.bincount(points & 1023, minlength=1024)).pvalue > 0.001


def test_segments_are_uniform() -> None:
    points = Hash.from_salt("segment", "lists").points(ENCODED)
    counts = np.bincount((points >> 8) * SEGMENTS >> 52, minlength=SEGMENTS)
    assert len(counts) == SEGMENTS
    assert chisquare(counts).pvalue > 0.001


def test_arms_are_as_their_weights() -> None:
    codes = _plan("many-arms", weights=WEIGHTS).assign_many(UNITS)
    counts = np.bincount(codes, minlength=len(WEIGHTS))
    weights = np.array(list(WEIGHTS.values()))
    assert counts[weights == 0].tolist() == [0]
    expected = N * weights / weights.sum()
    assert chisquare(counts[weights > 0], expected[weights > 0]).pvalue > 0.001


@pytest.mark.parametrize("key", ["restyled-cards-2", "restyled-card", "milder", "a"])
def test_two_experiments_are_uncorrelated(first: NDArray[np.int64], key: str) -> None:
    other = _plan(key).assign_many(UNITS)
    assert abs(np.corrcoef(first, other)[0, 1]) <= 0.005
    assert chi2_contingency(np.histogram2d(first, other, bins=2)[0]).pvalue > 0.001


@pytest.mark.parametrize("purpose", ["coverage", "segment", "holdout"])
def test_no_other_purpose_says_anything_of_the_split(first: NDArray[np.int64], purpose: str) -> None:
    other = Hash.from_salt(purpose, "restyled-cards").points(ENCODED)
    assert abs(np.corrcoef(first, other.astype(np.float64))[0, 1]) <= 0.005


def test_what_a_ramp_adds_is_split_like_the_rest(first: NDArray[np.int64]) -> None:
    small = _plan("restyled-cards", coverage=0.1).assign_many(UNITS)
    inside = small != OUTSIDE
    assert inside.sum() == pytest.approx(0.1 * N, abs=4 * np.sqrt(0.09 * N))
    assert (small[inside] == first[inside]).all()
    for part in (first[inside], first[~inside]):
        assert chisquare(np.bincount(part, minlength=2)).pvalue > 0.001


def test_neighboring_ids_are_independent(first: NDArray[np.int64]) -> None:
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) <= 0.005
