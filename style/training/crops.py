"""Random crops of many images, augmented, the same for the same (seed, step) whatever was drawn before."""

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
    """All image files below the folders, sorted. Raises ImageError where a folder has none."""
    found: list[Path] = []
    for folder in folders:
        here = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not here:
            raise ImageError(f"{folder}: no images below this folder")
        found += here
    return found


def not_held_out(paths: Sequence[Path], every: int = 5) -> list[Path]:
    """All but every so-many-th image, which recipes leave for validation; the first is left."""
    return [path for index, path in enumerate(paths) if index % every]


def sample_evenly(folders: Sequence[Path], per_folder: int, seed: int = 0) -> list[Path]:
    """Up to so many images of each folder, so that a large folder does not rule the space."""
    chosen: list[Path] = []
    for folder in folders:
        paths = find_images([folder])
        order = np.random.default_rng(seed).permutation(len(paths))[:per_folder]
        chosen += [paths[i] for i in sorted(order)]
    return chosen


class Crops:
    """Images in memory (8 bits a channel, short side `keep` pixels) and random crops of them.

    Memory is about `4 * keep^2` bytes an image: 160 MB a thousand at `keep=200`. `jitter`: how far colors are shifted
    at random (see `jittered`). With `tries` above 1 a crop is the one of so many places that shows most of the product
    (`style.mask`), and memory is a third more. Raises ImageError that names the pictures that cannot be read.
    """

    def __init__(
        self, paths: Sequence[Path], *, side: int, keep: int, seed: int, jitter: float = 0.0, tries: int = 1
    ) -> None:
        self.side = side
        self.tries = tries
        self.seed = seed
        self.jitter = jitter
        with ThreadPoolExecutor() as pool:
            read = pool.map(lambda path: _tried(path, max(side, keep)), paths)
            found = list(tqdm(read, total=len(paths), desc="images", disable=None))
        refuse_unreadable([one for one in found if isinstance(one, ImageError)], len(paths))
        self.images = [one for one in found if not isinstance(one, ImageError)]
        self._shown = [] if tries == 1 else [_shows_product(image) for image in self.images]

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, step: int, size: int, stream: int = 0) -> Tensor:
        """`(size, 3, side, side)` float32 in [0, 1]: random images, places and flips; every second pixel at times."""
        random = np.random.default_rng((self.seed, stream, step))
        crops = np.stack([self._crop(random) for _ in range(size)])
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255.0)
        return jittered(images, random, self.jitter) if self.jitter else images

    def _crop(self, random: np.random.Generator) -> NDArray[np.uint8]:
        chosen = int(random.integers(len(self.images)))
        image = self.images[chosen]
        height, width = image.shape[:2]
        # Zooming out by whole steps of pixels costs nothing and shows structure at another scale.
        stride = 2 if min(height, width) >= 2 * self.side and random.random() < 0.5 else 1
        reach = self.side * stride
        places = [
            (int(random.integers(height - reach + 1)), int(random.integers(width - reach + 1)))
            for _ in range(self.tries)
        ]
        top, left = places[0] if self.tries == 1 else max(places, key=lambda at: self._product(chosen, at, reach))
        crop = image[top : top + reach : stride, left : left + reach : stride]
        return crop[:, ::-1] if random.random() < 0.5 else crop

    def _product(self, image: int, at: tuple[int, int], reach: int) -> float:
        top, left = at
        return float(self._shown[image][top : top + reach, left : left + reach].mean())


def jittered(images: Tensor, random: np.random.Generator, amount: float) -> Tensor:
    """Images `(B, 3, H, W)` with brightness, contrast and saturation each changed by a factor in 1 +- `amount`.

    Every image by its own factors; results stay in [0, 1].
    """
    brightness, contrast, saturation = (
        torch.from_numpy(random.uniform(1 - amount, 1 + amount, (len(images), 1, 1, 1))).float() for _ in range(3)
    )
    images = images * brightness
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + contrast * (images - mean)
    grey = images.mean(dim=1, keepdim=True)
    return (grey + saturation * (images - grey)).clamp_(0, 1)


def refuse_unreadable(faults: Sequence[ImageError], count: int, named: int = 5) -> None:
    """Raise one ImageError that names the first pictures of `count` that could not be read, if there are any."""
    if faults:
        more = f" and {len(faults) - named} more" if len(faults) > named else ""
        listed = "; ".join(map(str, faults[:named]))
        raise ImageError(f"{len(faults)} of {count} pictures cannot be read: {listed}{more}; mend or remove them")


def _tried(path: Path, keep: int) -> NDArray[np.uint8] | ImageError:
    try:
        return _load(path, keep)
    except ImageError as error:
        return error


def _shows_product(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return product_mask(image.astype(np.float32) / np.float32(255)) > 0.5


def _load(path: Path, keep: int) -> NDArray[np.uint8]:
    image = open_image(path, short_side=keep)
    if min(image.size) < keep:
        scale = keep / min(image.size)
        image = image.resize((max(keep, round(image.width * scale)), max(keep, round(image.height * scale))))
    return np.asarray(image, dtype=np.uint8)
