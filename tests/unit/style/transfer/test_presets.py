from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from recsys.dataset.sample import sample_folder
from style.color_space import srgb_to_lab
from style.embedding import StyleEmbedder
from style.errors import VectorError
from style.images import Pixels, read_image
from style.transfer.color import ColorStylizer
from style.transfer.presets import HIGHEST, LOWEST, PRESETS, Preset, PresetStylizer
from style.vector import StyleVector


@cache
def embedder() -> StyleEmbedder:
    return StyleEmbedder.load()


def moments(pixels: Pixels) -> tuple[float, float, float, float]:
    """Mean L*, deviation of L*, mean chroma, mean b*."""
    lab = srgb_to_lab(pixels)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    return float(lab[..., 0].mean()), float(lab[..., 0].std()), float(chroma.mean()), float(lab[..., 2].mean())


@pytest.fixture(scope="module")
def photo() -> Pixels:
    # Colors around mid-grey, so that what the test asks for stays within the gamut.
    return (0.25 + 0.5 * read_image(sample_folder() / "images" / "p0003.jpg", short_side=64)).astype(np.float32)


@pytest.fixture(scope="module")
def engine() -> PresetStylizer:
    return PresetStylizer.load()


def style(name: str) -> StyleVector:
    return embedder().embed(read_image(sample_folder() / "styles" / f"{name}.jpg", short_side=256))


@pytest.mark.parametrize(
    ("look", "moment", "rises"),
    [
        (Preset(brightness=10), 0, True), (Preset(brightness=-10), 0, False),
        (Preset(contrast=1.3), 1, True), (Preset(contrast=0.7), 1, False),
        (Preset(saturation=1.5), 2, True), (Preset(saturation=0.5), 2, False),
        (Preset(warmth=10), 3, True), (Preset(warmth=-10), 3, False),
    ],
)  # fmt: skip
def test_each_slider_moves_its_own_moment(photo: Pixels, look: Preset, moment: int, rises: bool) -> None:
    before, after = moments(photo)[moment], moments(look.on(photo))[moment]
    assert (after > 1.05 * before) if rises else (after < 0.95 * before)


def test_a_look_that_does_nothing_changes_nothing(photo: Pixels) -> None:
    np.testing.assert_allclose(Preset().on(photo), photo, atol=1e-5)


def test_black_and_white_stay_whatever_the_brightness() -> None:
    ends = np.array([[[0, 0, 0], [1, 1, 1]]], dtype=np.float32)
    np.testing.assert_allclose(Preset(brightness=12).on(ends), ends, atol=1e-5)


def test_mono_is_grey(photo: Pixels) -> None:
    assert np.ptp(PRESETS["mono"].on(photo), axis=2).max() < 1e-3


@pytest.mark.parametrize("name", PRESETS)
def test_a_named_look_is_painted_whatever_the_style(photo: Pixels, name: str) -> None:
    fixed = PresetStylizer(ColorStylizer.load(), PRESETS[name])
    painted = fixed.restyle(photo, StyleVector.from_values(np.ones(128)), 1.0)
    np.testing.assert_allclose(painted, PRESETS[name].on(photo), atol=1e-6)
    assert np.abs(painted - photo).mean() > 0.01


def test_looks_follow_the_style(engine: PresetStylizer) -> None:
    looks = {
        name: engine.preset_for(style(name)) for name in ("autumn-leaves", "winter-night", "botanical", "torn-posters")
    }
    assert looks["autumn-leaves"].warmth > 5 > -5 > looks["winter-night"].warmth
    assert looks["botanical"].brightness > 5 > 0 > looks["autumn-leaves"].brightness
    assert looks["torn-posters"].saturation > 1.2 > 1 > looks["botanical"].saturation
    assert looks["torn-posters"].contrast > 1 > looks["botanical"].contrast


def test_looks_of_styles_are_mild(engine: PresetStylizer) -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        look = engine.preset_for(StyleVector.from_values(random.normal(size=128)))
        found = (look.brightness, look.contrast, look.saturation, look.warmth)
        assert all(low <= value <= high for low, value, high in zip(LOWEST, found, HIGHEST, strict=True))


def test_every_photo_gets_the_same_adjustment(engine: PresetStylizer, photo: Pixels) -> None:
    z = style("autumn-leaves")
    together = engine.paint([np.concatenate([photo, 0.5 * photo])], z)[0].color
    np.testing.assert_allclose(together[: len(photo)], engine.paint([photo], z)[0].color, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"brightness": 50}, {"contrast": -1}, {"saturation": -0.1}, {"warmth": 101}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(VectorError, match=r"brightness must lie in \[-45, 45\]"):
        Preset(**wrong)
