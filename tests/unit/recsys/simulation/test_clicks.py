"""Click models do what their formulas say, and position bias is undone by inverse propensities."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.simulation.clicks import Cascade, ClickModel, PositionBased
from tests.simulated.click_rates import naive_rates, unbiased_rates

LISTS, POSITIONS = 40_000, 5
ATTRACTION = np.array([0.5, 0.1, 0.8, 0.3, 0.6])


@pytest.mark.parametrize(
    "model", [PositionBased(), PositionBased(0.0), Cascade(), Cascade(after_skip=0.9, after_click=0.5)], ids=repr
)
def test_clicks_are_as_likely_as_the_formula_says(model: ClickModel) -> None:
    draws = np.random.default_rng(0).random((LISTS, POSITIONS, 2))
    attraction = np.tile(ATTRACTION, (LISTS, 1))
    expected = model.probabilities(attraction)[0]
    found = model.clicks(attraction, draws).mean(axis=0)
    assert np.abs(found - expected).max() < 4 * 0.5 / LISTS**0.5


def test_position_bias_is_a_power_of_the_position() -> None:
    assert PositionBased(1.0).probabilities(np.ones((1, 4)))[0] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])


def test_the_cascade_of_craswell_clicks_once_and_knows_what_stands_above() -> None:
    attraction = np.tile(ATTRACTION, (LISTS, 1))
    clicked = Cascade().clicks(attraction, np.random.default_rng(1).random((LISTS, POSITIONS, 2)))
    assert clicked.sum(axis=1).max() == 1
    by_hand = [0.5, 0.5 * 0.1, 0.5 * 0.9 * 0.8, 0.5 * 0.9 * 0.2 * 0.3, 0.5 * 0.9 * 0.2 * 0.7 * 0.6]
    assert Cascade().probabilities(attraction)[0] == pytest.approx(by_hand)


def test_naive_rates_are_biased_by_position_and_inverse_propensities_undo_it() -> None:
    random, items, model = np.random.default_rng(2), 20, PositionBased(1.0)
    # Every item is as attractive as the next; the lower its number, the higher it tends to stand.
    rows = np.argsort(np.arange(items) + random.normal(0, 8.0, (LISTS, items)), axis=1)[:, :POSITIONS]
    clicked = model.clicks(np.full(rows.shape, 0.3), random.random((LISTS, POSITIONS, 2)))
    naive = naive_rates(rows, clicked, items)
    unbiased = unbiased_rates(rows, clicked, model.examination(POSITIONS), items)
    assert naive[0] > 1.4 * naive[15]
    shown = np.bincount(rows.ravel(), minlength=items)
    assert np.all(np.abs(unbiased - 0.3) < 4 * np.sqrt(0.3 * POSITIONS / shown))
    assert abs(unbiased.mean() - 0.3) < 0.01


def test_numbers_out_of_range_are_named() -> None:
    with pytest.raises(ConfigError, match="fade is -1"):
        PositionBased(-1.0)
    with pytest.raises(ConfigError, match="after_click is"):
        Cascade(after_click=1.5)
