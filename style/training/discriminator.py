"""What a generator is trained against: a critic of patches, and the memory of pictures that it learns from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Pictures `(B, 3, H, W)` in [0, 1] to one score for each patch `(B, 1, h, w)`: 1 for real ones, 0 for made ones.

    PatchGAN (Isola et al. 2017): with the two halvings here a score sees 34 pixels a side; texture, not composition.
    Sides from 24 pixels.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            *_normed(width, 2 * width, 2),
            *_normed(2 * width, 4 * width, 1),
            nn.Conv2d(4 * width, 1, 4, 1, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.layers(2 * images - 1)
        return scores


def _normed(entering: int, leaving: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(entering, leaving, 4, stride, 1), nn.InstanceNorm2d(leaving), nn.LeakyReLU(0.2)


def least_squares(scores: Tensor, asked: float) -> Tensor:
    """The mean squared distance of scores from `asked` (least-squares GAN, Mao et al. 2017, eq. 9)."""
    return (scores - asked).square().mean()


class ReplayBuffer(nn.Module):
    """The last pictures that a generator made, of which its critic is shown old ones, too (Shrivastava et al. 2017).

    Critics that see only the newest pictures forget, and generators go in circles. The pictures are buffers of the
    module, so that a checkpoint holds them. What is drawn depends on the generator of random numbers given alone.
    """

    pictures: Tensor
    count: Tensor

    def __init__(self, size: int, side: int) -> None:
        super().__init__()
        self.register_buffer("pictures", torch.zeros(size, 3, side, side))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def swap(self, made: Tensor, random: np.random.Generator) -> Tensor:
        """As many pictures `(B, 3, side, side)` as `made` has: each itself or, in half the cases, an old one.

        An old one that is shown makes room for the new one. Until the buffer is full, new ones are kept and shown.
        """
        shown: list[Tensor] = []
        for picture in made.detach():
            if self.count < len(self.pictures):
                self.pictures[self.count] = picture
                self.count += 1
                shown.append(picture)
            elif len(self.pictures) and random.random() < 0.5:
                place = int(random.integers(len(self.pictures)))
                shown.append(self.pictures[place].clone())
                self.pictures[place] = picture
            else:
                shown.append(picture)
        return torch.stack(shown)
