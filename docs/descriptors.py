"""Draw `docs/descriptors.jpg`: a product of the sample, and the five nearest by color, texture, shape and style.

python docs/descriptors.py [p0001]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recsys.dataset import sample
from recsys.profiles.product_descriptors import ProductDescriptors
from style.descriptors.base import Family
from style.descriptors.registry import DESCRIPTORS
from style.embedding import StyleEmbedder
from style.images import read_image
from style.mask import product_mask

OUT = Path(__file__).with_name("descriptors.jpg")
NAMES = ("color-histogram", "lbp", "contour")
SIDE, GAP, LABEL, NEAREST = 110, 6, 64, 5


def main(item: str = "p0001") -> None:
    """Draw the neighbors of an item and save the sheet."""
    photos = sorted((sample.sample_folder() / "images").iterdir())
    row = [photo.stem for photo in photos].index(item)
    images = [(pixels, product_mask(pixels)) for pixels in (read_image(photo, short_side=224) for photo in photos)]
    arrays = {name: np.stack([DESCRIPTORS[name].describe(*pair) for pair in images]) for name in NAMES}
    others = np.arange(len(photos)) != row
    nearest = {family.value: ProductDescriptors(arrays).nearest(row, family, others, NEAREST)[0] for family in Family}
    vectors = StyleEmbedder.load().embed_files(photos)
    nearest["style"] = np.argsort(np.where(others, -(vectors @ vectors[row]), np.inf))[:NEAREST]
    draw(photos, row, nearest).save(OUT, quality=85)


def draw(photos: list[Path], row: int, nearest: dict[str, np.ndarray]) -> Image.Image:
    """Draw a line for each way to compare: the product first, the nearest ones after a wider gap."""
    step = SIDE + GAP
    sheet = Image.new("RGB", (LABEL + (NEAREST + 1) * step + 2 * GAP, len(nearest) * step + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for line, (name, rows) in enumerate(nearest.items()):
        pen.text((GAP, GAP + line * step + SIDE // 2 - 8), name, fill="black", font=font)
        for position, item in enumerate((row, *rows)):
            left = LABEL + position * step + (2 * GAP if position else 0)
            sheet.paste(Image.open(photos[item]).resize((SIDE, SIDE)), (left, GAP + line * step))
    return sheet


if __name__ == "__main__":
    main(*sys.argv[1:])
