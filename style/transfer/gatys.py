"""The engine `gatys`: the photo's pixels are changed until a network sees the style in them; slow, the reference.

Image style transfer by optimization (Gatys et al. 2016). The loss is that of eq. 7, content features and Gram
matrices, with total variation besides; L-BFGS descends it, first on a small copy of the photo, then on larger ones,
where it goes on from the enlarged change.

Departs from the paper in four things. Each distance is relative to the size of what is asked, so that the same
weights serve every network. Content is seen at relu3_1 and relu4_1 (paper: conv4_2, which is no tap here), or prints
and seams of a product are lost; style not at relu5_1, which on small pictures drew neon colors. The start is the
photo in the style's colors (Reinhard et al. 2001), not noise. Pixels are held in [0, 1] by L-BFGS-B (Byrd et al.
1995), whose line search keeps the strong Wolfe conditions: no iteration raises the loss.
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
from style.transfer.decompose import MOST_GAIN, painting_of
from style.transfer.style_images import StylePictures
from style.vector import StyleVector

STYLE_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
CONTENT_TAPS = ("relu3_1", "relu4_1")
SMALLEST = 16
"""Short side in pixels that the deepest tap needs; smaller photos are enlarged, and their change is made small."""

Progress = Callable[[int, int, float], object]
"""Called after each iteration with the short side in pixels, the iteration at that size, and the loss."""


@dataclass(frozen=True, slots=True)
class GatysSettings:
    """Weights of the losses, sizes and iterations.

    `coarsest` and `finest` are short sides in pixels: sizes are halved from the photo's (at most `finest`) down to no
    less than `coarsest`. At each size at most `iterations` are done, and fewer where the last `patience` of them
    lowered the loss by less than its part `tolerance`.
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
    """What a picture is asked for, per tap: content features `(1, C, h, w)`, and the style's Gram matrix `(1, C, C)`.

    `weights` `(1, 1, H, W)` say which pixels have to be in the style.
    """

    content: dict[str, Tensor]
    grams: dict[str, Tensor]
    weights: Tensor


class GatysLoss:
    """The loss of a picture and its gradient, in the form that SciPy's optimizers ask for."""

    def __init__(self, network: Vgg, target: GatysTarget, settings: GatysSettings) -> None:
        self.network = network
        self.target = target
        self.settings = settings

    def __call__(self, picture: Tensor) -> Tensor:
        """The loss of `(1, 3, H, W)`: content + style + total variation, each with its weight."""
        features = seen(self.network, picture)
        content = _relative(features, self.target.content)
        style = _relative(grams(features, self.target.weights), self.target.grams)
        weights = self.settings
        return weights.content * content + weights.style * style + weights.variation * _variation(picture)

    def with_gradient(self, flat: NDArray[np.float64], size: torch.Size) -> tuple[float, NDArray[np.float64]]:
        """Loss and gradient of a picture of `size`, flattened."""
        picture = torch.from_numpy(flat.astype(np.float32)).view(size).requires_grad_()
        loss = self(picture)
        loss.backward()  # type: ignore[no-untyped-call]
        assert picture.grad is not None  # noqa: S101
        return float(loss.detach()), picture.grad.flatten().double().numpy()


