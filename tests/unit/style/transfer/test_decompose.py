from __future__ import annotations

import numpy as np

from style.color_space import lab_statistics
from style.transfer.decompose import decompose_painting


def test_both_parts_together_are_the_painted_picture() -> None:
    random = np.random.default_rng(0)
    image, painted = random.random((2, 20, 24, 3), dtype=np.float32)
    assert np.allclose(decompose_painting(image, painted).on(image), painted, atol=1e-6)


def test_what_only_changes_colors_has_no_texture() -> None:
    random = np.random.default_rng(0)
    image = random.uniform(0.3, 0.6, (20, 24, 3)).astype(np.float32)
    color = decompose_painting(image, random.uniform(0.4, 0.7, (20, 24, 3)).astype(np.float32)).color
    parts = decompose_painting(image, image + color)
    assert np.abs(parts.texture).max() < 1e-4
    assert np.abs(parts.color).mean() > 0.05


def test_colors_are_those_of_the_painted_picture_where_the_mask_is() -> None:
    random = np.random.default_rng(1)
    image, painted = random.uniform(0.3, 0.7, (2, 20, 24, 3)).astype(np.float32)
    painted[:, 12:] = 0.0
    mask = np.zeros((20, 24), dtype=np.float32)
    mask[:, :12] = 1.0
    recolored = image + decompose_painting(image, painted, mask).color
    assert np.allclose(lab_statistics(recolored, mask), lab_statistics(painted, mask), atol=0.2)
    nothing = decompose_painting(image, painted, np.zeros_like(mask))
    assert np.array_equal(nothing.color, decompose_painting(image, painted).color)
