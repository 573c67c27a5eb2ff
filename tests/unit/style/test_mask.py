from __future__ import annotations

import numpy as np

from style.images import Pixels
from style.mask import product_mask


def studio(size: int = 120) -> Pixels:
    """A grey backdrop that darkens to one side, and a red disc of a quarter of the side on it."""
    y, x = np.mgrid[0:size, 0:size]
    ground = 0.95 - 0.15 * (x / size) - 0.05 * (y / size) ** 2
    picture = np.repeat(ground[:, :, None], 3, axis=2)
    picture[disc(size)] = (0.8, 0.1, 0.1)
    return picture.astype(np.float32)


def disc(size: int) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size]
    return (y - size / 2) ** 2 + (x - size / 2) ** 2 < (size / 4) ** 2


def test_the_product_is_found_on_a_shaded_backdrop() -> None:
    mask = product_mask(studio())
    inside = disc(120)
    assert mask[inside].mean() > 0.97
    assert mask[~inside].mean() < 0.08


def test_holes_belong_to_the_product() -> None:
    picture = studio()
    picture[55:65, 55:65] = picture[5, 60]
    assert product_mask(picture)[60, 60] > 0.9


def test_a_busy_picture_is_taken_whole() -> None:
    noise = np.random.default_rng(0).random((90, 130, 3)).astype(np.float32)
    assert np.array_equal(product_mask(noise), np.ones((90, 130), dtype=np.float32))


def test_an_empty_backdrop_is_taken_whole() -> None:
    assert product_mask(np.full((64, 64, 3), 0.9, dtype=np.float32)).min() == 1.0


def test_the_mask_has_the_size_of_the_picture_and_a_soft_edge() -> None:
    mask = product_mask(np.repeat(np.repeat(studio(), 4, axis=0), 4, axis=1))
    assert mask.shape == (480, 480)
    assert ((mask > 0.1) & (mask < 0.9)).any()
