"""Benchmark of one style, given as a folder of paintings: image by image, and as a distribution.

python tests/benchmarks/gan_style.py --products SHOP_PHOTOS --styles UKIYO-E --gan RUN/gan.safetensors --judge VGG
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from style.backbone import read_weights
from style.benchmarks.transfer import SIDE, TITLES
from style.benchmarks.vectors import HELD_OUT
from style.embedding import StyleEmbedder
from style.images import Pixels, center_square, open_image, to_pixels
from style.mask import product_mask
from style.metrics import kernel_distance, transfer_score
from style.training.crops import drop_held_out, find_images
from style.training.teachers import load_teacher
from style.transfer.base import Stylizer
from style.transfer.gan import GanStylizer, Generator, GeneratorShape
from style.transfer.registry import load_stylizer
from style.vector import StyleVector


def style_lines(
    embedder: StyleEmbedder,
    judge: nn.Module,
    engines: Sequence[Stylizer],
    products: Sequence[Pixels],
    seen: Sequence[Pixels],
    unseen: Sequence[Pixels],
) -> Iterator[str]:
    """Yield a table of medians of `TransferScore` and of kernel distances.

    All images are square, of one side. Engines get the mean style vector of the paintings trained on, and paint the
    product inside its mask; each product is scored against one of the held-out paintings in turn. `distance` is that
    of `style.metrics.kernel_distance` to the held-out paintings, times 1000: first of the paintings trained on (as
    near as possible), then of products as they are.

    Args:
        embedder: Computes style vectors.
        judge: Network whose features score the images.
        engines: Engines to compare.
        products: Product photos.
        seen: Paintings that were trained on.
        unseen: Held-out paintings.
    """
    style = StyleVector.from_values(_vectors(embedder, seen).mean(axis=0))
    target = _vectors(embedder, unseen)
    yield f"{len(products)} products, {len(unseen)} held-out paintings, {products[0].shape[0]} px, medians"
    yield f"{'engine':12}" + "".join(f"{title:>9}" for title in (*TITLES, "distance"))
    for name, images in (("(paintings)", seen), ("(products)", products)):
        yield f"{name:12}{'':63}{1000 * kernel_distance(_vectors(embedder, images), target):9.0f}"
    for engine in engines:
        masks = [product_mask(product) for product in products]
        painted = [
            engine.restyle(product, style, mask=mask)
            for product, mask in zip(tqdm(products, desc=engine.name, disable=None), masks, strict=True)
        ]
        scores = [
            astuple(transfer_score(judge, product, unseen[index % len(unseen)], after))
            for index, (product, after) in enumerate(zip(products, painted, strict=True))
        ]
        row = "".join(f"{value:9.2f}" for value in np.median(np.array(scores), axis=0))
        yield f"{engine.name:12}{row}{1000 * kernel_distance(_vectors(embedder, painted), target):9.0f}"


def _vectors(embedder: StyleEmbedder, images: Sequence[Pixels]) -> NDArray[np.float32]:
    return np.stack([embedder.embed(image).values for image in images])


def _squares(paths: Sequence[Path], most: int) -> list[Pixels]:
    """Read the middle squares of at most `most` images, evenly spread."""
    chosen = paths[:: max(1, len(paths) // most)][:most]
    return [to_pixels(center_square(open_image(path), SIDE)) for path in chosen]


def main() -> None:
    """Print the table of a generator of `style.training.recipes.gan` beside the engines film and color."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name in ("products", "styles"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="a folder; every fifth image was held out")
    parser.add_argument("--gan", type=Path, required=True, help="gan.safetensors")
    parser.add_argument("--judge", type=Path, required=True, help="a network's file, VGG-19 best")
    parser.add_argument("--count", type=int, default=40, help="products")
    for name in ("width", "blocks"):
        parser.add_argument(f"--{name}", type=int, default=getattr(GeneratorShape(), name))
    given = parser.parse_args()
    torch.set_grad_enabled(False)
    generator = Generator(GeneratorShape(given.width, given.blocks))
    generator.load_state_dict(read_weights(given.gan, sha256=""))
    styles, products = find_images([given.styles]), find_images([given.products])
    engines = [GanStylizer(generator, "trained"), load_stylizer("film"), load_stylizer("color")]
    lines = style_lines(
        StyleEmbedder.load(),
        load_teacher(given.judge),
        engines,
        _squares(products[::HELD_OUT], given.count),
        _squares(drop_held_out(styles), given.count),
        _squares(styles[::HELD_OUT], given.count),
    )
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
