"""Effects of steps, in numbers, on degraded photos of the sample."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from recsys.dataset import sample
from style.ciede2000 import ciede2000
from style.color_space import luma, srgb_to_lab
from style.errors import RecipeError
from style.images import Pixels, read_image
from style.mask import product_mask
from style.preprocess.denoise import Denoise, noise_level
from style.preprocess.frame import Crop, Straighten, rotate, skew
from style.preprocess.recipe import NO_RECIPE, STEPS, Recipe, parse_step

EVERY_STEP = sorted(STEPS)


@cache
def photo(name: str, side: int = 128) -> Pixels:
    pixels = read_image(sample.sample_folder() / "images" / f"{name}.jpg", short_side=side)
    pixels.flags.writeable = False
    return pixels


def noisy(pixels: Pixels, deviation: float = 0.08) -> Pixels:
    noise = np.random.default_rng((0, 1)).normal(0, deviation, pixels.shape)
    return np.clip(pixels + noise, 0, 1).astype(np.float32)


def psnr(pixels: Pixels, true: Pixels) -> float:
    return float(-10 * np.log10(((pixels - true) ** 2).mean()))


def entropy(pixels: Pixels) -> float:
    """Of luma in 64 levels, in bits."""
    share = np.histogram(luma(pixels), bins=64, range=(0, 1))[0] / luma(pixels).size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


@pytest.mark.parametrize(("method", "gain"), [("nlm", 5.0), ("wavelet", 4.0), ("bilateral", 4.0), ("median", 2.0)])
def test_noise_is_taken_out(method: str, gain: float) -> None:
    true = photo("p0026")
    assert psnr(Denoise(method)(noisy(true)), true) > psnr(noisy(true), true) + gain


def test_salt_and_pepper_is_the_median_filters() -> None:
    true = photo("p0026")
    spoilt = np.where(np.random.default_rng((0, 2)).random(true.shape[:2])[..., None] < 0.04, 0.0, true)
    spoilt = spoilt.astype(np.float32)
    assert psnr(Denoise("median")(spoilt), true) > psnr(spoilt, true) + 8


@pytest.mark.parametrize("method", ["nlm", "wavelet", "bilateral"])
def test_a_clean_picture_stays_as_it_is(method: str) -> None:
    clean = np.full((40, 48, 3), 0.5, dtype=np.float32)
    np.testing.assert_array_equal(Denoise(method)(clean), clean)


def test_the_noise_is_estimated() -> None:
    flat = np.full((64, 64, 3), 0.5, dtype=np.float32)
    assert noise_level(noisy(flat, 0.05)) == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize(("step", "bits"), [("clahe", 0.8), ("stretch", 0.8), ("equalize", 0.8)])
def test_a_flat_picture_gets_contrast_and_keeps_its_hues(step: str, bits: float) -> None:
    true = photo("p0001")
    flat = (0.4 + 0.25 * true).astype(np.float32)
    better = parse_step(step)(flat)
    assert entropy(better) > entropy(flat) + bits
    assert luma(better).std() > 1.5 * luma(flat).std()
    before, after = srgb_to_lab(flat), srgb_to_lab(better)
    lit = (after[..., 0] > 20) & (after[..., 0] < 90)
    assert np.abs(after[lit] - before[lit])[:, 1:].mean() < 2


def test_gamma_brightens_what_is_dark() -> None:
    true = photo("p0001")
    dark = true**1.5
    assert psnr(parse_step(f"gamma:{1 / 1.5}")(dark), true) > psnr(dark, true) + 20


@pytest.mark.parametrize("step", ["balance:shades", "balance:gray-world"])
def test_the_lights_color_is_taken_out(step: str) -> None:
    true = photo("p0002")
    cast = np.clip(true * np.array([1.0, 0.85, 0.6], dtype=np.float32), 0, 1)
    before, after = (ciede2000(srgb_to_lab(p), srgb_to_lab(true)).mean() for p in (cast, parse_step(step)(cast)))
    assert after < 0.5 * before


def test_crop_leaves_the_product_and_a_margin() -> None:
    small = np.pad(photo("p0051"), ((60, 20), (90, 10), (0, 0)), mode="edge")
    cut = Crop(margin=0.05)(small)
    assert cut.shape[0] * cut.shape[1] < 0.4 * small.shape[0] * small.shape[1]
    assert product_mask(cut).sum() > 0.9 * product_mask(small).sum()
    rng = np.random.default_rng((0, 3))
    busy = rng.random((60, 70, 3)).astype(np.float32)
    np.testing.assert_array_equal(Crop()(busy), busy)


def box(height: int = 90, width: int = 44) -> Pixels:
    pixels = np.full((160, 160, 3), 0.95, dtype=np.float32)
    top, left = (160 - height) // 2, (160 - width) // 2
    pixels[top : top + height, left : left + width] = (0.2, 0.3, 0.7)
    pixels[top + 10 : top + 20, left : left + width] = (0.8, 0.7, 0.2)
    return pixels


@pytest.mark.parametrize("method", ["axis", "lines"])
@pytest.mark.parametrize("degrees", [7.0, -7.0])
def test_a_skew_product_is_set_upright(method: str, degrees: float) -> None:
    leaning = rotate(box(), degrees)
    assert abs(skew(leaning, method)) == pytest.approx(7, abs=1)
    assert abs(skew(Straighten(method)(leaning), method)) < 1
    assert psnr(Straighten(method)(leaning), box()) > psnr(leaning, box()) + 4


@pytest.mark.parametrize("name", ["p0003", "p0020", "p0126", "p0201", "p0301"])
def test_a_photo_of_the_sample_turned_by_seven_degrees_is_turned_back(name: str) -> None:
    """Only the rotation is measured: a product may have been tilted before."""
    upright, leaning = skew(photo(name, 256)), skew(rotate(photo(name, 256), 7))
    assert leaning - upright == pytest.approx(-7, abs=1)


def test_what_has_no_direction_or_leans_too_far_is_left() -> None:
    y, x = np.mgrid[0:120, 0:120]
    ball = np.where(((y - 60) ** 2 + (x - 60) ** 2 < 900)[..., None], 0.3, 0.95).astype(np.float32).repeat(3, axis=2)
    np.testing.assert_array_equal(Straighten()(ball), ball)
    far = rotate(box(), 30)
    np.testing.assert_array_equal(Straighten(most=15)(far), far)


@pytest.mark.parametrize("size", [(8, 8), (8, 40), (33, 17)])
@pytest.mark.parametrize("name", EVERY_STEP)
def test_any_size_and_a_flat_picture_pass_every_step(name: str, size: tuple[int, int]) -> None:
    drawn = np.random.default_rng((0, 4)).random((*size, 3)).astype(np.float32)
    for pixels in (drawn, np.zeros((*size, 3), np.float32), np.ones((*size, 3), np.float32)):
        kept = pixels.copy()
        done = parse_step(name)(pixels)
        assert done.dtype == np.float32
        assert done.ndim == 3
        assert np.isfinite(done).all()
        assert done.min() >= 0
        assert done.max() <= 1
        np.testing.assert_array_equal(pixels, kept)
        np.testing.assert_array_equal(done, parse_step(name)(pixels))


def test_a_recipe_is_its_steps_in_order() -> None:
    pixels = photo("p0001")
    expected = parse_step("crop")(parse_step("gamma:2")(pixels))
    np.testing.assert_array_equal(Recipe.from_texts(["gamma:2", "crop"])(pixels), expected)
    assert NO_RECIPE(pixels) is pixels


def test_the_identity_tells_recipes_apart_however_they_are_written() -> None:
    assert NO_RECIPE.identity == ""
    same = {
        Recipe.from_texts([text]).identity for text in ("clahe", "clahe:2", "clahe:clip=2.0", "clahe:tiles=4, clip=2")
    }
    assert len(same) == 1
    assert parse_step("balance:grey-world") == parse_step("balance:gray-world")
    different = [["clahe"], ["clahe:3"], ["clahe", "crop"], ["crop", "clahe"], ["denoise"], ["denoise:median"]]
    assert len({Recipe.from_texts(texts).identity for texts in different}) == len(different)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sharpen", "step 'sharpen' is unknown; known ones: denoise, balance"),
        ("denoise:fft", "method 'fft' is unknown; known ones: nlm, wavelet"),
        ("clahe:clip=0", "clip must lie in 1 .. 40, got 0"),
        ("clahe:clip=nan", "clip must lie in 1 .. 40, got nan"),
        ("clahe:clip=much", "clip must be a number, got 'much'"),
        ("clahe:size=3", "'size=3' is no setting of clahe; it has clip, tiles"),
        ("clahe:2,3", "'3' is no setting of clahe"),
        ("crop:mask=magic", "mask 'magic' is unknown; known ones: border, threshold, edges, grabcut"),
        ("stretch:low=60,high=40", "low 60 must be below high 40"),
    ],
)
def test_what_is_wrong_with_a_step_is_said(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message.replace("(", r"\(")):
        parse_step(text)
