"""Engine `gatys`: optimizes the photo's pixels until a network sees the style in them; the slow reference.

Image style transfer by optimization (Gatys et al. 2016). The loss is that of eq. 7, content features and Gram matrices,
plus total variation. L-BFGS minimizes it, first on a small copy of the photo, then on larger ones, each starting from
the enlarged change.

Departs from the paper in four things:

- Each distance is relative to the size of its target, so the same weights suit every network.
- Content is compared at relu3_1 and relu4_1 (paper: conv4_2, which is no tap here); otherwise prints and seams of a
  product are lost. Style is not compared at relu5_1, which drew neon colors on small images.
- The start is the photo in the style's colors (Reinhard et al. 2001), not noise.
- Pixels are kept in [0, 1] by L-BFGS-B (Byrd et al. 1995), whose line search satisfies the strong Wolfe conditions: no
  iteration raises the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor
from torch.nn import functional as F

from style.backbone import Vgg, channels_last, load_backbone
from style.color_space import lab_statistics, with_lab_statistics
from style.gram import gram
from style.images import Pixels
from style.mask import Mask, product_mask
from style.transfer.base import Painting, Stylizer
from style.transfer.decompose import MOST_GAIN, decompose_painting
from style.transfer.style_images import StyleImages
from style.vector import StyleVector

STYLE_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
CONTENT_TAPS = ("relu3_1", "relu4_1")
SMALLEST = 16
"""Short side in pixels that the deepest tap needs; smaller photos are enlarged, and their change is shrunk again."""

Progress = Callable[[int, int, float], object]
"""Callback after each iteration: short side in pixels, iteration at that size, loss."""


@dataclass(frozen=True, slots=True)
class GatysSettings:
    """Weights of the losses, sizes and iterations.

    `coarsest` and `finest` are short sides in pixels. Sizes are halved from the photo's (at most `finest`) down to no
    less than `coarsest`. Each size has at most `iterations`; it ends early if the last `patience` of them lowered the
    loss by less than the fraction `tolerance`.
    """

    content: float = 1.0
    style: float = 3.0
    variation: float = 5.0
    coarsest: int = 64
    finest: int = 512
    iterations: int = 60
    patience: int = 10
    tolerance: float = 0.01


@dataclass(frozen=True, slots=True)
class GatysTarget:
    """Target of an image per tap: content features `(1, C, h, w)`, and the style's Gram matrix `(1, C, C)`.

    `weights` `(1, 1, H, W)` mark the pixels that have to be in the style.
    """

    content: dict[str, Tensor]
    gram_matrices: dict[str, Tensor]
    weights: Tensor


class GatysLoss:
    """Loss of an image and its gradient, in the form that SciPy's optimizers need."""

    def __init__(self, network: Vgg, target: GatysTarget, settings: GatysSettings) -> None:
        self.network = network
        self.target = target
        self.settings = settings

    def __call__(self, image: Tensor) -> Tensor:
        """Compute the loss of `(1, 3, H, W)`: content + style + total variation, each with its weight."""
        features = style_features(self.network, image)
        content = _relative(features, self.target.content)
        style = _relative(gram_matrices(features, self.target.weights), self.target.gram_matrices)
        # Squares of neighbor differences, not their sizes: the gradient stays smooth at zero.
        variation = image.diff(dim=2).square().mean() + image.diff(dim=3).square().mean()
        weights = self.settings
        return weights.content * content + weights.style * style + weights.variation * variation

    def with_gradient(self, flat: NDArray[np.float64], size: torch.Size) -> tuple[float, NDArray[np.float64]]:
        """Return loss and gradient of an image of `size`, flattened."""
        image = torch.from_numpy(flat.astype(np.float32)).view(size).requires_grad_()
        loss = self(image)
        loss.backward()  # type: ignore[no-untyped-call]
        assert image.grad is not None  # noqa: S101
        return float(loss.detach()), image.grad.flatten().double().numpy()


