"""All figures of the style tower, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from style.backbone import load_backbone
from style.benchmarks.engines import PATIENCE, Comparison, compare_engines, figure_lines
from style.benchmarks.speed import speed_lines
from style.benchmarks.tables import Table
from style.benchmarks.transfer import pairs, transfer_lines
from style.benchmarks.vectors import vector_lines
from style.embedding import StyleEmbedder
from style.training.crops import find_images
from style.training.teachers import load_teacher
from style.transfer.engine_names import ENGINE_NAMES
from style.transfer.registry import check_engine

SPEED_FILES = 300


def bench_engines(
    products: Path,
    styles: Path,
    engines: Sequence[str] | None = None,
    count: int = 12,
    judge: Path | None = None,
    patience: float = PATIENCE,
) -> tuple[Comparison, list[str], str]:
    """Engines compared (default: all that are registered), the lines of their table, and what judged them.

    `judge` is a network's file that `style.training.teachers` reads (default: the small VGG that ships, which some
    engines were trained on or compare patches with). Raises UnknownEngineError.
    """
    names = list(dict.fromkeys(engines or ENGINE_NAMES))
    for name in names:
        check_engine(name)
    network = load_backbone("vgg-slim") if judge is None else load_teacher(judge)
    found = compare_engines(StyleEmbedder.load(), network, pairs(products, styles, count), names, patience=patience)
    return found, list(figure_lines(found.figures, count)), network.record.name


def bench_style(
    labeled: Path | None,
    products: Path | None,
    judge: Path | None = None,
    count: int = 40,
    only: Table | None = None,
) -> Iterator[str]:
    """The lines of the tables that the given folders and weights allow.

    `labeled` has a folder of pictures per style; `products` has pictures below it and may have `items.csv`, whose
    columns of few values are labels; `judge` is a network's file that `style.training.teachers` reads, VGG-19 best.
    `only`: this table alone.
    """
    embedder = StyleEmbedder.load()
    if only in {None, Table.VECTORS} and (
        labeled is not None or (products is not None and (products / "items.csv").is_file())
    ):
        yield from vector_lines(embedder, labeled, products)
        yield ""
    if only in {None, Table.TRANSFER} and labeled is not None and products is not None and judge is not None:
        yield from transfer_lines(embedder, load_teacher(judge), pairs(products, labeled, count))
        yield ""
    folder = products or labeled
    if only in {None, Table.SPEED} and folder is not None:
        yield from speed_lines(embedder, find_images([folder])[:SPEED_FILES])
