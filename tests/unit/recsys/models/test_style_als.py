from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.config import AlsSettings
from recsys.errors import ConfigError
from recsys.models.als import AlsModel
from recsys.models.style_als import StyleAlsModel
from recsys.models.style_factors import ridge
from recsys.models.style_head import StyleHeadModel
from recsys.schema import FloatArray

SETTINGS = AlsSettings(factors=12, iterations=10)


def loss(model: StyleAlsModel, matrix: csr_matrix) -> float:
    """The formula of the class's docstring, in float64."""
    confidences = model._confidences(matrix).toarray().astype(np.float64)
    weights = np.where(confidences == 0, 1.0, np.abs(confidences))[:, model._offered]
    items = model.item_factors[model._offered].astype(np.float64)
    errors = (confidences[:, model._offered] > 0) - model.user_factors @ items.T
    residuals = items - model.style_factors(model.item_vectors[model._offered])
    shrinkage = np.square(model.user_factors).sum() + np.square(residuals).sum()
    shrinkage += model.style_ridge * np.square(model._map[:-1]).sum()
    return float((weights * np.square(errors)).sum() + model._penalty * shrinkage)


def test_the_fit_decreases_the_loss_of_the_formula(events: csr_matrix, tastes: FloatArray) -> None:
    def fitted(iterations: int) -> StyleAlsModel:
        return StyleAlsModel(tastes, SETTINGS.model_copy(update={"iterations": iterations}), seed=1).fit(events)

    losses = [loss(fitted(iterations), events) for iterations in (1, 2, 4, 8, 16)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1] * 1.001


def test_the_fit_has_nothing_left_to_gain(events: csr_matrix, tastes: FloatArray) -> None:
    """At the end no small change of the map or of any item's factors lowers the loss."""
    model = StyleAlsModel(tastes, SETTINGS.model_copy(update={"iterations": 200}), style_ridge=1.0).fit(events)
    before, random = loss(model, events), np.random.default_rng(0)
    for name in ("_map", "_item_factors", "_user_factors"):
        found = getattr(model, name)
        for _ in range(5):
            setattr(model, name, found + 0.01 * random.standard_normal(found.shape).astype(np.float32))
            assert loss(model, events) > before
        setattr(model, name, found)


def test_plain_als_is_a_special_case(events: csr_matrix) -> None:
    """Without looks only the constant is left to gain by: the loss is no higher than that of implicit's factors."""
    settings = SETTINGS.model_copy(update={"iterations": 100})
    model = StyleAlsModel(np.zeros((events.shape[1], 3), dtype=np.float32), settings).fit(events)
    found = loss(model, events)
    plain = AlsModel(settings, threads=1).fit(events)
    assert plain._penalty == model._penalty
    model._user_factors, model._item_factors, model._map = plain.user_factors, plain.item_factors, 0.0 * model._map
    assert found < loss(model, events)


def test_an_item_without_events_has_the_factors_its_style_predicts(events: csr_matrix, tastes: FloatArray) -> None:
    dense = events.toarray()
    dense[:, 9] = 0.0
    model = StyleAlsModel(tastes, SETTINGS).fit(csr_matrix(dense))
    np.testing.assert_allclose(model.item_factors[9], model.style_factors(tastes[[9]])[0], atol=1e-6)
    warm = np.delete(np.arange(events.shape[1]), 9)
    gaps = np.linalg.norm(model.item_factors[warm] - model.style_factors(tastes[warm]), axis=1)
    assert (gaps > 1e-3).all()


def test_items_nobody_could_know_of_change_nothing(events: csr_matrix, tastes: FloatArray) -> None:
    more = csr_matrix(np.pad(events.toarray(), ((0, 0), (0, 10))))
    vectors = np.concatenate([tastes, 3.0 * tastes[:10]])
    plain, padded = StyleAlsModel(tastes, SETTINGS).fit(events), StyleAlsModel(vectors, SETTINGS).fit(more)
    users = np.arange(events.shape[0])
    # the start is drawn for more items, so the two end a rounding of the descent apart
    again = padded.scores(users)[:, : events.shape[1]]
    assert np.corrcoef(again.ravel(), plain.scores(users).ravel())[0, 1] > 0.97
    np.testing.assert_allclose(padded._gram, padded._gram.T, atol=1e-3)