class GatysStylizer(Stylizer):
    """Engine `gatys`: seconds to minutes per image.

    For a mixture of style images the Gram matrices are mixed. `history` holds the losses of the last photo: one list
    for each size, beginning with the loss before the first iteration.
    """

    name: ClassVar[str] = "gatys"

    def __init__(
        self,
        network: Vgg,
        styles: StyleImages,
        settings: GatysSettings | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Prepare the network.

        Args:
            network: VGG with taps to relu4_1 or deeper (`load_backbone("vgg19")`, a teacher, `vgg-slim`).
            styles: Images to paint from.
            settings: Weights of the losses, sizes and iterations.
            progress: Called after each iteration.
        """
        channels_last(network)
        self.network = network
        self.styles = styles
        self.settings = settings or GatysSettings()
        self.progress = progress
        self.version = f"gatys-{network.record.name}"
        self.model_sha256 = network.record.sha256
        self.history: list[list[float]] = []

    @classmethod
    def load(
        cls,
        styles: StyleImages,
        threads: int | None = None,  # noqa: ARG003  torch has one number of threads for the whole process
        *,
        backbone: str = "vgg-slim",
        settings: GatysSettings | None = None,
        progress: Progress | None = None,
    ) -> GatysStylizer:
        """Load the engine with a backbone of `style.backbone`; `vgg19` paints best. Raises WeightsError."""
        return cls(load_backbone(backbone), styles, settings, progress)

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Compute the change of each image; see `Stylizer.paint`."""
        where = [np.ones(image.shape[:2], dtype=np.float32) for image in images] if masks is None else masks
        return [
            decompose_painting(image, self.optimize(image, style, mask), mask)
            for image, mask in zip(images, where, strict=True)
        ]

    def optimize(self, image: Pixels, style: StyleVector, mask: Mask) -> Pixels:
        """Return the photo `(H, W, 3)` plus the optimized change, in its size; not clipped."""
        photo, weights = _batch(image), torch.from_numpy(mask)[None, None]
        change = _batch(self._recolor(image, style, mask) - image)
        self.history = []
        for side in working_sides(min(image.shape[:2]), self.settings):
            small = _resize(photo, side)
            start = (small + _resize_like(change, small)).clamp(0, 1)
            target = self._target(small, _resize_like(weights, small), style)
            change = self._descend(start, GatysLoss(self.network, target, self.settings)) - small
        painted = photo + _resize_like(change, photo)
        return np.ascontiguousarray(painted[0].permute(1, 2, 0).numpy())

    def _recolor(self, image: Pixels, style: StyleVector, mask: Mask) -> Pixels:
        """Return the photo with the style's Lab statistics; a start in wrong colors ends in patches of them."""
        counts = mask if mask.any() else np.ones_like(mask)
        statistics = sum(
            share * lab_statistics(reference.pixels, product_mask(reference.pixels))
            for reference, share in self.styles.mixture(style)
        )
        mean, deviation = np.split(np.asarray(statistics), 2)
        return with_lab_statistics(image, counts, mean, deviation, MOST_GAIN)

    @torch.no_grad()
    def _target(self, photo: Tensor, weights: Tensor, style: StyleVector) -> GatysTarget:
        """Compute the target from style images at the photo's size, so that strokes match the photo's shapes."""
        mixed: dict[str, Tensor] = {}
        for reference, share in self.styles.mixture(style):
            pixels = _resize(_batch(reference.pixels), min(photo.shape[2:]))
            counts = _resize_like(torch.from_numpy(product_mask(reference.pixels))[None, None], pixels)
            for tap, matrix in gram_matrices(style_features(self.network, pixels), counts).items():
                mixed[tap] = mixed.get(tap, torch.zeros_like(matrix)) + share * matrix
        features = style_features(self.network, photo)
        return GatysTarget({tap: features[tap] for tap in CONTENT_TAPS}, mixed, weights)

    def _descend(self, start: Tensor, loss: GatysLoss) -> Tensor:
        """Run L-BFGS from `start` until the loss hardly falls or the iterations end."""
        first, _ = loss.with_gradient(start.flatten().double().numpy(), start.shape)
        losses = [first]
        self.history.append(losses)

        def after_each(intermediate_result: OptimizeResult) -> None:
            losses.append(float(intermediate_result.fun))
            if self.progress is not None:
                self.progress(min(start.shape[2:]), len(losses) - 1, losses[-1])
            if has_converged(losses, self.settings.patience, self.settings.tolerance):
                raise StopIteration

        result = minimize(
            loss.with_gradient,
            start.flatten().double().numpy(),
            args=(start.shape,),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * start.numel(),
            callback=after_each,
            options={"maxiter": self.settings.iterations, "maxcor": 10, "ftol": 0.0, "gtol": 0.0},
        )
        return torch.from_numpy(result.x.astype(np.float32)).view(start.shape)


def working_sides(short: int, settings: GatysSettings) -> list[int]:
    """List the short sides to work at, from coarse to fine, for a photo whose short side is `short`."""
    sides = [max(min(short, settings.finest), SMALLEST)]
    while sides[0] // 2 >= max(settings.coarsest, SMALLEST):
        sides.insert(0, sides[0] // 2)
    return sides


def has_converged(losses: Sequence[float], patience: int, tolerance: float) -> bool:
    """Check if the last `patience` iterations lowered the loss by less than the fraction `tolerance`."""
    return len(losses) > patience and losses[-1 - patience] - losses[-1] < tolerance * losses[-1]


def style_features(network: Vgg, images: Tensor) -> dict[str, Tensor]:
    """Compute features of `(B, 3, H, W)` at STYLE_TAPS, and no deeper."""
    features: dict[str, Tensor] = {}
    maps = network.prepare(images)
    for tap in STYLE_TAPS:
        maps = features[tap] = network.block(tap, maps)
    return features


def gram_matrices(features: dict[str, Tensor], weights: Tensor) -> dict[str, Tensor]:
    """Compute Gram matrices of every tap over `weights` `(1, 1, H, W)`, which are pooled as the network pools."""
    matrices: dict[str, Tensor] = {}
    for tap, maps in features.items():
        matrices[tap] = gram(maps, weights)
        weights = F.avg_pool2d(weights, 2)
    return matrices


def _relative(values: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
    """Return the squared distance over the target's squared length, averaged over the target's taps."""
    each = [(values[tap] - one).square().sum() / one.square().sum().clamp_min(1e-8) for tap, one in target.items()]
    return torch.stack(each).mean()


def _batch(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def _resize(images: Tensor, short: int) -> Tensor:
    """Resize `(1, C, H, W)` to a short side."""
    scale = short / min(images.shape[2:])
    height, width = (max(short, round(side * scale)) for side in images.shape[2:])
    return _interpolate(images, (height, width))


def _resize_like(images: Tensor, other: Tensor) -> Tensor:
    """Resize `(1, C, H, W)` to the size of `other`."""
    return _interpolate(images, (other.shape[2], other.shape[3]))


def _interpolate(images: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(images.shape[2:]) == size:
        return images
    return F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
