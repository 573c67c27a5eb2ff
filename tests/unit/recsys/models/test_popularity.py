from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.models.popularity import PopularityModel

MATRIX = csr_matrix(np.array([[1, 5, -5, 0], [0, 5, -5, 0], [2, 5, 1, 0]], dtype=np.float32))


def test_scores_are_log_sums_of_the_logs_of_positive_weights() -> None:
    scores = PopularityModel().fit(MATRIX).scores(np.array([0, 2]))
    sums = [np.log(2) + np.log(3), 3 * np.log(6), np.log(2), 0]
    np.testing.assert_allclose(scores, np.tile(np.log1p(2 * np.array(sums)), (2, 1)), rtol=1e-6)


def test_eleven_users_outweigh_a_thousand_events_of_one() -> None:
    often = csr_matrix(([1_000.0], ([0], [0])), shape=(12, 2), dtype=np.float32)
    once = csr_matrix((np.ones(11), (np.arange(1, 12), np.ones(11, dtype=int))), shape=(12, 2), dtype=np.float32)
    popularity = PopularityModel().fit(often + once).scores(np.array([0]))[0]
    assert popularity[1] > popularity[0]


def test_the_most_popular_unseen_item_comes_first() -> None:
    ranked = PopularityModel().fit(MATRIX).recommend(np.array([0, 1]), 3)
    assert ranked.rows.tolist() == [[3, -1, -1], [0, 3, -1]]


def test_similar_items_are_the_popular_ones() -> None:
    assert PopularityModel().fit(MATRIX).similar_items(1, 4).rows.tolist() == [[0, 2, 3, -1]]
