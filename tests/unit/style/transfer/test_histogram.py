from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from recsys.dataset.sample import sample_folder
from style.color_space import srgb_to_lab
from style.images import Pixels, read_image
from style.mask import product_mask
from style.transfer.histogram import HistogramStylizer, fit_transport
from style.transfer.reinhard import ReinhardStylizer
from style.transfer.style_images import StyleImage, StyleImages
from style.vector import DIMENSIONS, StyleVector

Colors = NDArray[np.float64]
STYLES = ("delft", "memphis", "autumn-leaves")
WHOLE = np.ones((96, 96), dtype=np.float32)


def axis(index: int) -> StyleVector:
    return StyleVector.from_values(np.eye(DIMENSIONS)[index])


def sample_picture(name: str) -> Pixels:
    return read_image(sample_folder() / name, short_side=96)


@pytest.fixture(scope="module")
def engine() -> HistogramStylizer:
    return HistogramStylizer(
        StyleImages([StyleImage(name, axis(i), sample_picture(f"styles/{name}.jpg")) for i, name in enumerate(STYLES)])
    )


def distance(first: Colors, second: Colors, lines: int = 20) -> float:
    """Compute the mean Wasserstein distance of two clouds `(N, 3)` along random lines unknown to the engine."""
    random = np.random.default_rng(7)
    along = random.normal(size=(lines, 3))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    return float(np.mean([wasserstein_distance(first @ line, second @ line) for line in along]))


def lab(pixels: Pixels) -> Colors:
    return srgb_to_lab(pixels).reshape(-1, 3)


@pytest.mark.parametrize("photo", ["images/p0003.jpg", "images/p0100.jpg"])
@pytest.mark.parametrize("style", range(len(STYLES)), ids=STYLES)
def test_the_products_distance_to_the_styles_colors_at_least_halves(
    engine: HistogramStylizer, style: int, photo: str
) -> None:
    shown, asked = sample_picture(photo), lab(engine.styles.images[style].pixels)
    mask = product_mask(shown)
    inside = mask > 0.5
    painted = engine.restyle(shown, axis(style), 1.0, mask)
    by_moments = ReinhardStylizer(engine.styles).restyle(shown, axis(style), 1.0, mask)
    assert distance(lab(painted[inside]), asked) < 0.5 * distance(lab(shown[inside]), asked)
    # Means and deviations alone do not come as near.
    assert distance(lab(painted[inside]), asked) < 0.85 * distance(lab(by_moments[inside]), asked)


def test_correlated_channels_are_matched_which_channel_by_channel_are_not() -> None:
    random = np.random.default_rng(0)
    shared = random.normal(0, 10, (4000, 1))
    asked = np.array([50.0, 0, 0]) + shared * [1.0, 1.0, -1.0] + random.normal(0, 1, (4000, 3))
    colors = np.array([40.0, 10, 5]) + random.normal(0, 10, (4000, 3))
    one_by_one = np.stack([np.sort(asked[:, i])[colors[:, i].argsort().argsort()] for i in range(3)], axis=1)
    moved = fit_transport(colors, [(asked, 1.0)])(colors)
    assert distance(moved, asked) < 0.25 * distance(one_by_one, asked)


def test_a_blend_has_the_mean_of_the_quantiles() -> None:
    random = np.random.default_rng(0)
    clouds = [random.normal(center, 5, (4000, 3)) for center in (20.0, 60.0)]
    colors = random.normal(40, 5, (4000, 3))
    moved = fit_transport(colors, [(clouds[0], 0.25), (clouds[1], 0.75)])(colors)
    np.testing.assert_allclose(moved.mean(axis=0), 50, atol=0.5)
    np.testing.assert_allclose(moved.std(axis=0), 5, atol=0.3)


def test_noise_of_a_plain_photo_is_not_made_a_pattern(engine: HistogramStylizer) -> None:
    plain = (0.5 + np.random.default_rng(0).normal(0, 0.004, (96, 96, 3))).astype(np.float32)
    painting = engine.paint([plain], axis(1), [WHOLE])[0]
    alone, smoothed = painting.on(plain, texture=0.0), painting.on(plain)
    assert alone.std(axis=(0, 1)).max() < 0.1
    assert smoothed.std(axis=(0, 1)).max() < 0.5 * alone.std(axis=(0, 1)).max()


def test_the_color_part_is_a_function_of_color_alone(engine: HistogramStylizer) -> None:
    photo = sample_picture("images/p0003.jpg")
    painting = engine.paint([photo], axis(0), [WHOLE])[0]
    mirrored = engine.paint([photo[:, ::-1].copy()], axis(0), [WHOLE])[0]
    colors, counts = np.unique(photo.reshape(-1, 3), axis=0, return_counts=True)
    usual = colors[counts.argmax()]
    same = (photo == usual).all(axis=2)
    assert counts.max() > 10
    assert np.ptp(painting.color[same], axis=0).max() < 1e-6
    np.testing.assert_allclose(mirrored.color[:, ::-1], painting.color, atol=0.02)
