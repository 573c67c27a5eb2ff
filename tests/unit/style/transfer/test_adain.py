"""Decoded images of fused features, and the fusion of the paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from style.backbone import WEIGHTS, load_backbone
from style.benchmarks.transfer import grid_level
from style.gram import mean_std
from style.images import Pixels
from style.metrics import ssim
from style.transfer.adain import SPREAD, AdaInNet, AdaInStylizer, adain, fuse_features
from style.transfer.style_images import StyleImage, StyleImages
from style.vector import DIMENSIONS, StyleVector


def photo() -> Pixels:
    """Draw a bright disc with a dark rim on gray, `(64, 64, 3)`."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    radius = np.hypot(x, y)[:, :, None]
    disc = np.where(radius < 0.6, [0.9, 0.75, 0.4], [0.55, 0.55, 0.6])
    return np.where((radius > 0.55) & (radius < 0.65), 0.15, disc).astype(np.float32)


def weave(seed: int, tint: tuple[float, float, float]) -> Pixels:
    """Waves across and down, in one tint."""
    y, x = np.mgrid[0:96, 0:96]
    waves = 0.5 + 0.3 * np.sin(x * (0.3 + 0.4 * seed)) * np.cos(y * 0.5)
    return (waves[:, :, None] * np.array(tint)).astype(np.float32)


def axis(index: int) -> StyleVector:
    return StyleVector.from_values(np.eye(DIMENSIONS)[index])


@pytest.fixture(scope="module")
def engine() -> AdaInStylizer:
    tints = [(1.0, 0.4, 0.2), (0.2, 0.6, 1.0)]
    return AdaInStylizer.load(
        StyleImages([StyleImage(f"weave {i}", axis(i), weave(i, tint)) for i, tint in enumerate(tints)])
    )


@pytest.fixture(scope="module")
def network() -> AdaInNet:
    return AdaInNet(load_backbone("vgg-slim")).requires_grad_(False)


def encoded(network: AdaInNet, pixels: Pixels) -> torch.Tensor:
    image = torch.from_numpy(np.ascontiguousarray(pixels.clip(0, 1))).permute(2, 0, 1)[None]
    return network.statistics(image, torch.ones_like(image[:, :1]))


def test_features_take_the_means_and_deviations_asked_for() -> None:
    torch.manual_seed(0)
    features, target = torch.randn(2, 5, 16, 16), torch.rand(2, 10) + 0.5
    moved = adain(features, target, spread=0.0)
    assert torch.allclose(torch.cat(mean_std(moved), dim=1), target, atol=1e-3)
    weights = torch.zeros(2, 1, 16, 16)
    weights[:, :, :, :8] = 1
    masked = adain(features, target, weights, spread=0.0)
    assert torch.allclose(torch.cat(mean_std(masked[:, :, :, :8]), dim=1), target, atol=1e-3)


def test_features_that_have_the_style_already_stay_as_they_are() -> None:
    features = torch.rand(1, 4, 8, 8)
    own = torch.cat(mean_std(features, None, SPREAD), dim=1)
    assert torch.allclose(adain(features, own), features, atol=1e-6)


def test_noise_of_a_flat_photo_is_not_made_the_picture() -> None:
    flat = torch.full((1, 3, 8, 8), 2.0) + 1e-3 * torch.randn(1, 3, 8, 8)
    assert adain(flat, torch.ones(1, 6)).std(dim=(2, 3)).max() < 0.02


def test_fusing_is_linear_between_content_and_style() -> None:
    style, content = torch.rand(2, 2, 3, 4, 4)
    mixed = fuse_features(style, content, torch.tensor([0.0, 0.25]))
    assert torch.equal(mixed[0], content[0])
    assert torch.allclose(mixed[1], 0.25 * style[1] + 0.75 * content[1])


def test_mixed_statistics_are_mixed_stylised_features(network: AdaInNet) -> None:
    content = torch.rand(1, 6, 8, 8)
    first, second = torch.rand(2, 1, 12)
    mixed = 0.3 * adain(content, first) + 0.7 * adain(content, second)
    assert torch.allclose(adain(content, 0.3 * first + 0.7 * second), mixed, atol=1e-5)


def test_nothing_fused_in_is_a_copy_of_the_photo(engine: AdaInStylizer) -> None:
    copy = engine.fuse(photo(), axis(0), 0.0)
    assert np.abs(copy - photo()).mean() < 0.06
    assert ssim(copy.mean(axis=2), photo().mean(axis=2)) > 0.75


def test_the_more_is_fused_in_the_nearer_the_style(engine: AdaInStylizer, network: AdaInNet) -> None:
    for style in (0, 1):
        asked = engine.targets[f"weave {style}"]
        apart = [
            float((encoded(network, engine.fuse(photo(), axis(style), amount)) - asked).norm())
            for amount in (0.0, 0.5, 1.0)
        ]
        assert apart[0] > apart[1] > apart[2]
        assert apart[2] < 0.6 * apart[0]


def test_of_a_blend_the_picture_lies_between(engine: AdaInStylizer) -> None:
    blend = StyleVector.blend([axis(0), axis(1)], [1.0, 1.0])
    warm, both, cold = (
        (painted[:, :, 0] - painted[:, :, 2]).mean()
        for painted in (engine.restyle(photo(), style) for style in (axis(0), blend, axis(1)))
    )
    assert warm > both + 0.05 > cold + 0.1


def test_a_flat_picture_shows_no_grid(engine: AdaInStylizer) -> None:
    assert grid_level(engine) <= 1.5


def test_the_decoder_is_small(network: AdaInNet) -> None:
    assert sum(parameter.numel() for parameter in network.decoder.parameters()) < 150_000
    assert Path(str(WEIGHTS / "adain.safetensors")).stat().st_size < 1_500_000
