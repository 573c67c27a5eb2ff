"""Crops depend on seed and step, and errors name folders and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from style.errors import ImageError
from style.training.crops import Crops, find_images, jitter_colors


def test_crops_depend_only_on_seed_and_step(images: list[Path]) -> None:
    crops = Crops(images, side=32, keep=64, seed=1)
    fifth = crops.batch(5, 3)
    crops.batch(9, 3)
    assert fifth.shape == (3, 3, 32, 32)
    assert torch.equal(Crops(images, side=32, keep=64, seed=1).batch(5, 3), fifth)
    assert not torch.equal(crops.batch(6, 3), fifth)


def test_jitter_changes_colors_by_the_seed(images: list[Path]) -> None:
    batch = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
    one, same = (jitter_colors(batch, np.random.default_rng(5), 0.2) for _ in range(2))
    assert torch.equal(one, same)
    brightness = one.mean(dim=(1, 2, 3)) / batch.mean(dim=(1, 2, 3))
    assert 0.8 - 1e-4 < float(brightness.min()) < 0.85
    assert 1.15 < float(brightness.max()) < 1.2 + 1e-4
    plain, jittered = (Crops(images, side=32, keep=32, seed=0, jitter=jitter).batch(0, 4) for jitter in (0, 0.3))
    assert 0.01 < float((plain - jittered).abs().mean()) < 0.3


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no images below this folder"):
        find_images([tmp_path])
