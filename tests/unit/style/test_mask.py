from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from style.images import Pixels
from style.mask import matte, product_mask


def studio(size: int = 120) -> Pixels:
    """Draw a gray backdrop that darkens to one side, and on it a red disc of a quarter of the side."""
    y, x = np.mgrid[0:size, 0:size]
    ground = 0.95 - 0.15 * (x / size) - 0.05 * (y / size) ** 2
    picture = np.repeat(ground[:, :, None], 3, axis=2)
    picture[disc(size)] = (0.8, 0.1, 0.1)
    return picture.astype(np.float32)


def disc(size: int) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size]
    return (y - size / 2) ** 2 + (x - size / 2) ** 2 < (size / 4) ** 2


@pytest.mark.parametrize("size", [120, 224, 333])
def test_the_product_is_found_on_a_shaded_backdrop(size: int) -> None:
    mask = product_mask(studio(size))
    inside = disc(size)
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


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (8, 8), (163, 331), (400, 9)])
def test_any_size_has_a_mask(shape: tuple[int, int]) -> None:
    mask = product_mask(np.linspace(0, 1, shape[0] * shape[1] * 3, dtype=np.float32).reshape(*shape, 3))
    assert mask.shape == shape
    assert mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1


def test_the_mask_of_an_odd_size_is_not_shifted() -> None:
    picture = studio(331)
    far, near = product_mask(picture), product_mask(picture[::-1, ::-1])[::-1, ::-1]
    assert np.abs(far - near).mean() < 0.005


def test_the_same_pixels_have_the_same_mask_on_any_thread() -> None:
    pictures = [studio(120), studio(224)] * 8
    with ThreadPoolExecutor(4) as pool:
        masks = list(pool.map(product_mask, pictures))
    for picture, mask in zip(pictures, masks, strict=True):
        assert np.array_equal(mask, product_mask(picture))


def test_a_matte_follows_the_outline_and_goes_nowhere_beyond_the_mask() -> None:
    picture, inside = studio(256), disc(256)
    mask = product_mask(picture)
    drawn_in = matte(mask, picture)
    assert (drawn_in <= mask).all()
    assert drawn_in[~inside].sum() < 0.5 * mask[~inside].sum()
    assert drawn_in[inside].mean() > 0.88


def test_a_whole_picture_keeps_its_mask() -> None:
    ones = np.ones((64, 64), dtype=np.float32)
    assert np.array_equal(matte(ones, studio(64)), ones)
