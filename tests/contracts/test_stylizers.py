"""Properties that all engines of the registry share."""

from __future__ import annotations

import numpy as np
import pytest

from style.errors import UnknownEngineError, VectorError
from style.images import Pixels
from style.transfer.base import Follows, Stylizer
from style.transfer.engine_names import ENGINE_NAMES, IMAGE_ENGINE_NAMES
from style.transfer.gatys import GatysSettings, GatysStylizer
from style.transfer.registry import ENGINES, IMAGE_ENGINES, load_stylizer
from style.transfer.style_images import StyleImage, StyleImages
from style.vector import DIMENSIONS, StyleVector


@pytest.fixture(scope="module", params=[*ENGINES, *IMAGE_ENGINES])
def engine(request: pytest.FixtureRequest) -> Stylizer:
    if request.param == GatysStylizer.name:
        return GatysStylizer.load(pictures(), settings=GatysSettings(iterations=4))
    return load_stylizer(request.param, styles=pictures)


def pictures() -> StyleImages:
    """Two styles, which the styles 1 and 2 of the tests are; the second is darker."""
    shown = {seed: picture(64, 64, 10 + seed) / np.float32(seed) for seed in (1, 2)}
    return StyleImages([StyleImage(f"style {seed}", style(seed), pixels) for seed, pixels in shown.items()])


def picture(height: int = 48, width: int = 64, seed: int = 0) -> Pixels:
    """Smooth blobs of color on a busy ground."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 16.0
    waves = np.stack([np.sin(x + phase) * np.cos(y * 1.3 - phase) for phase in (0.0, 1.0, 2.0)], axis=2)
    return np.clip(0.5 + 0.35 * waves + random.normal(0, 0.03, waves.shape), 0, 1).astype(np.float32)


def style(seed: int) -> StyleVector:
    return StyleVector.from_values(np.random.default_rng(seed).normal(size=DIMENSIONS))


def test_strength_0_is_the_input_bit_for_bit(engine: Stylizer) -> None:
    image = picture()
    assert np.array_equal(engine.restyle(image, style(1), 0.0), image)


@pytest.mark.parametrize("size", [(48, 64), (47, 61), (33, 70), (16, 16)])
def test_any_size_comes_back_as_it_went_in(engine: Stylizer, size: tuple[int, int]) -> None:
    painted = engine.restyle(picture(*size), style(1), 1.0)
    assert painted.shape == (*size, 3)
    assert painted.dtype == np.float32
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_the_picture_changes_with_strength_and_with_z_where_the_engine_follows_it(engine: Stylizer) -> None:
    image = picture()
    half, full = (engine.restyle(image, style(1), strength) for strength in (0.5, 1.0))
    other = engine.restyle(image, style(2), 1.0)
    assert 0 < np.abs(half - image).mean() < np.abs(full - image).mean()
    if engine.follows is Follows.ALL:
        assert np.abs(full - other).mean() > 1e-3
    else:
        assert np.array_equal(full, other)
        assert engine.credit is not None


def test_the_same_input_gives_the_same_output(engine: Stylizer) -> None:
    assert np.array_equal(engine.restyle(picture(), style(3), 0.8), engine.restyle(picture(), style(3), 0.8))


def test_outside_the_mask_nothing_changes(engine: Stylizer) -> None:
    image = picture()
    mask = np.zeros(image.shape[:2], dtype=np.float32)
    mask[:, :32] = 1.0
    painted = engine.restyle(image, style(1), 1.0, mask)
    assert np.array_equal(painted[:, 32:], image[:, 32:])
    assert not np.array_equal(painted[:, :32], image[:, :32])


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan")])
def test_a_strength_outside_its_range_is_refused(engine: Stylizer, strength: float) -> None:
    with pytest.raises(VectorError, match="strength must lie in"):
        engine.restyle(picture(), style(1), strength)


def test_an_unknown_engine_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownEngineError, match="unknown engine 'filme'; known ones: film, color"):
        load_stylizer("filme")


def test_the_light_list_of_names_is_that_of_the_registry() -> None:
    assert (*ENGINES, *IMAGE_ENGINES) == ENGINE_NAMES
    assert tuple(IMAGE_ENGINES) == IMAGE_ENGINE_NAMES
