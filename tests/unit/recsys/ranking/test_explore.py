"""Exploration: what is logged as probable is as frequent."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.ranking.explore import ExploredList, LongTail, explore
from recsys.rng import generator

LISTED = np.arange(6)
DRAWS = 10_000
CASES = pytest.mark.parametrize(("pool", "share"), [(20, 0.3), (6, 0.5), (4, 0.6), (2, 0.9), (30, 1.0)])


@cache
def _draws(pool: int, share: float) -> list[ExploredList]:
    return [explore(LISTED, 100 + np.arange(pool), share, generator(1, "draw", draw)) for draw in range(DRAWS)]


@CASES
def test_frequencies_are_the_logged_propensities(pool: int, share: float) -> None:
    logged: dict[tuple[int, int], float] = {}
    counts: dict[tuple[int, int], int] = {}
    for places in _draws(pool, share):
        assert len(set(places.rows.tolist())) == len(LISTED)
        assert ((places.rows >= 100) == places.explored).all()
        for place, (row, propensity) in enumerate(zip(places.rows.tolist(), places.propensities, strict=True)):
            assert logged.setdefault((row, place), propensity) == propensity
            counts[row, place] = counts.get((row, place), 0) + 1
    for key, propensity in logged.items():
        spread = (propensity * (1 - propensity) / DRAWS) ** 0.5
        # 5 standard errors, and one draw for the rarest
        assert abs(counts[key] / DRAWS - propensity) <= 5 * spread + 1 / DRAWS, key


@CASES
def test_clicks_weighted_by_propensity_estimate_another_ranking(pool: int, share: float) -> None:
    # what clicks depend on: item and place
    appeal = np.random.default_rng(3).random((200, len(LISTED)))
    other = [102, 100, 1, 3, 101, 103] if pool >= 4 else [0, 1, 2, 3, 100, 101]
    if share == 1.0:
        other = [102, 100, 105, 104, 101, 103]
    # only what may stand in a place can be estimated there
    possible = [place for place, row in enumerate(other) if _possible(row, place, pool)]
    truth = sum(appeal[other[place], place] for place in possible)
    estimates = [
        sum(
            appeal[other[place], place] / places.propensities[place]
            for place in possible
            if places.rows[place] == other[place]
        )
        for places in _draws(pool, share)
    ]
    assert abs(np.mean(estimates) - truth) < 5 * np.std(estimates) / DRAWS**0.5
    assert len(possible) >= 3


def _possible(row: int, place: int, pool: int) -> bool:
    closed = max(0, len(LISTED) - pool)
    if place < closed:
        return row == place
    return row >= 100 or closed <= row <= place


@CASES
def test_the_share_of_open_places_is_explored(pool: int, share: float) -> None:
    explored = np.mean([places.explored for places in _draws(pool, share)], axis=0)
    closed = max(0, len(LISTED) - pool)
    assert (explored[:closed] == 0).all()
    np.testing.assert_allclose(explored[closed:], share, atol=0.02)


def test_what_is_listed_keeps_its_order() -> None:
    for places in _draws(20, 0.3)[:200]:
        kept = places.rows[~places.explored]
        assert kept.tolist() == list(range(len(kept)))


def test_nothing_to_explore_is_certain() -> None:
    for places in (
        explore(LISTED, LISTED[:0], 0.5, generator(0, "x")),
        explore(LISTED, LISTED + 100, 0.0, generator(0, "x")),
        ExploredList.without_exploration(LISTED),
    ):
        assert places.rows.tolist() == LISTED.tolist()
        assert (places.propensities == 1).all()
        assert not places.explored.any()


def test_little_known_is_what_fewest_people_touched_among_the_allowed() -> None:
    seen = csr_matrix(np.triu(np.ones((8, 8), dtype=np.bool_)))  # item i was touched by i + 1 people
    little_known = LongTail.from_interactions(seen)
    everything = np.ones(8, dtype=np.bool_)
    nothing = np.zeros(0, dtype=np.int64)
    assert np.flatnonzero(little_known.among(everything, nothing)).tolist() == [0, 1]
    assert np.flatnonzero(little_known.among(everything, np.array([0, 5]))).tolist() == [1, 2]
    allowed = np.arange(8) >= 4
    assert np.flatnonzero(little_known.among(allowed, nothing)).tolist() == [4]
    assert not little_known.among(everything & False, nothing).any()
    assert allowed.sum() == 4  # left as it was