@pytest.mark.parametrize("kind", [StyleAlsModel, StyleHeadModel])
def test_new_items_are_ranked_far_better_than_by_chance(kind: type, events: csr_matrix, tastes: FloatArray) -> None:
    """A fifth of the items loses all events; who liked them is found from their looks."""
    cold = np.arange(events.shape[1]) % 5 == 2
    known = events.toarray()
    known[:, cold] = 0.0
    scores = kind(tastes, SETTINGS).fit(csr_matrix(known)).scores(np.arange(events.shape[0]))[:, cold]
    liked = events.toarray()[:, cold] > 0
    better = [(yes[:, None] > no).mean() for yes, no in ((s[w], s[~w]) for s, w in zip(scores, liked, strict=True))
              if len(yes)]  # fmt: skip
    assert np.mean(better) > 0.75
    plain = AlsModel(SETTINGS, threads=1).fit(csr_matrix(known))
    assert np.abs(plain.item_factors[cold]).max() < 1e-3


def test_the_weight_of_events_overcomes_the_style(events: csr_matrix, tastes: FloatArray) -> None:
    """An item that looks like nothing people like is found by its events all the same."""
    misleading = tastes.copy()
    misleading[9] = -tastes[9]
    model = StyleAlsModel(misleading, SETTINGS).fit(events)
    likers = events[:, [9]].toarray()[:, 0] > 0
    scores = model.scores(np.arange(events.shape[0]))[:, 9]
    assert scores[likers].mean() > scores[~likers].mean() + 0.1


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_a_ridge_penalty_out_of_range_is_refused(bad: float, tastes: FloatArray) -> None:
    with pytest.raises(ConfigError, match="style_ridge"):
        StyleAlsModel(tastes, style_ridge=bad)


def test_ridge_leaves_the_constant_free() -> None:
    random = np.random.default_rng(0)
    features = np.pad(random.standard_normal((200, 3)), ((0, 0), (0, 1)), constant_values=1.0).astype(np.float32)
    truth = np.array([[1.0], [-2.0], [0.5], [7.0]], dtype=np.float32)
    np.testing.assert_allclose(ridge(features, features @ truth, 1e-6), truth, atol=1e-4)
    held = ridge(features, features @ truth, 1e6)
    assert np.abs(held[:-1]).max() < 1e-2
    assert held[-1, 0] == pytest.approx(float((features @ truth).mean()), abs=1e-2)


def test_the_head_scores_by_style_alone(events: csr_matrix, tastes: FloatArray) -> None:
    model = StyleHeadModel(tastes, SETTINGS).fit(events)
    np.testing.assert_allclose(model.item_factors, model.style_factors(tastes), atol=1e-6)


def test_another_seed_gives_other_factors_and_the_same_seed_the_same(events: csr_matrix, tastes: FloatArray) -> None:
    one, same, other = (StyleAlsModel(tastes, SETTINGS, seed=seed).fit(events) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.item_factors, same.item_factors)
    assert not np.allclose(one.item_factors, other.item_factors)


def test_another_picture_gives_other_factors_to_untouched_items_alone(events: csr_matrix, tastes: FloatArray) -> None:
    alone = np.bincount(events.indices, minlength=events.shape[1])
    model = StyleAlsModel(tastes, SETTINGS).fit(events).add_items(tastes[:2])
    before, touched, new = model.item_factors, int(alone.argmax()), events.shape[1]
    model.describe_items(np.array([touched, new]), tastes[[3, 3]])
    np.testing.assert_allclose(model.item_factors[new], model.style_factors(tastes[[3]])[0], atol=1e-6)
    others = np.delete(np.arange(new + 2), new)
    np.testing.assert_array_equal(model.item_factors[others], before[others])
    assert not np.array_equal(model.item_factors[new], before[new])
