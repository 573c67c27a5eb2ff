from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import RequestError
from recsys.models.ease import EaseModel, dense_bytes, inverse_gram, mean_square, neighbor_regressions
from recsys.models.item_item import likes
from recsys.models.settings import EaseSettings


def steck(matrix: csr_matrix, penalty: float) -> np.ndarray:
    """The listing of the paper (Steck 2019, figure 1), in float64."""
    dense = likes(matrix).toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + penalty * np.eye(dense.shape[1]))
    weights = inverse / -np.diagonal(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@pytest.mark.parametrize("regularization", [1.0, 30.0])
def test_the_dense_form_is_the_papers(regularization: float, events: csr_matrix) -> None:
    model = EaseModel(EaseSettings(regularization=regularization)).fit(events)
    expected = steck(events, regularization * mean_square(likes(events)))
    np.testing.assert_allclose(model._dense, expected, atol=2e-5)


def test_each_column_is_a_ridge_regression_without_the_item_itself(events: csr_matrix) -> None:
    model = EaseModel(EaseSettings(regularization=10.0)).fit(events)
    dense, item = likes(events).toarray(), 17
    others = np.delete(dense, item, axis=1)
    system = others.T @ others + model._penalty * np.eye(others.shape[1])
    expected = np.linalg.solve(system, others.T @ dense[:, item])
    np.testing.assert_allclose(np.delete(model._dense[:, item], item), expected, atol=2e-5)


def test_the_sparse_form_with_all_neighbors_is_the_dense_form(events: csr_matrix) -> None:
    """Also where items were never liked together: in ease they count through third items."""
    assert (likes(events).T @ likes(events)).nnz < events.shape[1] ** 2
    dense = EaseModel(EaseSettings(regularization=10.0)).fit(events)
    settings = EaseSettings(regularization=10.0, memory_limit=0, neighbors=events.shape[1] - 1)
    sparse = EaseModel(settings).fit(events)
    assert sparse._sparse is not None
    np.testing.assert_allclose(sparse._sparse.toarray(), dense._dense, atol=2e-5)
    users = np.arange(events.shape[0])
    np.testing.assert_allclose(sparse.scores(users), dense.scores(users), atol=1e-4)


def test_the_sparse_form_solves_for_the_most_co_liked(events: csr_matrix) -> None:
    positive, item, k = likes(events), 5, 8
    weights = neighbor_regressions(positive, k, 20.0).toarray()
    chosen = np.flatnonzero(weights[:, item])
    together = ((positive > 0).astype(np.float32).T @ (positive > 0).astype(np.float32)).toarray()[item]
    together[item] = -1
    assert len(chosen) == k
    assert together[chosen].min() >= np.delete(together, chosen).max()
    gram = (positive.T @ positive).toarray()
    expected = np.linalg.solve(gram[np.ix_(chosen, chosen)] + 20.0 * np.eye(k), gram[chosen, item])
    np.testing.assert_allclose(weights[chosen, item], expected, atol=1e-5)


def test_more_neighbors_come_nearer_to_the_dense_form(events: csr_matrix) -> None:
    positive = likes(events)
    exact = steck(events, 50.0)
    errors = [np.abs(neighbor_regressions(positive, k, 50.0).toarray() - exact).sum() for k in (3, 15, 40, 59)]
    assert errors == sorted(errors, reverse=True)


def test_the_guard_says_how_many_bytes(events: csr_matrix, caplog: pytest.LogCaptureFixture) -> None:
    needed = dense_bytes(events.shape[1])
    assert needed == 60 * 60 * 4
    assert EaseModel(EaseSettings(memory_limit=needed)).fit(events)._sparse is None
    assert not caplog.messages
    assert EaseModel(EaseSettings(memory_limit=needed - 1, neighbors=7)).fit(events)._sparse is not None
    assert "60 items need 14400 bytes, the limit is 14399: using 7 neighbors each" in caplog.text


def test_the_sparse_form_cannot_take_news(events: csr_matrix) -> None:
    model = EaseModel(EaseSettings(memory_limit=0)).fit(events)
    with pytest.raises(RequestError, match="14400 bytes"):
        model.partial_fit(events)


def test_a_dense_form_that_outgrows_the_limit_refuses_news(events: csr_matrix) -> None:
    model = EaseModel(EaseSettings(memory_limit=14_400)).fit(events)
    with pytest.raises(RequestError, match="14884 bytes for it, the limit is 14400"):
        model.partial_fit(csr_matrix((events.shape[0], 61), dtype=np.float32))


def test_a_hundred_updates_stay_near_the_exact_solution(events: csr_matrix) -> None:
    random = np.random.default_rng(0)
    model = EaseModel(EaseSettings(regularization=20.0)).fit(events)
    for _ in range(100):
        place = ([int(random.integers(events.shape[0]))], [int(random.integers(events.shape[1]))])
        model.partial_fit(csr_matrix(([3.0], place), shape=events.shape))
    np.testing.assert_allclose(model._dense, steck(model.history, model._penalty), atol=1e-4)


def test_new_users_and_items_are_taken_in_exactly(events: csr_matrix) -> None:
    """With the λ of the first fit."""
    users, items = events.shape[0] - 9, events.shape[1] - 4
    known = csr_matrix(events[:users, :items])
    model = EaseModel(EaseSettings(regularization=20.0)).fit(known)
    penalty = model._penalty
    known.resize(events.shape)
    model.partial_fit(csr_matrix(events - known))
    assert model._penalty == penalty
    np.testing.assert_allclose(model._dense, steck(events, penalty), atol=2e-5)


def test_news_of_most_users_is_solved_anew(events: csr_matrix) -> None:
    model = EaseModel(EaseSettings(regularization=20.0)).fit(events)
    model.partial_fit(events)
    np.testing.assert_allclose(model._dense, steck(model.history, model._penalty), atol=1e-5)


def test_the_inverse_spans_blocks(monkeypatch: pytest.MonkeyPatch, events: csr_matrix) -> None:
    monkeypatch.setattr("recsys.models.ease.BLOCK", 7)
    positive = likes(events)
    gram = (positive.T @ positive).toarray().astype(np.float64) + 9.0 * np.eye(events.shape[1])
    np.testing.assert_allclose(inverse_gram(positive, 9.0) @ gram, np.eye(events.shape[1]), atol=1e-4)
