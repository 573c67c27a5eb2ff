"""Draw `docs/engines.jpg`: products of the sample, restyled by every engine as by the service.

python docs/engine_sheet.py [OUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

from contact_sheet import SAMPLE, tile
from PIL import Image, ImageDraw, ImageFont

from style.embedding import StyleEmbedder
from style.images import center_square, open_image, to_pixels
from style.modes import PaintMode, Strength
from style.restyle import RestyleOptions, restyle_photo
from style.transfer.engine_names import ENGINE_NAMES
from style.transfer.registry import load_stylizer
from style.transfer.style_images import StyleImages

PAIRS = (("p0003.jpg", "delft"), ("p0100.jpg", "autumn-leaves"), ("p0260.jpg", "memphis"), ("p0060.jpg", "botanical"))
TILE, GAP, HEAD = 128, 4, 26


def main() -> None:
    """Draw the sheet and save it."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("engines.jpg")
    references = StyleImages.from_library(SAMPLE, StyleEmbedder.load())
    known = {image.name: image for image in references.images}
    engines = [load_stylizer(name, styles=lambda: references) for name in ENGINE_NAMES]
    options = RestyleOptions(Strength.from_number(1.0, PaintMode.PRODUCT), limits=None)
    size = ((TILE + GAP) * (2 + len(engines)) - GAP, HEAD + (TILE + GAP) * len(PAIRS) - GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for column, title in enumerate(("photo", "style", *ENGINE_NAMES)):
        draw.text((column * (TILE + GAP) + 4, 4), title, "black", font)
    for row, (file, style) in enumerate(PAIRS):
        photo = to_pixels(center_square(open_image(SAMPLE / "images" / file), 256))
        painted = [restyle_photo(engine, photo, known[style].vector, options).pixels for engine in engines]
        for column, pixels in enumerate((photo, known[style].pixels[:256, :256], *painted)):
            sheet.paste(tile(pixels), (column * (TILE + GAP), HEAD + row * (TILE + GAP)))
    sheet.save(out, quality=88)


if __name__ == "__main__":
    main()
