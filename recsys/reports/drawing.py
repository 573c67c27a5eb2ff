"""Base of all plots: one design, no display needed, and bytes that a notebook shows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.errors import MissingExtraError
from recsys.reports.inline_images import format_of, write_file
from style.provenance.mark import ImageFormat

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 96
PHOTO_DPI, QUALITY = 80, 60
"""Resolution and JPEG quality of plots with photos: thumbnails stay readable, and notebooks small."""

INK = "#222222"
FAINT = "#8a8a8a"
MUTED = "#5a5a5a"
RULE = "#d9d9d9"
ACCENT = "#c2410c"
PLAIN = "#31688e"
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 12, 9.5, 8


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """Finished plot. Notebooks show it as JPEG if it is `photographic`, else as PNG."""

    figure: Figure
    photographic: bool = False

    def encode(self, image_format: ImageFormat) -> bytes:
        """Return the plot as a file of one format."""
        stream = io.BytesIO()
        small = {} if image_format is ImageFormat.PNG else {"quality": QUALITY, "optimize": True, "progressive": True}
        dpi = PHOTO_DPI if self.photographic else DPI
        self.figure.savefig(stream, format=image_format.value, dpi=dpi, facecolor="white", pil_kwargs=small)
        return stream.getvalue()

    def save(self, path: Path) -> None:
        """Write the plot atomically, in the format of the suffix.

        Raises ConfigError for an unknown suffix, ProjectError if the file cannot be written.
        """
        write_file(path, self.encode(format_of(path)))

    def _repr_jpeg_(self) -> bytes | None:
        return self.encode(ImageFormat.JPEG) if self.photographic else None

    def _repr_png_(self) -> bytes | None:
        return None if self.photographic else self.encode(ImageFormat.PNG)


def new_figure(width: float, height: float, title: str = "", *, constrained: bool = True) -> Figure:
    """Create an empty matplotlib figure, which needs no display.

    Args:
        width: in inches.
        height: in inches.
        title: title at the left; "" for none.
        constrained: move axes so that labels fit; otherwise they stay at their positions.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "notebooks") from None
    figure = Figure(figsize=(width, height), layout="constrained" if constrained else None)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=TITLE_SIZE, fontweight="bold", color=INK)
    return figure


def tidy(axes: Axes, label: str = "", title: str = "", y_label: str = "") -> None:
    """Style a chart: light grid lines along x only, no box; `label` names the x axis, `y_label` the y axis."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.tick_params(length=0, labelsize=TEXT_SIZE, labelcolor=INK)
    axes.grid(axis="x", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel(label, fontsize=TEXT_SIZE, color=INK)
    if y_label:
        axes.set_ylabel(y_label, fontsize=TEXT_SIZE, color=INK)
    if title:
        axes.set_title(title, fontsize=TEXT_SIZE, color=INK, loc="left")


def label_rows(axes: Axes, names: Sequence[str], bold: str = "") -> None:
    """Name the rows of a chart from top to bottom, row 0 first; the name `bold` is in bold type."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    for text, name in zip(axes.get_yticklabels(), names, strict=True):
        text.set_fontweight("bold" if name == bold else "normal")


def draw_interval(axes: Axes, row: float, bounds: tuple[float, float], value: float, color: str) -> None:
    """Draw a value with its interval as a dot on a bar, in one row of a chart."""
    axes.plot(bounds, [row, row], color=color, linewidth=2, solid_capstyle="round")
    axes.plot(value, row, "o", markersize=6, color=color, clip_on=False)
