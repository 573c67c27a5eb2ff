"""Export of an engine by name, optionally pruned; the work of `recsys export`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from style.embedding import StyleEmbedder
from style.errors import ExportError
from style.export.export import ExportOptions, export_network
from style.export.formats import ExportFormat, Precision
from style.images import read_image
from style.training.crops import find_images
from style.training.recipes.compress import CompressSettings, compress, read_z
from style.training.recipes.prune import shape_of, shrink_shape
from style.transfer.film import FilmStylizer
from style.transfer.network_spec import NetworkEngine
from style.transfer.registry import load_stylizer

PHOTOS = 24
"""Photos for comparison and calibration of 8 bits, spread over the folder."""
TEACHING_PHOTOS = 300
"""Largest number of photos whose style vectors train a pruned network."""


def export_engine(
    engine: str,
    file_format: ExportFormat,
    precision: Precision,
    output: Path,
    products: Path,
    prune: float | None = None,
    steps: int = 2_000,
) -> Iterator[str]:
    """Write the engine's network into `output` and yield progress lines for users.

    Args:
        engine: Name of the engine.
        file_format: Format of the file.
        precision: Precision of the file.
        output: Folder of the result.
        products: Folder of photos for comparison, calibration and distillation.
        prune: Share of channels to prune before the export; `steps` of distillation from the whole network follow,
            resumable in `output/NAME-training`.
        steps: Steps of distillation.

    Raises:
        ExportError: If the engine is no network, or cannot be pruned.
    """
    name = engine if prune is None else f"{engine}-pruned-{round(100 * prune)}"
    options = ExportOptions(name, "", file_format, precision)  # fails before anything is loaded or trained
    stylizer = load_stylizer(engine)
    if not isinstance(stylizer, FilmStylizer | NetworkEngine):
        raise ExportError(f"the engine {engine} is not a single network and cannot be exported; use film")
    files = find_images([products])
    if prune is not None:
        if not isinstance(stylizer, FilmStylizer):
            raise ExportError(f"only film can be pruned, not {engine}; omit --prune")
        yield f"pruning {prune:.0%} of channels, then {steps} steps of distillation"
        teaching = [files[index] for index in np.unique(np.linspace(0, len(files) - 1, TEACHING_PHOTOS).astype(int))]
        z = read_z(teaching, StyleEmbedder.load())
        shape = shrink_shape(shape_of(stylizer.module), prune)
        folder, settings = output / f"{name}-training", CompressSettings(steps=steps)
        network = compress(stylizer.module, shape, files[:1000], z, folder, settings)
        stylizer = FilmStylizer(network, f"{stylizer.version}-pruned-{round(100 * prune)}")
    chosen = [files[index] for index in np.unique(np.linspace(0, len(files) - 1, PHOTOS).astype(int))]
    photos = [read_image(path, short_side=256) for path in chosen]
    options = replace(options, version=stylizer.version)
    exported = export_network(stylizer.network_spec(), options, output, photos)
    yield f"wrote {exported.path} ({exported.size} bytes in all) and {exported.card.name}"
    yield (
        f"compared on {len(photos)} photos: outputs differ by {exported.largest:.2g} at most, "
        f"{exported.mean:.2g} on average"
    )
