"""Colors as numbers: known colors in Lab, there and back, and statistics over a mask."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from style.color_space import lab_statistics, lab_to_srgb, srgb_to_lab, with_lab_statistics


@pytest.mark.parametrize(
    ("srgb", "lab"),
    [((1, 1, 1), (100, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.20))],
)
def test_known_colors(srgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    # White, black and red under D65: brucelindbloom.com, "CIE Color Calculator".
    np.testing.assert_allclose(srgb_to_lab(np.full((1, 1, 3), srgb, dtype=np.float32))[0, 0], lab, atol=0.02)


def test_there_and_back() -> None:
    pixels = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    np.testing.assert_allclose(lab_to_srgb(srgb_to_lab(pixels)), pixels, atol=1e-5)


def test_statistics_are_of_what_the_mask_covers_in_its_shares() -> None:
    pixels = np.zeros((1, 3, 3), dtype=np.float32)
    pixels[0, 1] = 1.0  # black, white, black: L* 0, 100, 0
    found = lab_statistics(pixels, np.array([[3.0, 1.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(found[:3], [25, 0, 0], atol=0.01)
    np.testing.assert_allclose(found[3:], [np.sqrt(0.75 * 25**2 + 0.25 * 75**2), 0, 0], atol=0.01)


def test_wanted_statistics_are_had_where_no_color_leaves_the_gamut() -> None:
    pixels = np.random.default_rng(0).uniform(0.4, 0.6, (8, 8, 3)).astype(np.float32)
    whole, mean, deviation = np.ones((8, 8), np.float32), np.array([60.0, 5.0, -8.0]), np.array([4.0, 2.0, 3.0])
    found = lab_statistics(with_lab_statistics(pixels, whole, mean, deviation), whole)
    np.testing.assert_allclose(found, [*mean, *deviation], atol=0.01)
    capped = lab_statistics(with_lab_statistics(pixels, whole, mean, 100 * deviation, most=1.0), whole)
    np.testing.assert_allclose(capped[3:], lab_statistics(pixels, whole)[3:], atol=0.01)


def test_colors_load_no_torch() -> None:
    code = "import sys, style.color_space, style.mask; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
