from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.models.item_item import signals
from recsys.models.style_knn import StyleKnnModel
from recsys.schema import FloatArray


def test_scores_are_sums_of_cosines(events: csr_matrix, tastes: FloatArray) -> None:
    vectors = tastes.copy()
    vectors[3] = 0.0
    model = StyleKnnModel(vectors).fit(events)
    lengths = np.linalg.norm(vectors, axis=1)
    with np.errstate(invalid="ignore"):
        cosines = np.nan_to_num(vectors @ vectors.T / np.outer(lengths, lengths))
    np.fill_diagonal(cosines, 0.0)
    said = signals(events).toarray()
    expected = np.maximum(said, 0.0) @ cosines + np.minimum(said, 0.0) + model._bias
    np.testing.assert_allclose(model.scores(np.arange(events.shape[0])), expected, atol=1e-4)


def test_the_length_of_a_vector_says_nothing(events: csr_matrix, tastes: FloatArray) -> None:
    users = np.arange(events.shape[0])
    once, longer = StyleKnnModel(tastes).fit(events), StyleKnnModel(7.0 * tastes).fit(events)
    np.testing.assert_allclose(longer.scores(users), once.scores(users), atol=1e-4)


def test_an_item_without_a_picture_is_never_alike(events: csr_matrix, tastes: FloatArray) -> None:
    vectors = tastes.copy()
    vectors[3] = 0.0
    model = StyleKnnModel(vectors).fit(events)
    assert 3 not in model.similar_items(8, 5).rows
    assert np.ptp(model.scores(np.arange(5))[:, 3] - model._bias[3] - model._largest * np.minimum(
        signals(events[:5]).toarray()[:, 3], 0.0)) < 1e-6  # fmt: skip
