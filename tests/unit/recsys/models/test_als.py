from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from recsys.config import AlsSettings
from recsys.errors import DataError, NotFittedError, UnknownIdError
from recsys.models.als import AlsModel
from recsys.models.base import SETTINGS_FILE
from recsys.models.popularity import log_popularity

MATRIX = csr_matrix(
    np.array(
        [
            [5, 5, 0, 0, -5],
            [5, 5, 5, 0, 0],
            [0, 5, 5, 0, 0],
            [0, 0, 0, 5, 5],
            [5, 0, 0, 5, 5],
        ],
        dtype=np.float32,
    )
)


def fitted(**settings: float) -> AlsModel:
    return AlsModel(AlsSettings(factors=4, **settings), threads=1).fit(MATRIX)


def test_confidence_is_the_documented_formula() -> None:
    model = fitted(alpha=2.0, item_damping=0.5)
    confidences = model._confidences(MATRIX).toarray()
    counts = np.array([3, 3, 2, 2, 3])
    average = (counts**2).sum() / counts.sum()
    expected = 1 + 2.0 * np.log(6.0) * np.sqrt(average / counts)
    np.testing.assert_allclose(confidences[1, :3], expected[:3], rtol=1e-6)
    assert confidences[0, 4] == pytest.approx(-expected[4], rel=1e-6)
    assert confidences[0, 2] == 0


def test_a_stored_zero_weight_is_an_untouched_pair() -> None:
    model = fitted()
    stored = csr_matrix((np.array([5, 0], dtype=np.float32), ([0, 0], [0, 3])), shape=(1, 5))
    plain = csr_matrix((np.array([5], dtype=np.float32), ([0], [0])), shape=(1, 5))
    np.testing.assert_array_equal(model.fold_in(stored), model.fold_in(plain))


def test_the_bias_is_scaled_log_popularity() -> None:
    popularity = log_popularity(MATRIX)
    np.testing.assert_allclose(fitted(popularity=0.3).item_bias, 0.3 * popularity / popularity.max(), rtol=1e-6)
    assert not fitted(popularity=0.0).item_bias.any()


def test_scores_are_factors_and_bias() -> None:
    model = fitted()
    assert model.user_factors.shape == (5, 4)
    assert model.item_factors.shape == (5, 4)
    assert model.user_factors.dtype == model.item_factors.dtype == model.item_bias.dtype == np.float32
    expected = model.user_factors[[2, 0]] @ model.item_factors.T + model.item_bias
    np.testing.assert_allclose(model.scores(np.array([2, 0])), expected, rtol=1e-6)


def test_known_users_have_the_factors_that_their_events_fold_in_to() -> None:
    """One at a time or all at once, with fewer events than factors or more, few items touched or all."""
    random = np.random.default_rng(0)
    likes = random.random((60, 40)) < np.linspace(0.0, 0.9, 60)[:, None]
    matrix = csr_matrix(likes * random.choice([-5.0, 1.0, 9.0], likes.shape).astype(np.float32))
    model = AlsModel(AlsSettings(factors=12), threads=1).fit(matrix)
    assert (np.diff(matrix.indptr) > 12).any()
    alone = np.vstack([model.fold_in(matrix[row]) for row in range(60)])
    np.testing.assert_allclose(model.user_factors, alone, atol=2e-5)
    np.testing.assert_array_equal(model.user_factors, model.fold_in(matrix))
    assert not model.user_factors[np.diff(matrix.indptr) == 0].any()


def test_contributions_add_up_to_the_score() -> None:
    model = fitted()
    reasons = model.explain(MATRIX[0], 2)
    assert set(reasons.rows[0]) == {0, 1}
    score = model.scores(np.array([0]))[0, 2] - model.item_bias[2]
    assert reasons.scores.sum() == pytest.approx(score, abs=1e-5)


def test_the_reason_for_an_item_is_what_goes_with_it() -> None:
    events = csr_matrix(np.array([[0, 5, 0, 5, 0]], dtype=np.float32))
    model = fitted()
    assert model.explain(events, 2).rows[0, 0] == 1
    assert model.explain(events, 4).rows[0, 0] == 3


def test_a_user_without_likes_has_no_reasons() -> None:
    reasons = fitted().explain(csr_matrix((1, 5), dtype=np.float32), 2)
    assert reasons.rows.tolist() == [[-1]]


def test_explain_refuses_two_users_and_unknown_items() -> None:
    with pytest.raises(DataError, match="one user"):
        fitted().explain(MATRIX[:2], 2)
    with pytest.raises(UnknownIdError, match="item row '5'"):
        fitted().explain(MATRIX[0], 5)


def test_a_matrix_of_zero_weights_is_refused() -> None:
    with pytest.raises(DataError, match="non-zero weight"):
        AlsModel().fit(csr_matrix((3, 4), dtype=np.float32))


def test_dislikes_alone_can_be_fitted() -> None:
    matrix = csr_matrix(np.array([[-5, -5], [0, -5]], dtype=np.float32))
    scores = AlsModel(threads=1).fit(matrix).scores(np.arange(2))
    np.testing.assert_allclose(scores, 0.0, atol=1e-4)


def test_another_seed_gives_other_factors() -> None:
    one, two = (AlsModel(AlsSettings(factors=4), seed=seed, threads=1).fit(MATRIX) for seed in (1, 2))
    assert not np.allclose(one.item_factors, two.item_factors)


def test_factors_of_an_unfitted_model() -> None:
    model = AlsModel()
    for use in (lambda: model.user_factors, lambda: model.item_factors, lambda: model.item_bias):
        with pytest.raises(NotFittedError, match="als"):
            use()
    with pytest.raises(NotFittedError, match="als"):
        model.fold_in(MATRIX)


def test_settings_survive_a_save(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("als")
    model = AlsModel(AlsSettings(factors=3, alpha=7.0), seed=11, threads=1).fit(MATRIX)
    model.save(folder)
    loaded = AlsModel.load(folder)
    assert loaded.settings == model.settings
    assert loaded.seed == 11
    np.testing.assert_array_equal(loaded.fold_in(MATRIX), model.fold_in(MATRIX))
    assert "als" in (folder / SETTINGS_FILE).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "bad", [{"item_damping": 1.5}, {"popularity": -0.1}, {"regularization": 0}, {"alpha": 0}, {"shrink": 1}]
)
def test_settings_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        AlsSettings.model_validate(bad)
