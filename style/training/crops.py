"""Random crops of many images with augmentation; crops of a (seed, step) do not depend on earlier draws."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from style.errors import ImageError
from style.images import FORMATS, open_image
from style.mask import product_mask

SUFFIXES = frozenset({".jpg", ".jpeg", *(f".{name.lower()}" for name in FORMATS)})


def find_images(folders: Sequence[Path]) -> list[Path]:
    """Return all image files below the folders, sorted. Raises ImageError for a folder without any."""
    paths: list[Path] = []
    for folder in folders:
        here = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not here:
            raise ImageError(f"{folder}: no images below this folder")
        paths += here
    return paths


def drop_held_out(paths: Sequence[Path], every: int = 5) -> list[Path]:
    """Return the images without the first of every `every` images, which recipes hold out for validation."""
    return [path for index, path in enumerate(paths) if index % every]


def sample_evenly(folders: Sequence[Path], per_folder: int, seed: int = 0) -> list[Path]:
    """Return up to `per_folder` random images of each folder, so that no large folder dominates."""
    sample: list[Path] = []
    for folder in folders:
        paths = find_images([folder])
        order = np.random.default_rng(seed).permutation(len(paths))[:per_folder]
        sample += [paths[i] for i in sorted(order)]
    return sample


class Crops:
    """Images in memory (8 bits a channel) and random crops of them.

    Memory is about `4 * keep^2` bytes an image: 160 MB per 1,000 images at `keep=200`.

    Args:
        paths: Image files.
        side: Side of a crop, in pixels.
        keep: Short side of images in memory, in pixels.
        seed: Seed of all random numbers.
        jitter: Largest change of colors, see `jitter_colors`.
        tries: If above 1, a crop is the one of that many places that shows most of the product (`style.mask`);
            this needs a third more memory.

    Raises:
        ImageError: Images cannot be read; the message names them.
    """

    def __init__(
        self, paths: Sequence[Path], *, side: int, keep: int, seed: int, jitter: float = 0.0, tries: int = 1
    ) -> None:
        self.side = side
        self.tries = tries
        self.seed = seed
        self.jitter = jitter
        with ThreadPoolExecutor() as pool:
            results = pool.map(lambda path: _load_or_error(path, max(side, keep)), paths)
            loaded = list(tqdm(results, total=len(paths), desc="images", disable=None))
        errors = [one for one in loaded if isinstance(one, ImageError)]
        if errors:
            more = f" and {len(errors) - 5} more" if len(errors) > 5 else ""
            listed = "; ".join(map(str, errors[:5]))
            raise ImageError(
                f"{len(errors)} of {len(paths)} images cannot be read: {listed}{more}; repair or remove them"
            )
        self.images = [one for one in loaded if not isinstance(one, ImageError)]
        self._masks: list[NDArray[np.bool_]] = []
        if tries > 1:
            self._masks = [product_mask(image.astype(np.float32) / np.float32(255)) > 0.5 for image in self.images]

    def batch(self, step: int, size: int, stream: int = 0) -> Tensor:
        """Return random crops `(size, 3, side, side)` float32 in [0, 1]: random images, places, flips and scales.

        Args:
            step: Number of the step.
            size: Number of crops.
            stream: Number of an independent sequence of crops.
        """
        random = np.random.default_rng((self.seed, stream, step))
        crops = np.stack([self._crop(random) for _ in range(size)])
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255.0)
        return jitter_colors(images, random, self.jitter) if self.jitter else images

    def _crop(self, random: np.random.Generator) -> NDArray[np.uint8]:
        number = int(random.integers(len(self.images)))
        image = self.images[number]
        height, width = image.shape[:2]
        # Taking every second pixel costs nothing and shows structure at another scale.
        stride = 2 if min(height, width) >= 2 * self.side and random.random() < 0.5 else 1
        reach = self.side * stride
        places = [
            (int(random.integers(height - reach + 1)), int(random.integers(width - reach + 1)))
            for _ in range(self.tries)
        ]
        if self.tries > 1:
            mask = self._masks[number]
            top, left = max(places, key=lambda at: mask[at[0] : at[0] + reach, at[1] : at[1] + reach].mean())
        else:
            top, left = places[0]
        crop = image[top : top + reach : stride, left : left + reach : stride]
        return crop[:, ::-1] if random.random() < 0.5 else crop


def jitter_colors(images: Tensor, random: np.random.Generator, amount: float) -> Tensor:
    """Change brightness, contrast and saturation by random factors in 1 +- `amount`, different for each image.

    Args:
        images: Images `(B, 3, H, W)` in [0, 1].
        random: Generator of the factors.
        amount: Largest change of a factor.

    Returns:
        Images in [0, 1].
    """
    brightness, contrast, saturation = (
        torch.from_numpy(random.uniform(1 - amount, 1 + amount, (len(images), 1, 1, 1))).float() for _ in range(3)
    )
    images = images * brightness
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + contrast * (images - mean)
    gray = images.mean(dim=1, keepdim=True)
    return (gray + saturation * (images - gray)).clamp_(0, 1)


def _load_or_error(path: Path, keep: int) -> NDArray[np.uint8] | ImageError:
    """Return pixels `(H, W, 3)` whose short side is `keep`, or the error if the image cannot be read."""
    try:
        image = open_image(path, short_side=keep)
    except ImageError as error:
        return error
    if min(image.size) < keep:
        scale = keep / min(image.size)
        image = image.resize((max(keep, round(image.width * scale)), max(keep, round(image.height * scale))))
    return np.asarray(image, dtype=np.uint8)
