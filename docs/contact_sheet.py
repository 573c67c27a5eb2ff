"""Draw `docs/contact_sheet.jpg`: sample products, tastes and strengths, as rendered by the service.

    python docs/contact_sheet.py [OUT]

A taste is here the style vector of one of the sample's style references; a user's taste is a blend of several.
"""

from __future__ import annotations

import csv
import sys
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from style.embedding import StyleEmbedder
from style.images import center_square, from_pixels, open_image, to_pixels
from style.library import read_library
from style.modes import PaintMode, Strength
from style.restyle import RestyleOptions, restyle_photo
from style.transfer.registry import load_stylizer

SAMPLE = Path(str(resources.files("recsys.dataset.sample") / "files"))
STYLES = ("delft", "botanical", "comic-burst", "autumn-leaves")
CATEGORIES = ("mug", "table lamp", "tote bag", "vase", "cushion")
STRENGTHS = (0.35, 0.7, 1.0)
TILE, GAP, HEAD = 128, 4, 124


def products() -> list[Path]:
    """Return the first product of each category."""
    with (SAMPLE / "items.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    first = [next((row for row in rows if row["category"] == category), None) for category in CATEGORIES]
    return [SAMPLE / row["image"] for row in first if row is not None]


def main() -> None:
    """Draw the sheet and save it."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("contact_sheet.jpg")
    references = {reference.style_id: reference for reference in read_library(SAMPLE)}
    embedder, engine = StyleEmbedder.load(), load_stylizer("film")
    photos = products()
    columns = len(STYLES) * len(STRENGTHS)
    width = TILE * (1 + columns) + GAP * (1 + len(STYLES))
    top_of_rows = HEAD + 24
    sheet = Image.new("RGB", (width, top_of_rows + (TILE + GAP) * len(photos)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    draw.text((6, HEAD + 2), "photo", "black", font)
    for row, path in enumerate(photos):
        photo = to_pixels(center_square(open_image(path), 256))
        top = top_of_rows + row * (TILE + GAP)
        sheet.paste(tile(photo), (0, top))
        for block, style_id in enumerate(STYLES):
            left = TILE + GAP + block * (TILE * len(STRENGTHS) + GAP)
            reference = to_pixels(center_square(open_image(references[style_id].image), 256))
            taste = embedder.embed(reference, np.ones(reference.shape[:2], dtype=np.float32))
            sheet.paste(from_pixels(reference).resize((HEAD, HEAD), Image.Resampling.LANCZOS), (left, 0))
            draw.text((left + HEAD + 10, HEAD // 2 - 10), f"taste: {references[style_id].title}", "black", font)
            for column, strength in enumerate(STRENGTHS):
                draw.text((left + column * TILE + 4, HEAD + 2), f"strength {strength:g}", "#666666", font)
                options = RestyleOptions(Strength.from_number(strength, PaintMode.PRODUCT), limits=None)
                restyled = restyle_photo(engine, photo, taste, options).pixels
                sheet.paste(tile(restyled), (left + column * TILE, top))
    sheet.save(out, quality=88)


def tile(pixels: np.ndarray) -> Image.Image:
    """Convert pixels to a tile of the sheet."""
    return from_pixels(pixels).resize((TILE, TILE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
