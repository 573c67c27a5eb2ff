"""Curves: what they say is exact, and they find shapes that a weighted sum cannot."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.models.blend import Blend
from recsys.models.curves import Curves, standardize
from recsys.schema import FEATURES
from recsys.training.blend import BlendCases, curve_scores, curves_of, curves_pay, fit_blend, fit_weights, quality
from recsys.training.curves import KNOTS, fit_curves

F = len(FEATURES)


def middle_cases(people: int = 160, candidates: int = 40, *, shape: bool = True) -> BlendCases:
    """People like the candidate whose first feature is nearest to 0.5 (or, without `shape`, the largest)."""
    random = np.random.default_rng(0)
    tables = random.random((people, candidates, F)).astype(np.float32)
    first = tables[:, :, 0]
    best = np.abs(first - 0.5).argmin(axis=1) if shape else first.argmax(axis=1)
    relevant = np.arange(candidates) == best[:, None]
    nothing = np.zeros((people, candidates), dtype=bool)
    return BlendCases(tables, relevant, nothing, nothing, np.ones(people, dtype=np.int64), np.arange(people) % 3)


def test_a_curve_may_have_its_peak_in_the_middle() -> None:
    cases = middle_cases()
    by_curves = cases.ndcg(curve_scores(cases, curves_of(cases))).mean()
    assert by_curves > 2 * cases.quality(fit_weights(cases))
    assert curves_pay(cases)
    assert fit_blend(cases, cases.only(np.zeros(len(cases), dtype=bool))).curves is not None


def test_where_a_weight_is_right_curves_do_not_take_its_place() -> None:
    cases = middle_cases(shape=False)
    assert not curves_pay(cases)
    assert fit_blend(cases, cases.only(np.zeros(len(cases), dtype=bool))).curves is None


def test_few_people_are_not_enough_for_curves() -> None:
    assert not curves_pay(middle_cases(people=90))


def test_contributions_are_read_off_the_curves() -> None:
    knots = np.tile(np.array([0.0, 1.0, 2.0], dtype=np.float32), (4, 1))
    values = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0], [5, 5, 5]], dtype=np.float32)
    table = np.array([[0.5, 1.0], [1.5, 1.0], [9.0, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(Curves(knots, values).contributions(table), [[0.5, 5], [0.5, 5], [0, 5]], atol=1e-6)


def test_relative_features_are_standardized_over_the_candidates() -> None:
    table = np.array([[1.0, 7.0], [3.0, 7.0]], dtype=np.float32)
    np.testing.assert_allclose(standardize(table), [[-1, 0], [1, 0]])


def test_a_curve_is_nothing_on_average_and_flat_where_nothing_varies() -> None:
    random = np.random.default_rng(1)
    columns = random.random((500, 2)).astype(np.float32)
    columns[:, 1] = 3.0
    curves = fit_curves(columns, columns[:, 0] > 0.5)
    assert curves.knots.shape == curves.values.shape == (2, KNOTS)
    assert curves.values[0, -3:].min() > 0.5 > -0.5 > curves.values[0, :3].max() - 0.5
    assert np.interp(columns[:, 0], curves.knots[0], curves.values[0]).mean() == pytest.approx(0.0, abs=1e-4)
    assert not curves.values[1].any()


def test_new_items_are_scored_by_their_own_weights_and_offset() -> None:
    weights = dict.fromkeys(FEATURES, 0.0) | {"factors": 1.0}
    new_weights = dict.fromkeys(FEATURES, 0.0) | {"style": 2.0}
    table = np.ones((2, F), dtype=np.float32)
    found = Blend(weights, new_weights, 0.25).contributions(table, np.array([False, True]))
    assert found.sum(axis=1).tolist() == [1.0, 2.25]
    assert found[1, FEATURES.index("recency")] == 0.25


def test_new_items_are_placed_where_they_cost_nothing() -> None:
    cases = middle_cases(shape=False)
    random = np.random.default_rng(2)
    with_new = BlendCases(
        cases.tables, cases.relevant, ~cases.relevant & (random.random(cases.relevant.shape) < 0.2), cases.padding,
        cases.wanted, cases.rounds,
    )  # fmt: skip
    new = BlendCases(
        cases.tables, cases.relevant, np.ones_like(cases.relevant), cases.padding, cases.wanted, cases.rounds
    )
    blend = fit_blend(with_new, new)
    assert quality(with_new, blend) >= with_new.quality(fit_weights(with_new)) - 1e-3
    assert quality(new, blend) > 0.9
