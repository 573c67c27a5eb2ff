"""Properties that all descriptors share."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from style.descriptors.base import Descriptor, Invariance
from style.descriptors.registry import DESCRIPTORS
from style.images import Pixels, from_pixels, to_pixels
from style.mask import Mask

EACH = pytest.mark.parametrize("descriptor", DESCRIPTORS.values(), ids=lambda each: each.name)


def product(kind: int = 0) -> tuple[Pixels, Mask]:
    """One of two products, a striped bar or a checked disc, of other colors, and its mask, 96 pixels a side."""
    y, x = np.mgrid[0:96, 0:96]
    if kind == 0:
        mask = (np.abs(y - 48) < 16) & (np.abs(x - 44) < 36)
        tone, color = 0.55 + 0.25 * np.sin(x / 2.0), (0.8, 0.3, 0.3)
    else:
        mask = (y - 48) ** 2 + (x - 48) ** 2 < 30**2
        tone, color = 0.6 + 0.2 * np.sign(np.sin(x / 6.0) * np.sin(y / 6.0)), (0.25, 0.4, 0.8)
    pixels = np.where(mask[..., None], tone[..., None] * np.array(color), 0.9)
    return pixels.astype(np.float32), mask.astype(np.float32)


def between(descriptor: Descriptor, one: tuple[Pixels, Mask], other: tuple[Pixels, Mask]) -> float:
    return float(descriptor.distances(descriptor.describe(*one), descriptor.describe(*other)[None])[0])


@EACH
def test_it_is_of_its_size_finite_and_the_same_each_time(descriptor: Descriptor) -> None:
    vector = descriptor.describe(*product())
    assert vector.shape == (descriptor.dimensions,)
    assert vector.dtype == np.float32
    assert vector.any()
    np.testing.assert_array_equal(vector, descriptor.describe(*product()))


@EACH
@pytest.mark.parametrize("size", [(8, 8), (8, 31), (64, 64)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_and_tiny_pictures_have_numbers(descriptor: Descriptor, size: tuple[int, int], value: float) -> None:
    dot = np.zeros(size, dtype=np.float32)
    dot[3, 3] = 1.0
    for mask in (np.ones(size, dtype=np.float32), np.zeros(size, dtype=np.float32), dot):
        vector = descriptor.describe(np.full((*size, 3), value, dtype=np.float32), mask)
        assert np.isfinite(vector).all()
        assert vector.any()


@EACH
def test_distances_are_0_to_itself_and_larger_to_another(descriptor: Descriptor) -> None:
    found = np.stack([descriptor.describe(*product(kind)) for kind in (0, 1)])
    distances = descriptor.distances(found[0], found)
    assert distances.shape == (2,)
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances[1] > 0.05
    np.testing.assert_allclose(descriptor.distances(found[1], found)[0], distances[1], rtol=1e-5)


# A balanced descriptor estimates the light's color from the whole picture.
OF_THE_MASK = [
    each for each in DESCRIPTORS.values() if not (Invariance.CAST in each.invariant_to and "balanced" in each.name)
]


@pytest.mark.parametrize("descriptor", OF_THE_MASK, ids=lambda each: each.name)
def test_nothing_outside_the_mask_counts(descriptor: Descriptor) -> None:
    pixels, mask = product()
    outside = pixels.copy()
    # Rings of patterns reach two pixels far, and so far stay inside the outline that they leave out.
    outside[mask == 0] = np.random.default_rng((0, 1)).random((int((mask == 0).sum()), 3))
    np.testing.assert_array_equal(descriptor.describe(pixels, mask), descriptor.describe(outside, mask))


def scaled(pixels: Pixels, mask: Mask) -> tuple[Pixels, Mask]:
    large = from_pixels(pixels).resize((192, 192), Image.Resampling.BILINEAR)
    return to_pixels(large), np.asarray(Image.fromarray(mask, "F").resize((192, 192), Image.Resampling.BILINEAR))


def quarter(pixels: Pixels, mask: Mask) -> tuple[Pixels, Mask]:
    return np.rot90(pixels).copy(), np.rot90(mask).copy()


def dimmed(pixels: Pixels, mask: Mask) -> tuple[Pixels, Mask]:
    return np.asarray(pixels * np.float32(0.7)), mask


def warm(pixels: Pixels, mask: Mask) -> tuple[Pixels, Mask]:
    return np.asarray(pixels * np.array([1.0, 0.88, 0.7], dtype=np.float32)), mask


CHANGES = {
    Invariance.SCALE: scaled,
    Invariance.ROTATION: quarter,
    Invariance.LIGHT: dimmed,
    Invariance.CAST: warm,
}


CLAIMS = [
    pytest.param(descriptor, invariance, id=f"{descriptor.name}-{invariance}")
    for descriptor in DESCRIPTORS.values()
    for invariance in Invariance
    if invariance in descriptor.invariant_to
]


@pytest.mark.parametrize(("descriptor", "invariance"), CLAIMS)
def test_what_it_is_said_to_be_invariant_to_hardly_moves_it(descriptor: Descriptor, invariance: Invariance) -> None:
    for kind in (0, 1):
        moved = between(descriptor, product(kind), CHANGES[invariance](*product(kind)))
        assert moved < 0.25 * between(descriptor, product(0), product(1))


def test_robust_variants_gain_over_plain_histograms() -> None:
    plain, balanced, opponent = (DESCRIPTORS[n] for n in ("color-histogram", "color-balanced", "chromaticity"))
    cast = warm(*product())
    assert between(balanced, product(), cast) < 0.5 * between(plain, product(), cast)
    dark = dimmed(*product())
    assert between(opponent, product(), dark) < 0.5 * between(plain, product(), dark)
