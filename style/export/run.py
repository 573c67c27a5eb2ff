"""An engine by name, made shrink_shape if asked, and exported; what `recsys export` prints."""

from __future__ import annotations

from collections.abc import Iterator
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
"""Photos that compare a file and calibrate 8 bits, spread over the folder."""
LOOKS = 300
"""Photos at most whose style vectors teach a pruned network."""


def export_engine(
    engine: str,
    file_format: ExportFormat,
    precision: Precision,
    output: Path,
    products: Path,
    prune: float | None = None,
    steps: int = 2_000,
) -> Iterator[str]:
    """Write the engine's network into `output`, lines for people as it goes.

    `prune`: this share of channels goes first, and `steps` of distillation from the whole network follow, on
    `products`, resumable in `output/NAME-training`. Raises ExportError for an engine that is no network, or one that
    cannot be pruned.
    """
    name = engine if prune is None else f"{engine}-pruned-{round(100 * prune)}"
    wish = ExportOptions(name, "", file_format, precision)  # refuses before anything is loaded or trained
    stylizer = load_stylizer(engine)
    if not isinstance(stylizer, FilmStylizer | NetworkEngine):
        raise ExportError(f"the engine {engine} is not one network that a file could hold; film is")
    files = find_images([products])
    if prune is not None:
        if not isinstance(stylizer, FilmStylizer):
            raise ExportError(f"only film can be pruned, not {engine}; leave --prune out")
        yield f"pruning {prune:.0%} of channels, then {steps} steps of distillation"
        stylizer = _pruned(stylizer, prune, steps, files, output / f"{name}-training")
    chosen = [files[index] for index in np.unique(np.linspace(0, len(files) - 1, PHOTOS).astype(int))]
    photos = [read_image(path, short_side=256) for path in chosen]
    wish = ExportOptions(name, stylizer.version, file_format, precision)
    done = export_network(stylizer.network_spec(), wish, output, photos)
    yield f"wrote {done.path} ({done.size} bytes in all) and {done.card.name}"
    yield f"compared on {len(photos)} photos: outputs differ by {done.largest:.2g} at most, {done.mean:.2g} on average"


def _pruned(stylizer: FilmStylizer, share: float, steps: int, files: list[Path], out: Path) -> FilmStylizer:
    looks = [files[index] for index in np.unique(np.linspace(0, len(files) - 1, LOOKS).astype(int))]
    z = read_z(looks, StyleEmbedder.load())
    shape = shrink_shape(shape_of(stylizer.module), share)
    network = compress(stylizer.module, shape, files[:1000], z, out, CompressSettings(steps=steps))
    return FilmStylizer(network, f"{stylizer.version}-pruned-{round(100 * share)}")
