"""Engine `gatys` against a plain computation of its loss, and the losses that it reaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from style.backbone import Vgg, load_backbone
from style.gram import gram
from style.images import Pixels
from style.transfer.gatys import (
    CONTENT_TAPS,
    STYLE_TAPS,
    GatysLoss,
    GatysSettings,
    GatysStylizer,
    GatysTarget,
    gram_matrices,
    has_converged,
    style_features,
    working_sides,
)
from style.transfer.style_images import StyleImage, StyleImages
from style.vector import DIMENSIONS, StyleVector

FAST = GatysSettings(iterations=15, coarsest=24)
WHOLE = np.ones((48, 48), dtype=np.float32)


def photo(size: int = 48) -> Pixels:
    """Draw a bright disc on gray."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    disc = (np.hypot(x, y) < 0.6)[:, :, None]
    return np.where(disc, [0.9, 0.7, 0.3], [0.5, 0.5, 0.55]).astype(np.float32)


def stripes(size: int = 48, *, down: bool = False) -> Pixels:
    waves = np.sin(np.arange(size) * 0.9)[None, :, None] * np.ones((size, 1, 1))
    picture = 0.5 + 0.4 * waves * np.array([0.2, 0.6, 1.0])
    return (picture.transpose(1, 0, 2) if down else picture).astype(np.float32)


def axis(index: int) -> StyleVector:
    return StyleVector.from_values(np.eye(DIMENSIONS)[index])


@pytest.fixture(scope="module")
def pictures() -> StyleImages:
    return StyleImages([StyleImage("across", axis(0), stripes()), StyleImage("down", axis(1), stripes(down=True))])


@pytest.fixture(scope="module")
def network() -> Vgg:
    return load_backbone("vgg-slim")


def batch(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def plain_loss(network: Vgg, picture: torch.Tensor, target: GatysTarget, settings: GatysSettings) -> float:
    """Compute the loss in NumPy and float64, one product of channels after the other."""
    with torch.no_grad():
        maps = {tap: value[0].numpy() for tap, value in network(picture).items()}
    content = [_ratio(maps[tap], target.content[tap][0].numpy()) for tap in CONTENT_TAPS]
    style = [_ratio(_plain_gram(maps[tap]), target.gram_matrices[tap][0].numpy()) for tap in STYLE_TAPS]
    pixels = picture[0].numpy()
    down, across = pixels[:, 1:] - pixels[:, :-1], pixels[:, :, 1:] - pixels[:, :, :-1]
    variation = (down**2).mean() + (across**2).mean()
    return float(settings.content * np.mean(content) + settings.style * np.mean(style) + settings.variation * variation)


def _plain_gram(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([[(one * other).mean() for other in maps] for one in maps])


def _ratio(found: NDArray[np.float64], asked: NDArray[np.float64]) -> float:
    return float(((found - asked) ** 2).sum() / (asked**2).sum())


def test_loss_and_gradient_are_those_of_a_plain_computation(network: Vgg) -> None:
    settings, exact = GatysSettings(), load_backbone("vgg-slim").double()
    shown, styled = batch(photo(32)).double(), batch(stripes(32)).double()
    target = GatysTarget(
        {tap: exact(shown)[tap] for tap in CONTENT_TAPS},
        {tap: gram(exact(styled)[tap]) for tap in STYLE_TAPS},
        torch.ones(1, 1, 32, 32).double(),
    )
    random = np.random.default_rng(0)
    here = torch.from_numpy(random.uniform(0.2, 0.8, shown.shape))
    single = GatysTarget(
        {tap: value.float() for tap, value in target.content.items()},
        {tap: value.float() for tap, value in target.gram_matrices.items()},
        target.weights.float(),
    )
    loss, gradient = GatysLoss(network, single, settings).with_gradient(here.flatten().numpy(), here.shape)
    assert loss == pytest.approx(plain_loss(exact, here, target, settings), rel=1e-4)
    for _ in range(3):
        way = torch.from_numpy(random.normal(size=here.shape))
        ahead, behind = (plain_loss(exact, here + step * way, target, settings) for step in (1e-6, -1e-6))
        assert gradient @ way.flatten().numpy() == pytest.approx((ahead - behind) / 2e-6, rel=5e-3)


def test_the_loss_never_rises_and_the_style_comes_near(network: Vgg, pictures: StyleImages) -> None:
    engine = GatysStylizer(network, pictures, FAST)
    painted = engine.optimize(photo(), axis(0), WHOLE)
    assert [len(losses) for losses in engine.history] == [16, 16]
    assert all((np.diff(losses) <= 0).all() for losses in engine.history)
    everywhere = torch.ones(1, 1, 48, 48)
    asked, before, after = (
        gram_matrices(style_features(network, batch(x)), everywhere) for x in (stripes(), photo(), painted)
    )
    for tap in STYLE_TAPS:
        was, left = ((found[tap] - asked[tap]).norm() for found in (before, after))
        assert left < 0.5 * was, tap


def test_of_two_styles_a_blend_is_painted_between_both(network: Vgg, pictures: StyleImages) -> None:
    engine = GatysStylizer(network, pictures, FAST)
    blend = StyleVector.blend([axis(0), axis(1)], [1.0, 1.0])
    steepness = []
    for style in (axis(0), blend, axis(1)):
        painted = engine.optimize(photo(), style, WHOLE)
        steepness.append(np.abs(np.diff(painted, axis=1)).mean() / np.abs(np.diff(painted, axis=0)).mean())
    assert steepness[0] > 1.2 * steepness[1] > 1.2**2 * steepness[2]


def test_each_iteration_is_told(network: Vgg, pictures: StyleImages) -> None:
    told: list[tuple[int, int, float]] = []
    settings = GatysSettings(iterations=2, coarsest=24)
    GatysStylizer(network, pictures, settings, lambda *step: told.append(step)).optimize(photo(), axis(0), WHOLE)
    assert [step[:2] for step in told] == [(24, 1), (24, 2), (48, 1), (48, 2)]


def test_it_stops_when_the_loss_hardly_falls(network: Vgg, pictures: StyleImages) -> None:
    settings = GatysSettings(iterations=50, patience=3, tolerance=0.5)
    engine = GatysStylizer(network, pictures, settings)
    engine.optimize(photo(), axis(0), WHOLE)
    (losses,) = engine.history
    assert len(losses) < 30
    assert has_converged(losses, 3, 0.5)
    assert not has_converged(losses[:-1], 3, 0.5)


def test_sizes_go_from_coarse_to_fine_and_not_beyond_the_finest() -> None:
    settings = GatysSettings(coarsest=64, finest=512)
    assert working_sides(256, settings) == [64, 128, 256]
    assert working_sides(2000, settings) == [64, 128, 256, 512]
    assert working_sides(100, settings) == [100]
    assert working_sides(5, settings) == [16]


def test_a_large_photo_keeps_what_is_finer_than_the_finest_size(network: Vgg, pictures: StyleImages) -> None:
    checkers = (np.indices((96, 96)).sum(axis=0) % 2 * 0.2 + 0.4)[:, :, None].repeat(3, axis=2).astype(np.float32)
    engine = GatysStylizer(network, pictures, GatysSettings(iterations=12, finest=32))
    painted = engine.optimize(checkers, axis(0), np.ones((96, 96), dtype=np.float32))
    assert painted.shape == checkers.shape
    change = painted - checkers
    assert np.abs(change).mean() > 0.005
    assert np.abs(np.diff(change, axis=1)).mean() < 0.2 * np.abs(np.diff(checkers, axis=1)).mean()
