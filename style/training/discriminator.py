"""Adversary of a generator: a discriminator of patches, and the replay buffer of images that it learns from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Network from images `(B, 3, H, W)` in [0, 1] to one score per patch `(B, 1, h, w)`: 1 real, 0 generated.

    PatchGAN (Isola et al. 2017): with the two halvings here a score sees 34 pixels a side, so it rates texture and not
    composition. Sides of images must be at least 24 pixels.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.InstanceNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 4, 1, 1),
            nn.InstanceNorm2d(4 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 4, 1, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Score patches of images `(B, 3, H, W)` in [0, 1]: higher is more like the style."""
        scores: Tensor = self.layers(2 * images - 1)
        return scores


def least_squares(scores: Tensor, target: float) -> Tensor:
    """Return the mean squared distance of scores from `target` (least-squares GAN, Mao et al. 2017, eq. 9)."""
    return (scores - target).square().mean()


class ReplayBuffer(nn.Module):
    """Recent images of a generator, from which its discriminator sees old ones too (Shrivastava et al. 2017).

    Discriminators that see only the newest images forget, and generators go in circles. The images are buffers of the
    module, so a checkpoint holds them.

    Args:
        size: Images to keep.
        side: Side of an image, in pixels.
    """

    images: Tensor
    count: Tensor

    def __init__(self, size: int, side: int) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, 3, side, side))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def swap(self, generated: Tensor, random: np.random.Generator) -> Tensor:
        """Return as many images as `generated` has: each itself or, in half the cases, an old one.

        A new image takes the place of the old one that is returned. Until the buffer is full, new images are kept and
        returned.

        Args:
            generated: New images `(B, 3, side, side)`.
            random: Generator of the choices.
        """
        images: list[Tensor] = []
        for image in generated.detach():
            if self.count < len(self.images):
                self.images[self.count] = image
                self.count += 1
                images.append(image)
            elif len(self.images) and random.random() < 0.5:
                row = int(random.integers(len(self.images)))
                images.append(self.images[row].clone())
                self.images[row] = image
            else:
                images.append(image)
        return torch.stack(images)