class GatysStylizer(Stylizer):
    """The engine `gatys`: seconds to minutes a picture.

    Of a mixture of pictures the Gram matrices are mixed. `history` holds the losses of the last photo painted: one
    list for each size, the loss before the first iteration first.
    """

    name: ClassVar[str] = "gatys"

    def __init__(
        self,
        network: Vgg,
        pictures: StylePictures,
        settings: GatysSettings | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`network`: any VGG with taps to relu4_1 or deeper (`load_backbone("vgg19")`, a teacher, `vgg-slim`)."""
        channels_last(network)
        self.network = network
        self.pictures = pictures
        self.settings = settings or GatysSettings()
        self.progress = progress
        self.version = f"gatys-{network.record.name}"
        self.model_sha256 = network.record.sha256
        self.history: list[list[float]] = []

    @classmethod
    def load(
        cls,
        pictures: StylePictures,
        threads: int | None = None,  # noqa: ARG003  torch has one number of threads for the whole process
        *,
        backbone: str = "vgg-slim",
        settings: GatysSettings | None = None,
        progress: Progress | None = None,
    ) -> GatysStylizer:
        """The engine with a backbone of `style.backbone`; `vgg19` paints best. Raises WeightsError."""
        return cls(load_backbone(backbone), pictures, settings, progress)

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        where = [np.ones(image.shape[:2], dtype=np.float32) for image in images] if masks is None else masks
        return [
            painting_of(image, self.optimize(image, style, mask), mask)
            for image, mask in zip(images, where, strict=True)
        ]

    def optimize(self, image: Pixels, style: StyleVector, mask: Mask) -> Pixels:
        """The photo `(H, W, 3)` with what was found added, in its size; not clipped."""
        photo, weights = _batch(image), torch.from_numpy(mask)[None, None]
        change = _batch(self._recolored(image, style, mask) - image)
        self.history = []
        for side in sides(min(image.shape[:2]), self.settings):
            small = _resized(photo, side)
            start = (small + _fitted(change, small)).clamp(0, 1)
            target = self._target(small, _fitted(weights, small), style)
            change = self._descend(start, GatysLoss(self.network, target, self.settings)) - small
        painted = photo + _fitted(change, photo)
        return np.ascontiguousarray(painted[0].permute(1, 2, 0).numpy())

    def _recolored(self, image: Pixels, style: StyleVector, mask: Mask) -> Pixels:
        """The photo with the style's Lab statistics; what starts in wrong colors ends in patches of them."""
        counts = mask if mask.any() else np.ones_like(mask)
        statistics = sum(
            share * lab_statistics(picture.pixels, product_mask(picture.pixels))
            for picture, share in self.pictures.mixture(style)
        )
        mean, deviation = np.split(np.asarray(statistics), 2)
        return with_lab_statistics(image, counts, mean, deviation, MOST_GAIN)

    @torch.no_grad()
    def _target(self, photo: Tensor, weights: Tensor, style: StyleVector) -> GatysTarget:
        """The style's pictures are brought to the photo's size, so that their strokes are as coarse as its shapes."""
        mixed: dict[str, Tensor] = {}
        for picture, share in self.pictures.mixture(style):
            pixels = _resized(_batch(picture.pixels), min(photo.shape[2:]))
            counts = _fitted(torch.from_numpy(product_mask(picture.pixels))[None, None], pixels)
            for tap, matrix in grams(seen(self.network, pixels), counts).items():
                mixed[tap] = mixed.get(tap, torch.zeros_like(matrix)) + share * matrix
        features = seen(self.network, photo)
        return GatysTarget({tap: features[tap] for tap in CONTENT_TAPS}, mixed, weights)

    def _descend(self, start: Tensor, loss: GatysLoss) -> Tensor:
        """L-BFGS from `start`, at most so many iterations, until the loss hardly falls."""
        first, _ = loss.with_gradient(start.flatten().double().numpy(), start.shape)
        losses = [first]
        self.history.append(losses)

        def after_each(intermediate_result: OptimizeResult) -> None:
            losses.append(float(intermediate_result.fun))
            if self.progress is not None:
                self.progress(min(start.shape[2:]), len(losses) - 1, losses[-1])
            if hardly_falls(losses, self.settings.patience, self.settings.tolerance):
                raise StopIteration

        found = minimize(
            loss.with_gradient,
            start.flatten().double().numpy(),
            args=(start.shape,),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * start.numel(),
            callback=after_each,
            options={"maxiter": self.settings.iterations, "maxcor": 10, "ftol": 0.0, "gtol": 0.0},
        )
        return torch.from_numpy(found.x.astype(np.float32)).view(start.shape)


def sides(short: int, settings: GatysSettings) -> list[int]:
    """The short sides to work at, from coarse to fine, for a photo whose short side is `short`."""
    found = [max(min(short, settings.finest), SMALLEST)]
    while found[0] // 2 >= max(settings.coarsest, SMALLEST):
        found.insert(0, found[0] // 2)
    return found


def hardly_falls(losses: Sequence[float], patience: int, tolerance: float) -> bool:
    """Whether the last `patience` iterations lowered the loss by less than its part `tolerance`."""
    return len(losses) > patience and losses[-1 - patience] - losses[-1] < tolerance * losses[-1]


def seen(network: Vgg, pictures: Tensor) -> dict[str, Tensor]:
    """Features of `(B, 3, H, W)` at STYLE_TAPS, and no deeper."""
    found: dict[str, Tensor] = {}
    maps = network.prepare(pictures)
    for tap in STYLE_TAPS:
        maps = found[tap] = network.block(tap, maps)
    return found


def grams(features: dict[str, Tensor], weights: Tensor) -> dict[str, Tensor]:
    """Gram matrices of every tap over `weights` `(1, 1, H, W)`, which are pooled as the network pools."""
    found: dict[str, Tensor] = {}
    for tap, maps in features.items():
        found[tap] = gram(maps, weights)
        weights = F.avg_pool2d(weights, 2)
    return found


def _relative(found: dict[str, Tensor], asked: dict[str, Tensor]) -> Tensor:
    """Squared distance over the squared length of what is asked, averaged over its taps."""
    each = [(found[tap] - value).square().sum() / value.square().sum().clamp_min(1e-8) for tap, value in asked.items()]
    return torch.stack(each).mean()


def _variation(picture: Tensor) -> Tensor:
    """Mean square of differences of neighbors, whose slope is smooth where that of their size is not."""
    return picture.diff(dim=2).square().mean() + picture.diff(dim=3).square().mean()


def _batch(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def _resized(images: Tensor, short: int) -> Tensor:
    """`(1, C, H, W)` with that short side."""
    scale = short / min(images.shape[2:])
    return _to(images, (max(short, round(images.shape[2] * scale)), max(short, round(images.shape[3] * scale))))


def _fitted(images: Tensor, other: Tensor) -> Tensor:
    """`(1, C, H, W)` in the size of `other`."""
    return _to(images, (other.shape[2], other.shape[3]))


def _to(images: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(images.shape[2:]) == size:
        return images
    return F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
