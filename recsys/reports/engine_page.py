"""Page that compares engines: a table and rows of images in one self-contained HTML file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from recsys.errors import ConfigError
from recsys.reports.engine_behavior import Behavior, EngineMetric
from recsys.reports.inline_images import write_file
from style.benchmarks.engines import Comparison, EngineResult
from style.images import Pixels, from_pixels
from style.transfer.engine_names import IMAGE_ENGINE_NAMES

ROWS = 6
"""Pairs whose images are shown."""
QUALITY = 85
MISSING = "–"
COLUMNS = (
    ("PSNR", "dB"), ("SSIM", ""), ("edges kept", ""), ("content kept", ""), ("style gain", ""), ("Gram gain", ""),
    ("time", "ms"), ("memory", "MB"), ("weights", "MB"), ("pairs", ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """Line of the table. `best` marks the best values of each column."""

    name: str
    kind: str
    cells: tuple[str, ...]
    best: tuple[bool, ...]
    behavior: tuple[EngineMetric | None, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """Product, style, and the image of each engine; "" if an engine did not paint it."""

    product: str
    style: str
    painted: tuple[tuple[str, str], ...]


def check_page(out: Path) -> None:
    """Raise ConfigError if the page cannot be written in the format of `out`, before hours are spent."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{out}: the comparison is written as HTML; give a name that ends in .html")


def write_engine_page(comparison: Comparison, out: Path, *, judge: str, behavior: Behavior | None = None) -> None:
    """Write the page to `out`; `judge` is the name of the network that measures the gains.

    Raises ConfigError for another format, ProjectError if `out` cannot be written.
    """
    check_page(out)
    write_file(out, render_engines(comparison, judge=judge, behavior=behavior).encode())


def render_engines(comparison: Comparison, *, judge: str, behavior: Behavior | None = None) -> str:
    """Render the page as HTML; all texts of the data are escaped."""
    environment = Environment(loader=PackageLoader("recsys.reports"), autoescape=True, undefined=StrictUndefined)
    wanted = len(comparison.examples)
    shown = []
    for index, (product, style) in enumerate(comparison.examples[:ROWS]):
        painted = tuple(
            (name, _data_uri(images[index]) if index < len(images) else "")
            for name, images in comparison.painted.items()
        )
        shown.append(Shown(_data_uri(product), _data_uri(style), painted))
    return environment.get_template("engines.html.j2").render(
        columns=COLUMNS,
        behavior=behavior,
        rows=table_rows(comparison.results, behavior),
        shown=shown,
        engines=[one.name for one in comparison.results],
        slow=[(one.name, one.pairs) for one in comparison.results if one.pairs < wanted],
        wanted=wanted,
        side=max(comparison.examples[0][0].shape),
        judge=judge,
    )


def table_rows(results: Sequence[EngineResult], behavior: Behavior | None = None) -> list[Row]:
    """Return the lines of the table; arms without an engine, such as original photos, come last."""
    kinds = {True: "paints from images", False: "paints from z only"}
    numbers = [
        (
            one.psnr, one.ssim, one.edges, one.content, one.style_gain, one.gram_gain,
            one.seconds, one.memory_mb, one.weights_mb, one.pairs,
        )
        for one in results
    ]  # fmt: skip
    best = []
    for column, high in zip(zip(*numbers, strict=True), _HIGH, strict=True):
        measured = [value for value in column if value is not None]
        if high is None or len(set(measured)) < 2:
            best.append([False] * len(column))
        else:
            top = max(measured) if high else min(measured)
            best.append([value == top for value in column])
    rows = [
        Row(
            one.name,
            kinds[one.name in IMAGE_ENGINE_NAMES],
            _cells(one),
            tuple(marks),
            _behavior_cells(one.name, behavior),
        )
        for one, *marks in zip(results, *best, strict=True)
    ]
    known = {one.name for one in results}
    empty = (MISSING,) * len(COLUMNS)
    others = () if behavior is None else [name for name in behavior.by_engine if name not in known]
    return rows + [
        Row(name, "shown to users", empty, (False,) * len(COLUMNS), _behavior_cells(name, behavior)) for name in others
    ]


_HIGH = (True, True, True, True, True, True, False, False, False, None)
"""True if more is better, column by column; None: neither is better."""


def _cells(one: EngineResult) -> tuple[str, ...]:
    shares = (one.ssim, one.edges, one.content, one.style_gain, one.gram_gain)
    sizes = (one.memory_mb, one.weights_mb)
    return (
        f"{one.psnr:.1f}",
        *(f"{share:.2f}".replace("-", "−") for share in shares),
        f"{1000 * one.seconds:,.0f}",
        *(MISSING if size is None else f"{size:,.1f}" for size in sizes),
        f"{one.pairs}",
    )


def _behavior_cells(name: str, behavior: Behavior | None) -> tuple[EngineMetric | None, ...]:
    if behavior is None:
        return ()
    return tuple(behavior.by_engine.get(name, {}).get(metric) for metric in behavior.metrics)


def _data_uri(pixels: Pixels) -> str:
    written = io.BytesIO()
    from_pixels(pixels).save(written, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
