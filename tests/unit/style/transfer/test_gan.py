"""Unpaired translation: products come to the other kind's colors and find their way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from style.transfer.gan import GanStylizer, Generator, GeneratorShape, split_color, without_backdrop
from style.vector import DIMENSIONS, StyleVector

Z = StyleVector.from_values(np.ones(DIMENSIONS))


@pytest.fixture(scope="module")
def engine() -> GanStylizer:
    torch.manual_seed(1)
    return GanStylizer(Generator(GeneratorShape(4, 1)), "random")


@pytest.mark.parametrize("size", [(48, 64), (47, 61), (16, 16)])
def test_the_engine_paints_any_size_and_the_same_each_time(engine: GanStylizer, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    painted = engine.restyle(image, Z)
    assert painted.shape == image.shape
    assert np.abs(painted - image).mean() > 1e-3
    assert np.array_equal(engine.restyle(image, Z, 0.0), image)
    assert np.array_equal(engine.restyle(image, Z), painted)


def test_the_backdrop_does_not_count(engine: GanStylizer) -> None:
    random = np.random.default_rng(0)
    image = random.random((48, 48, 3)).astype(np.float32)
    mask = np.zeros((48, 48), dtype=np.float32)
    mask[12:36, 12:36] = 1
    other = image.copy()
    other[mask == 0] = 1.0
    first, second = (engine.restyle(picture, Z, mask=mask) for picture in (image, other))
    assert np.allclose(first[mask == 1], second[mask == 1], atol=1e-5)
    assert np.array_equal(second[mask == 0], other[mask == 0])
    assert np.allclose(without_backdrop(image, mask)[0, 0], image[mask == 1].mean(axis=0), atol=1e-5)


def test_a_painting_is_split_into_color_and_the_rest() -> None:
    image = np.random.default_rng(0).random((24, 24, 3)).astype(np.float32) * 0.5
    mask = np.ones((24, 24), dtype=np.float32)
    brighter = image + np.float32(0.2)
    painting = split_color(image, brighter, mask)
    assert np.allclose(painting.texture + painting.color, 0.2, atol=1e-6)
    assert np.abs(painting.texture).mean() < 0.2 * np.abs(painting.color).mean()
    nothing = split_color(image, brighter, 0 * mask)
    assert not nothing.color.any()
    assert np.allclose(nothing.texture, 0.2, atol=1e-6)
