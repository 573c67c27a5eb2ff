"""Draw `docs/contact_sheet.jpg`: products of the sample toward seven styles, as the restyling service renders them.

    python docs/contact_sheet.py [OUT]

Each column goes toward the style vector of one style reference of the sample. A user's taste is a blend of such
vectors. Limits of fidelity are off, so that all pictures have the same strength.
"""

from __future__ import annotations

import csv
import sys
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from style.embedding import StyleEmbedder
from style.images import Pixels, center_square, from_pixels, open_image, to_pixels
from style.library import read_library
from style.modes import PaintMode, Strength
from style.restyle import RestyleOptions, restyle_photo
from style.transfer.registry import load_stylizer

SAMPLE = Path(str(resources.files("recsys.dataset.sample") / "files"))
STYLES = ("delft", "botanical", "deco-gold", "shibori", "raku", "sun-and-waves", "autumn-leaves")
ITEMS = ("p0015", "p0087", "p0027", "p0028")
STRENGTH = 0.85
TILE, GAP, LABEL = 150, 6, 26


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("contact_sheet.jpg")
    references = {reference.style_id: reference for reference in read_library(SAMPLE)}
    with (SAMPLE / "items.csv").open(encoding="utf-8", newline="") as lines:
        images = {row["item_id"]: SAMPLE / row["image"] for row in csv.DictReader(lines)}
    embedder, engine = StyleEmbedder.load(), load_stylizer("film")
    options = RestyleOptions(Strength.from_number(STRENGTH, PaintMode.PRODUCT), limits=None)
    step, top = TILE + GAP, LABEL + TILE + GAP
    sheet = Image.new("RGB", (step * (1 + len(STYLES)) - GAP, top + step * len(ITEMS) - GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    photos = [square(images[item_id]) for item_id in ITEMS]
    draw.text((4, LABEL + TILE - 20), "photo", "#444444", font)
    for row, photo in enumerate(photos):
        sheet.paste(tile(photo), (0, top + row * step))
    for column, style_id in enumerate(STYLES, start=1):
        style_image = square(references[style_id].image)
        target = embedder.embed(style_image, np.ones(style_image.shape[:2], dtype=np.float32))
        draw.text((column * step + 2, 4), references[style_id].title, "#444444", font)
        sheet.paste(tile(style_image), (column * step, LABEL))
        for row, photo in enumerate(photos):
            restyled = restyle_photo(engine, photo, target, options).pixels
            sheet.paste(tile(restyled), (column * step, top + row * step))
    sheet.save(out, quality=88)


def square(path: Path) -> Pixels:
    return to_pixels(center_square(open_image(path), 256))


def tile(pixels: Pixels) -> Image.Image:
    return from_pixels(pixels).resize((TILE, TILE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
