from __future__ import annotations

import numpy as np
import pytest

from recsys.dataset.sample import sample_folder
from style.color_space import lab_statistics, lab_to_srgb
from style.images import Pixels, read_image
from style.transfer.reinhard import ReinhardStylizer
from style.transfer.style_images import StyleImage, StyleImages
from style.vector import DIMENSIONS, StyleVector

WHOLE = np.ones((64, 64), dtype=np.float32)


def noise(mean: tuple[float, float, float], seed: int, spread: float = 4.0) -> Pixels:
    """Colors about a mean in Lab, well within the gamut."""
    random = np.random.default_rng(seed)
    return lab_to_srgb(np.array(mean) + random.normal(0, spread, (64, 64, 3)))


def axis(index: int) -> StyleVector:
    return StyleVector.from_values(np.eye(DIMENSIONS)[index])


@pytest.fixture
def engine() -> ReinhardStylizer:
    pictures = [((60.0, 20.0, 10.0), 6.0), ((50.0, -10.0, 20.0), 3.0)]
    return ReinhardStylizer(
        StyleImages([StyleImage(f"{i}", axis(i), noise(mean, i, spread)) for i, (mean, spread) in enumerate(pictures)])
    )


def test_the_output_has_the_styles_lab_moments(engine: ReinhardStylizer) -> None:
    photo = noise((45.0, 0.0, -15.0), 9)
    painted = engine.restyle(photo, axis(0), 1.0, WHOLE)
    np.testing.assert_allclose(lab_statistics(painted, WHOLE), engine.target(axis(0)), atol=0.05)
    assert np.abs(lab_statistics(photo, WHOLE) - engine.target(axis(0))).max() > 10


def test_a_blend_of_styles_has_moments_between_theirs(engine: ReinhardStylizer) -> None:
    blended = engine.target(StyleVector.blend([axis(0), axis(1)], [1.0, 3.0]))
    np.testing.assert_allclose(blended, 0.25 * engine.target(axis(0)) + 0.75 * engine.target(axis(1)), rtol=1e-5)


def test_a_flat_photo_stays_flat(engine: ReinhardStylizer) -> None:
    painted = engine.restyle(np.full((64, 64, 3), 0.5, dtype=np.float32), axis(0), 1.0, WHOLE)
    assert painted.std(axis=(0, 1)).max() < 1e-3


def test_the_product_alone_says_what_colors_there_are(engine: ReinhardStylizer) -> None:
    photo = np.concatenate([noise((45.0, 0.0, -15.0), 9)[:32], np.ones((32, 64, 3), dtype=np.float32)])
    product = np.zeros((64, 64), dtype=np.float32)
    product[:32] = 1.0
    painted = engine.restyle(photo, axis(0), 1.0, product)
    np.testing.assert_allclose(lab_statistics(painted, product), engine.target(axis(0)), atol=0.2)


def test_the_version_changes_with_the_pictures(engine: ReinhardStylizer) -> None:
    first, second = engine.styles.images
    changed = StyleImage(second.name, second.vector, second.pixels[::-1].copy())
    assert ReinhardStylizer(StyleImages([first, second])).version == engine.version
    assert ReinhardStylizer(StyleImages([first, changed])).version != engine.version


def test_on_a_photo_of_the_sample_no_color_but_the_styles_is_left() -> None:
    reference = read_image(sample_folder() / "styles" / "autumn-leaves.jpg", short_side=64)
    engine = ReinhardStylizer(StyleImages([StyleImage("leaves", axis(0), reference)]))
    photo = read_image(sample_folder() / "images" / "p0003.jpg", short_side=64)
    asked, before = engine.target(axis(0))[:3], lab_statistics(photo, WHOLE)[:3]
    after = lab_statistics(engine.restyle(photo, axis(0), 1.0, WHOLE), WHOLE)[:3]
    assert np.linalg.norm(after - asked) < 0.1 * np.linalg.norm(before - asked)
