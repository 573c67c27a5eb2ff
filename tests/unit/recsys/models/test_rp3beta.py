from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.models.item_item import likes
from recsys.models.rp3beta import Rp3BetaModel
from recsys.models.settings import Rp3BetaSettings


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (1.0, 0.6), (0.7, 0.3)])
def test_similarities_are_the_papers_formula(alpha: float, beta: float, events: csr_matrix) -> None:
    graph = likes(events).toarray().astype(np.float64)
    with np.errstate(invalid="ignore"):
        to_items = np.nan_to_num(graph / graph.sum(axis=1, keepdims=True)) ** alpha
        to_users = np.nan_to_num(graph / graph.sum(axis=0)).T ** alpha
    expected = to_users @ to_items / np.maximum(graph.sum(axis=0), 1e-9) ** beta
    np.fill_diagonal(expected, 0.0)
    model = Rp3BetaModel(Rp3BetaSettings(alpha=alpha, beta=beta, neighbors=events.shape[1])).fit(events)
    np.testing.assert_allclose(model._similarity.toarray(), expected, rtol=1e-4, atol=1e-7)


def test_walks_are_probabilities(events: csr_matrix) -> None:
    back, forth = Rp3BetaModel(Rp3BetaSettings(alpha=1.0, beta=0.0))._factors(likes(events))
    steps = np.asarray((back @ forth).sum(axis=1)).ravel()
    liked = np.diff(back.indptr) > 0
    np.testing.assert_allclose(steps[liked], 1.0, rtol=1e-5)


def test_beta_holds_popular_items_back(events: csr_matrix) -> None:
    degrees = np.bincount(likes(events).indices, minlength=events.shape[1])

    def popularity_of_first(beta: float) -> float:
        model = Rp3BetaModel(Rp3BetaSettings(beta=beta)).fit(events)
        return float(degrees[model.recommend(np.arange(events.shape[0]), 5).rows].mean())

    assert popularity_of_first(0.8) < popularity_of_first(0.4) < popularity_of_first(0.0)


def test_partial_fit_leaves_far_items_alone(events: csr_matrix) -> None:
    """Two groups with nothing in common: news in one does not walk again through the other."""
    both = csr_matrix(np.kron(np.eye(2), events.toarray()), dtype=np.float32)
    model = Rp3BetaModel().fit(both)
    before = model._similarity.copy()
    model.partial_fit(csr_matrix(([5.0], ([0], [3])), shape=both.shape))
    half = events.shape[1]
    np.testing.assert_array_equal(model._similarity[half:].toarray(), before[half:].toarray())
    assert (model._similarity[:half] != before[:half]).nnz
