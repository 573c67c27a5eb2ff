"""Rows of images with captions."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from recsys.errors import DataError
from recsys.reports.drawing import (
    ACCENT,
    INK,
    MUTED,
    PHOTO_DPI,
    RULE,
    SMALL_SIZE,
    TEXT_SIZE,
    TITLE_SIZE,
    Drawing,
    new_figure,
)
from style.errors import ImageError
from style.images import center_square, open_image

SIDE, GAP = 1.0, 0.12
"""Side of an image and gap between two, in inches."""
HEAD, FOOT = 0.28, 0.34
"""Space above a row for its title, and below it for captions of two lines, in inches."""
TOP = 0.42
_LINE = 18
"""Characters per line of a caption."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Image with a caption: a file, a decoded image, or None for a blank; `framed` ones have a colored frame."""

    image: Path | Image.Image | None
    caption: str = ""
    framed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Images from left to right under one title."""

    title: str
    tiles: Sequence[Tile]


def image_rows(rows: Sequence[Row], title: str) -> Drawing:
    """Draw rows below each other; an image that cannot be read is a blank. Raises DataError without rows."""
    if not rows:
        raise DataError(f"{title}: there are no images to show")
    columns = max(len(row.tiles) for row in rows)
    pitch = HEAD + SIDE + FOOT
    width, height = max(columns, 7) * (SIDE + GAP) + GAP, TOP + pitch * len(rows)
    figure = new_figure(width, height, "", constrained=False)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(GAP, height - TOP / 2, title, fontsize=TITLE_SIZE, fontweight="bold", color=INK, va="center")
    for number, row in enumerate(rows):
        top = height - TOP - number * pitch
        axes.text(GAP, top - HEAD / 2, row.title, fontsize=TEXT_SIZE, color=INK, va="center")
        for column, tile in enumerate(row.tiles):
            left, bottom = GAP + column * (SIDE + GAP), top - HEAD - SIDE
            right, upper = left + SIDE, bottom + SIDE
            photo = thumbnail(tile.image, round(SIDE * PHOTO_DPI))
            axes.imshow(photo, extent=(left, right, bottom, upper), aspect="auto")
            if tile.framed:
                corners = ((left, right, right, left, left), (bottom, bottom, upper, upper, bottom))
                axes.plot(*corners, color=ACCENT, linewidth=3, solid_joinstyle="miter")
            color, text = ACCENT if tile.framed else MUTED, caption_lines(tile.caption)
            axes.text(left, bottom - 0.05, text, fontsize=SMALL_SIZE - 1, color=color, va="top", linespacing=1.1)
    axes.set(xlim=(0, width), ylim=(0, height))
    return Drawing(figure, photographic=True)


def thumbnail(image: Path | Image.Image | None, side: int) -> Image.Image:
    """Return the central square of `side` pixels; gray if there is no image or it cannot be read."""
    try:
        decoded = open_image(image, short_side=side) if isinstance(image, Path) else image
    except ImageError:
        # One damaged file must not prevent the plot.
        decoded = None
    return Image.new("RGB", (side, side), RULE) if decoded is None else center_square(decoded, side)


def caption_lines(text: str) -> str:
    """Wrap a caption to at most two lines; longer text ends in an ellipsis."""
    return "\n".join(textwrap.wrap(text, _LINE, max_lines=2, placeholder=" …"))
