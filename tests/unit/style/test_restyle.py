"""Restyled photos by mode, held to fidelity, and galleries that match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest

from style.ciede2000 import ciede2000
from style.color_space import luma, srgb_to_lab
from style.errors import BackdropError, ImageError
from style.fidelity import Limit
from style.images import Pixels
from style.mask import Mask
from style.modes import PaintMode, Strength
from style.restyle import RestyledPhoto, RestyleOptions, restyle_gallery, restyle_photo
from style.transfer.base import Painting, Stylizer
from style.transfer.color import ColorStylizer
from style.transfer.film import FilmStylizer
from style.vector import DIMENSIONS, StyleVector

RED = np.array([0.75, 0.2, 0.2], dtype=np.float32)
CREAM = np.array([0.9, 0.85, 0.7], dtype=np.float32)
SHEET = 0.96
HALF = Strength(0.5, 0.5)


class Stripes(Stylizer):
    """Stripes of light and dark, and a shift away from the color that the masks show."""

    name: ClassVar[str] = "stripes"
    version = "stripes-1"

    def __init__(self) -> None:
        self.painted = 0

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        self.painted += len(images)
        masks = [np.ones(image.shape[:2], dtype=np.float32) for image in images] if masks is None else masks
        return [self._one(image, mask) for image, mask in zip(images, masks, strict=True)]

    def _one(self, image: Pixels, mask: Mask) -> Painting:
        stripes = np.where(np.arange(image.shape[1]) // 4 % 2, 0.3, -0.3).astype(np.float32)
        mean = (image * mask[:, :, None]).sum(axis=(0, 1)) / mask.sum()
        shift = np.float32(0.6) * (np.float32(0.5) - mean)
        return Painting(
            np.broadcast_to(stripes[None, :, None], image.shape).copy(), np.broadcast_to(shift, image.shape).copy()
        )


def shot(share: float, cream: float, size: tuple[int, int] = (96, 96)) -> tuple[Pixels, Mask]:
    """Draw a red thing, part of it cream, that fills about `share` of a white sheet; and its mask."""
    height, width = size
    photo = np.full((height, width, 3), SHEET, dtype=np.float32)
    tall, wide = (round(side * share**0.5) for side in size)
    top, left = (height - tall) // 2, (width - wide) // 2
    photo[top : top + tall, left : left + wide] = RED
    photo[top : top + round(tall * cream), left : left + wide] = CREAM
    mask = np.zeros(size, dtype=np.float32)
    mask[top : top + tall, left : left + wide] = 1.0
    return photo, mask


def style(seed: int = 1) -> StyleVector:
    return StyleVector.from_values(np.random.default_rng(seed).normal(size=128))


def unlimited(mode: PaintMode, *, keep_color: bool = False) -> RestyleOptions:
    return RestyleOptions(Strength.from_number(0.5, mode), mode, keep_color=keep_color, limits=None)


@pytest.fixture(scope="module")
def color() -> ColorStylizer:
    return ColorStylizer.load()


class TestModes:
    @pytest.mark.parametrize("mode", list(PaintMode))
    def test_strength_0_is_the_photo_bit_for_bit(self, mode: PaintMode) -> None:
        photo, mask = shot(0.3, 0.4)
        engine = Stripes()
        answer = restyle_photo(engine, photo, style(), RestyleOptions(Strength(0.0, 0.0), mode), mask)
        assert answer.pixels.tobytes() == photo.tobytes()
        assert engine.painted == 0

    @pytest.mark.parametrize("mode", [PaintMode.PRODUCT, PaintMode.TONE])
    def test_the_backdrop_stays_bit_for_bit(self, mode: PaintMode) -> None:
        photo, mask = shot(0.3, 0.4)
        answer = restyle_photo(Stripes(), photo, style(), unlimited(mode), mask).pixels
        assert answer[mask == 0].tobytes() == photo[mask == 0].tobytes()
        assert np.abs(answer[mask == 1] - photo[mask == 1]).mean() > 0.02

    def test_the_product_stays_bit_for_bit(self, color: ColorStylizer) -> None:
        photo, mask = shot(0.3, 0.4)
        for engine in (Stripes(), color):
            answer = restyle_photo(engine, photo, style(), unlimited(PaintMode.BACKGROUND), mask).pixels
            assert answer[mask == 1].tobytes() == photo[mask == 1].tobytes()
            assert np.abs(answer[mask == 0] - photo[mask == 0]).mean() > 0.02

    def test_all_of_the_picture(self) -> None:
        photo, mask = shot(0.3, 0.4)
        answer = restyle_photo(Stripes(), photo, style(), unlimited(PaintMode.FULL), mask).pixels
        assert (np.abs(answer - photo).max(axis=2) > 0.01).all()

    def test_tone_is_color_alone(self) -> None:
        photo, mask = shot(0.3, 0.0)
        answer = restyle_photo(Stripes(), photo, style(), unlimited(PaintMode.TONE), mask).pixels
        product = answer[mask == 1]
        assert (product == product[0]).all()
        assert not np.array_equal(product[0], RED)

    def test_kept_color_changes_lightness_alone(self) -> None:
        photo, mask = shot(0.3, 0.0)
        added = (
            restyle_photo(Stripes(), photo, style(), unlimited(PaintMode.PRODUCT, keep_color=True), mask).pixels - photo
        )
        np.testing.assert_allclose(added - added.mean(axis=2, keepdims=True), 0, atol=1e-6)
        assert np.abs(luma(added[mask == 1])).mean() > 0.05

    def test_the_background_of_a_photo_without_one_is_refused(self) -> None:
        photo = np.random.default_rng(0).uniform(0, 1, (64, 64, 3)).astype(np.float32)
        with pytest.raises(BackdropError, match="no plain backdrop"):
            restyle_photo(Stripes(), photo, style(), RestyleOptions(HALF, PaintMode.BACKGROUND))

    def test_a_product_that_is_nowhere_is_not_painted(self) -> None:
        photo, mask = shot(0.3, 0.4)
        answer = restyle_photo(Stripes(), photo, style(), RestyleOptions(HALF), 0 * mask)
        assert answer.pixels.tobytes() == photo.tobytes()
        assert (answer.report.used.largest, answer.report.limited_by) == (0.0, (Limit.NO_PRODUCT,))

    def test_a_mask_of_another_size_is_refused(self) -> None:
        photo, mask = shot(0.3, 0.4)
        with pytest.raises(ImageError, match=r"\(96, 96\).*\(96, 95\)"):
            restyle_photo(Stripes(), photo, style(), RestyleOptions(HALF), mask[:, 1:])

    def test_fidelity_lowers_the_strength_and_what_is_painted_is_what_it_says(self) -> None:
        photo, mask = shot(0.4, 0.5)
        engine = Stripes()
        answer = restyle_photo(engine, photo, style(), RestyleOptions(Strength(1.0, 1.0)), mask)
        used = answer.report.used
        assert 0 < used.largest < 1
        assert engine.painted == 1
        exact = restyle_photo(Stripes(), photo, style(), RestyleOptions(used, limits=None), mask)
        np.testing.assert_array_equal(answer.pixels, exact.pixels)


def product_color(answer: RestyledPhoto, photo: Pixels, color: Pixels) -> Pixels:
    """Return the mean restyled color of the pixels of one color."""
    return np.asarray(answer.pixels[(photo == color).all(axis=2)].mean(axis=0))


def difference(a: Pixels, b: Pixels) -> float:
    return float(ciede2000(srgb_to_lab(a), srgb_to_lab(b)))


class TestGallery:
    @pytest.fixture
    def gallery(self) -> tuple[list[Pixels], list[Mask]]:
        """From far, from near, and from a side that shows little cream; in three sizes."""
        shots = [shot(0.15, 0.5), shot(0.8, 0.5, (64, 128)), shot(0.5, 0.05, (130, 75))]
        return [photo for photo, _ in shots], [mask for _, mask in shots]

    @pytest.mark.parametrize("mode", [PaintMode.PRODUCT, PaintMode.TONE])
    def test_the_same_color_becomes_the_same_color(
        self, color: ColorStylizer, gallery: tuple[list[Pixels], list[Mask]], mode: PaintMode
    ) -> None:
        photos, masks = gallery
        options = RestyleOptions(Strength.from_number(0.6, mode), mode)
        for seed in range(3):
            together = restyle_gallery(color, photos, style(seed), options, masks)
            alone = [
                restyle_photo(color, photo, style(seed), options, mask)
                for photo, mask in zip(photos, masks, strict=True)
            ]
            for tone in (RED, CREAM):
                same, before = (
                    [product_color(answer, photo, tone) for answer, photo in zip(answers, photos, strict=True)]
                    for answers in (together, alone)
                )
                assert max(difference(same[0], other) for other in same[1:]) < 0.5
                assert max(difference(before[0], other) for other in before[1:]) > 2
                assert difference(same[0], tone) > 2

    def test_masks_are_found_where_none_are_given(
        self, color: ColorStylizer, gallery: tuple[list[Pixels], list[Mask]]
    ) -> None:
        photos, _ = gallery
        answers = restyle_gallery(color, photos[:2], style(), RestyleOptions(HALF))
        first, second = (product_color(a, p, RED) for a, p in zip(answers, photos, strict=False))
        assert difference(first, second) < 1.5
        np.testing.assert_array_equal(answers[0].pixels[:5], photos[0][:5])

    def test_the_most_limited_photo_decides_for_all(self, gallery: tuple[list[Pixels], list[Mask]]) -> None:
        photos, masks = gallery
        options = RestyleOptions(Strength(1.0, 1.0))
        answers = restyle_gallery(Stripes(), photos, style(), options, masks)
        used = {answer.report.used for answer in answers}
        assert len(used) == 1
        assert 0 < used.pop().largest < 1
        assert all(answer.report.limited_by == answers[0].report.limited_by != () for answer in answers)
        assert len({answer.report.measures for answer in answers}) == 3

    def test_sizes_stay_and_texture_is_the_photos_own(self, gallery: tuple[list[Pixels], list[Mask]]) -> None:
        photos, masks = gallery
        options = RestyleOptions(Strength(0.5, 0.0), PaintMode.FULL, limits=None)
        for answer, photo in zip(restyle_gallery(Stripes(), photos, style(), options, masks), photos, strict=True):
            alone = restyle_photo(Stripes(), photo, style(), options)
            np.testing.assert_array_equal(answer.pixels, alone.pixels)

    def test_one_photo_is_a_gallery_and_none_is_not(self, color: ColorStylizer) -> None:
        photo, mask = shot(0.3, 0.4)
        (together,) = restyle_gallery(color, [photo], style(), RestyleOptions(HALF), [mask])
        alone = restyle_photo(color, photo, style(), RestyleOptions(HALF), mask)
        for tone in (RED, CREAM):
            same = (product_color(answer, photo, tone) for answer in (together, alone))
            assert difference(*same) < 0.5
        with pytest.raises(ImageError, match="at least one photo"):
            restyle_gallery(color, [], style(), RestyleOptions(HALF))


@pytest.mark.parametrize("size", [(1, 512), (512, 2), (7, 7)])
def test_a_photo_too_narrow_to_paint_stays_as_it_is_and_the_report_says_why(size: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    engine = FilmStylizer.load()
    style = StyleVector.from_values(np.ones(DIMENSIONS))
    answer = restyle_photo(engine, photo, style, RestyleOptions(HALF, mode=PaintMode.FULL))
    assert np.array_equal(answer.pixels, photo)
    assert answer.report.limited_by == (Limit.TOO_NARROW,)
    assert answer.report.used.largest == 0
    nearly = np.random.default_rng(0).random((8, 64, 3)).astype(np.float32)
    assert (
        restyle_photo(engine, nearly, style, RestyleOptions(HALF, mode=PaintMode.FULL, limits=None)).report.used == HALF
    )
    with pytest.raises(ImageError, match="each side needs at least 8"):
        restyle_gallery(engine, [nearly, photo], style, RestyleOptions(HALF))
