"""ALS against implicit's own exact solver, its own explanation, and itself on other thread counts."""

from __future__ import annotations

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix, random_array, vstack
from threadpoolctl import threadpool_limits

from recsys.config import AlsSettings
from recsys.models.als import AlsModel

USERS, ITEMS = 300, 120
SETTINGS = AlsSettings(factors=24, iterations=8, alpha=3.0)


def events(seed: int, users: int = USERS) -> csr_matrix:
    """Likes and dislikes, about nine a user, some users with none."""
    random = np.random.default_rng(seed)
    matrix = csr_matrix(random_array((users, ITEMS), density=0.08, rng=random), dtype=np.float32)
    matrix.data = random.choice([-5.0, 1.0, 5.0, 20.0], size=matrix.nnz).astype(np.float32)
    return csr_matrix(vstack([matrix, csr_matrix((1, ITEMS), dtype=np.float32)]))


@pytest.fixture(scope="module")
def model() -> AlsModel:
    return AlsModel(SETTINGS, seed=1).fit(events(0))


@pytest.fixture(scope="module")
def engine(model: AlsModel) -> AlternatingLeastSquares:
    with threadpool_limits(1, "blas"):
        engine = AlternatingLeastSquares(factors=SETTINGS.factors, regularization=model._penalty)
    engine.item_factors = model.item_factors
    return engine


@pytest.mark.parametrize("seed", [0, 7])
def test_fold_in_is_implicits_exact_solution(model: AlsModel, engine: AlternatingLeastSquares, seed: int) -> None:
    matrix = events(seed)
    confidences = model._confidences(matrix)
    expected = engine.recalculate_user(np.arange(matrix.shape[0]), confidences)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(model.fold_in(matrix), expected, atol=1e-4)


def test_explanations_are_implicits(model: AlsModel, engine: AlternatingLeastSquares) -> None:
    matrix = events(7)
    total, expected, _ = engine.explain(4, model._confidences(matrix), 11, N=ITEMS)
    reasons = model.explain(matrix[4], 11)
    ours = dict(zip(reasons.rows[0].tolist(), reasons.scores[0].tolist(), strict=True))
    theirs = {item: value for item, value in expected if matrix[4, item] > 0}
    assert ours.keys() == theirs.keys()
    assert all(ours[item] == pytest.approx(theirs[item], abs=1e-4) for item in ours)
    assert sum(ours.values()) == pytest.approx(total, abs=1e-4)


def test_factors_do_not_depend_on_the_number_of_threads() -> None:
    one = AlsModel(SETTINGS, seed=5, threads=1).fit(events(0))
    two = AlsModel(SETTINGS, seed=5, threads=2).fit(events(0))
    np.testing.assert_allclose(two.item_factors, one.item_factors, atol=1e-5)
    np.testing.assert_allclose(two.user_factors, one.user_factors, atol=1e-5)


def test_the_fit_decreases_the_loss_of_the_formula() -> None:
    matrix = events(0)

    def loss(iterations: int) -> float:
        model = AlsModel(SETTINGS.model_copy(update={"iterations": iterations}), seed=1).fit(matrix)
        confidences = np.abs(model._confidences(matrix).toarray())
        confidences[confidences == 0] = 1.0
        errors = (matrix.toarray() > 0) - model.user_factors @ model.item_factors.T
        shrinkage = np.square(model.user_factors).sum() + np.square(model.item_factors).sum()
        return float((confidences * np.square(errors)).sum() + model._penalty * shrinkage)

    losses = [loss(iterations) for iterations in (1, 3, 10)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1] * 1.001
