from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from recsys.dataset.sample import sample_folder
from style.backbone import load_backbone
from style.images import Pixels, read_image
from style.transfer.patch import CELL, PatchStylizer, lay_patches, nearest_patches
from style.transfer.style_images import StyleImage, StyleImages
from style.vector import DIMENSIONS, StyleVector

STYLES = ("delft", "autumn-leaves")
WHOLE = np.ones((96, 96), dtype=np.float32)


def axis(index: int) -> StyleVector:
    return StyleVector.from_values(np.eye(DIMENSIONS)[index])


def sample_picture(name: str) -> Pixels:
    return read_image(sample_folder() / name, short_side=96)


def batch(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def engine() -> PatchStylizer:
    return PatchStylizer.load(
        StyleImages([StyleImage(name, axis(i), sample_picture(f"styles/{name}.jpg")) for i, name in enumerate(STYLES)])
    )


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return sample_picture("images/p0003.jpg")


def nearest(pixels: Pixels, style: Pixels, tap: str = "relu2_1") -> float:
    """Compute the mean cosine of an image's feature patches and the style's nearest ones, at an unused tap."""
    network = load_backbone("vgg-slim")
    with torch.inference_mode():
        ours, theirs = (
            F.normalize(F.unfold(network(batch(picture))[tap], 3, stride=2)[0].T, dim=1) for picture in (pixels, style)
        )
        return float((ours @ theirs.T).max(dim=1).values.mean())


@pytest.mark.parametrize("style", range(len(STYLES)), ids=STYLES)
def test_patches_come_nearer_to_the_styles_than_colors_alone_bring_them(
    engine: PatchStylizer, photo: Pixels, style: int
) -> None:
    asked = engine.styles.images[style].pixels
    painting = engine.paint([photo], axis(style), [WHOLE])[0]
    before, colored, painted = (
        1 - nearest(shown, asked) for shown in (photo, painting.on(photo, texture=0.0), painting.on(photo))
    )
    assert painted < 0.7 * before
    assert painted < 0.8 * colored


def test_each_place_finds_itself_in_the_same_picture(photo: Pixels) -> None:
    features = torch.rand(1, 8, 6, 7, generator=torch.Generator().manual_seed(0)) - 0.5
    assert nearest_patches(features, features).tolist() == list(range(42))


def test_windows_of_a_picture_at_their_own_places_are_the_picture(photo: Pixels) -> None:
    whole = batch(photo)
    cells = [side // CELL for side in whole.shape[2:]]
    together = lay_patches(torch.arange(cells[0] * cells[1]), whole, cells)
    torch.testing.assert_close(together, whole, atol=1e-5, rtol=0)


def test_what_lies_where_is_kept(engine: PatchStylizer, photo: Pixels) -> None:
    painted = engine.restyle(photo, axis(0), 1.0, WHOLE)
    assert np.corrcoef(painted.mean(axis=2).ravel(), photo.mean(axis=2).ravel())[0, 1] > 0.5


def test_a_large_photo_is_painted_at_a_bounded_size(engine: PatchStylizer, photo: Pixels) -> None:
    large = np.kron(photo, np.ones((6, 6, 1), dtype=np.float32))
    asked: list[tuple[int, ...]] = []
    features = engine.features

    def watched(images: Tensor) -> tuple[Tensor, ...]:
        asked.append(tuple(images.shape))
        return features(images)

    engine.features = watched  # type: ignore[assignment]
    try:
        painted = engine.restyle(large, axis(0), 1.0)
    finally:
        engine.features = features
    assert painted.shape == large.shape
    assert asked[0] == (1, 3, 256, 256)
