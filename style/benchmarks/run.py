"""Tables of `recsys bench style` and `recsys bench engines`, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from style.backbone import load_backbone
from style.benchmarks.engines import PATIENCE, Comparison, compare_engines, result_lines
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
    """Compare engines and format the table.

    Args:
        products: Folder of product photos.
        styles: Folder of style images.
        engines: Names; default: all that are registered.
        count: Pairs of product and style.
        judge: File of a network that `style.training.teachers` reads; default: the small packaged VGG, which some
            engines were trained on or compare patches with.
        patience: Seconds of painting after which an engine gets no further pair.

    Returns:
        Comparison, lines of its table, and the name of the judge.

    Raises:
        UnknownEngineError: If a name is not registered.
    """
    names = list(dict.fromkeys(engines or ENGINE_NAMES))
    for name in names:
        check_engine(name)
    network = load_backbone("vgg-slim") if judge is None else load_teacher(judge)
    examples = pairs(products, styles, count)
    comparison = compare_engines(StyleEmbedder.load(), network, examples, names, patience=patience)
    return comparison, list(result_lines(comparison.results, count)), network.record.name


def bench_style(
    labeled: Path | None,
    products: Path | None,
    judge: Path | None = None,
    count: int = 40,
    only: Table | None = None,
) -> Iterator[str]:
    """Yield the lines of all tables that the given folders and weights allow.

    Args:
        labeled: Folder with a subfolder of images per style.
        products: Folder of images; columns with few values of its `items.csv`, if there is one, are labels.
        judge: File of a network that `style.training.teachers` reads, best VGG-19.
        count: Pairs of product and style.
        only: The only table to compute; default: all.
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
