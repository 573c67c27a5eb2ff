"""Rows of pictures with captions: for what people would rather look at than read."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE, GAP = 1.0, 0.12
"""Inches: a picture's side, and what is between two."""
HEAD, FOOT = 0.28, 0.34
"""Inches above a row of pictures for its title, and below for captions of two lines."""
TOP = 0.42
_LINE = 18
"""Characters of a caption's line."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture: a file, or a decoded one, or None for a blank; `framed` ones stand out."""

    picture: Path | Image.Image | None
    caption: str = ""
    framed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Pictures from left to right under one title."""

    title: str
    tiles: Sequence[Tile]


def picture_rows(rows: Sequence[Row], title: str) -> Drawing:
    """Rows below each other. A picture that cannot be read is a blank. Raises DataError without rows."""
    if not rows:
        raise DataError(f"{title}: there are no pictures to show")
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
        for place, tile in enumerate(row.tiles):
            _draw_tile(axes, tile, GAP + place * (SIDE + GAP), top - HEAD - SIDE)
    axes.set(xlim=(0, width), ylim=(0, height))
    return Drawing(figure, photographic=True)


def thumbnail(picture: Path | Image.Image | None, side: int) -> Image.Image:
    """The middle square, `side` pixels; grey where there is no picture or it cannot be read."""
    try:
        found = open_image(picture, short_side=side) if isinstance(picture, Path) else picture
    except ImageError:
        # One damaged file must not cost the figure.
        found = None
    return Image.new("RGB", (side, side), RULE) if found is None else center_square(found, side)


def caption_lines(text: str) -> str:
    """A caption in at most two lines; what is longer ends in an ellipsis."""
    return "\n".join(textwrap.wrap(text, _LINE, max_lines=2, placeholder=" …"))


def _draw_tile(axes: Axes, tile: Tile, left: float, bottom: float) -> None:
    extent = (left, left + SIDE, bottom, bottom + SIDE)
    axes.imshow(thumbnail(tile.picture, round(SIDE * PHOTO_DPI)), extent=extent, aspect="auto")
    if tile.framed:
        corners = ((left, left + SIDE, left + SIDE, left, left), (bottom,) * 2 + (bottom + SIDE,) * 2 + (bottom,))
        axes.plot(*corners, color=ACCENT, linewidth=3, solid_joinstyle="miter")
    color = ACCENT if tile.framed else MUTED
    text = caption_lines(tile.caption)
    axes.text(left, bottom - 0.05, text, fontsize=SMALL_SIZE - 1, color=color, va="top", linespacing=1.1)
