"""Modes: what each paints, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from style.errors import BackdropError, VectorError
from style.modes import PaintMode, Strength, paint_mask

SOFT = np.array([[0.0, 0.02, 0.4, 0.5, 0.8, 1.0]], dtype=np.float32)


def test_the_product_or_everything() -> None:
    for mode in (PaintMode.PRODUCT, PaintMode.TONE):
        np.testing.assert_array_equal(paint_mask(mode, SOFT), SOFT)
    np.testing.assert_array_equal(paint_mask(PaintMode.FULL, SOFT), np.ones_like(SOFT))


def test_the_background_fades_out_before_the_product_begins() -> None:
    np.testing.assert_allclose(paint_mask(PaintMode.BACKGROUND, SOFT), [[1, 0.96, 0.2, 0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("value", [1.0, 0.5])
def test_without_a_backdrop_the_background_cannot_be_painted(value: float) -> None:
    with pytest.raises(BackdropError, match=r"no plain backdrop .* use product, full, tone"):
        paint_mask(PaintMode.BACKGROUND, np.full((4, 4), value, dtype=np.float32))


def test_tone_has_no_texture() -> None:
    assert Strength.from_number(0.4, PaintMode.TONE) == Strength(0.0, 0.4)
    assert Strength.from_number(0.4, PaintMode.FULL) == Strength(0.4, 0.4)


def test_lowering_keeps_the_proportion() -> None:
    lowered = Strength(0.2, 0.8).with_largest(0.4)
    assert (lowered.texture, lowered.color) == pytest.approx((0.1, 0.4))
    assert Strength(0.0, 0.0).with_largest(0.5) == Strength(0.0, 0.0)


@pytest.mark.parametrize("pair", [(-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5)])
def test_a_strength_outside_its_range_is_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(VectorError, match="strength"):
        Strength(*pair)
