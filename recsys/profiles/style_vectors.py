"""Style vectors of a project's catalog and style references, and colors of its photos, computed once and cached."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.dataset.project import Project
from recsys.models.style_knn import directions
from recsys.profiles.style_library import StyleCard
from recsys.progress import stage
from recsys.schema import FloatArray, IntArray
from recsys.storage.artifacts import read_array, write_array
from style.color_space import lab_statistics
from style.errors import ImageError, LibraryError
from style.images import check_image, read_image
from style.library import read_library
from style.mask import product_mask
from style.preprocess.recipe import Recipe
from style.vector import DIMENSIONS

if TYPE_CHECKING:
    from style.embedding import StyleEmbedder

logger = logging.getLogger(__name__)

CHUNK = 128
"""Images between two saves, the largest number to compute again after a kill."""
COLOR_SIDE = 224
"""Short side in pixels at which colors are measured."""
EXAMPLES = 3
"""Photos that cannot be read and are named in the log."""
_COLORS = 6
_loading = threading.Lock()


def catalog_vectors(project: Project, catalog: Catalog) -> FloatArray:
    """Return unit style vectors (I, 128) of the catalog's photos; zeros for items without a photo that can be read.

    Vectors of images that have not changed since they were computed are read from the cache. Photos that cannot be read
    are counted and named in the log.
    """
    rows, paths = _photos(project, catalog)
    vectors = _cached_vectors(project, paths, "style vectors")
    unreadable = np.flatnonzero(np.isnan(vectors).any(axis=1))
    if len(unreadable):
        examples = "; ".join(_defect(paths[row]) for row in unreadable[:EXAMPLES])
        more = "; ..." if len(unreadable) > EXAMPLES else ""
        logger.warning(
            "%s of %s photos cannot be read, and their items have no style: %s%s. Put the photos back or import their "
            "items again, and build.", f"{len(unreadable):,}", f"{len(paths):,}", examples, more,
        )  # fmt: skip
    return _scatter(vectors, rows, len(catalog))


def catalog_colors(project: Project, catalog: Catalog) -> FloatArray:
    """Return unit vectors (I, 6) of the products' colors; zeros for items without a photo.

    They are means, then standard deviations, of L*, a* and b* over the product, each less its mean over the catalog and
    in standard deviations there: a description of a photo without Gram matrices. Cached like style vectors.
    """
    rows, paths = _photos(project, catalog)
    if not paths:
        return np.zeros((len(catalog), _COLORS), dtype=np.float32)
    statistics = _read_or_compute(project, paths, "color_statistics", "colors", _color_statistics, _COLORS)
    read = ~np.isnan(statistics).any(axis=1)
    rows, statistics = rows[read], statistics[read]
    if not len(rows):
        return np.zeros((len(catalog), _COLORS), dtype=np.float32)
    scaled = (statistics - statistics.mean(axis=0)) / np.maximum(statistics.std(axis=0), 1e-6)
    return _scatter(directions(scaled), rows, len(catalog))


def library_vectors(project: Project) -> tuple[tuple[StyleCard, ...], FloatArray]:
    """Return the style references of a project's `styles` folder and their unit vectors (S, 128)."""
    references = read_library(project.styles)
    cards = tuple(
        StyleCard(
            r.style_id, r.title, project.image_reference(r.image), r.scenes, r.artist, r.license, r.source, r.uses
        )
        for r in references
    )
    vectors = _cached_vectors(project, [r.image for r in references], "style references")
    unreadable = np.flatnonzero(np.isnan(vectors).any(axis=1))
    if len(unreadable):
        # A reference is configuration: without it, links and experiments that name it would change silently.
        raise LibraryError(
            f"{project.styles / 'styles.csv'}: style {cards[unreadable[0]].style_id!r}: "
            f"{_defect(references[unreadable[0]].image)}; replace the image or remove the row"
        )
    return cards, vectors


def embedder_version(backbone: str, steps: tuple[str, ...] = ()) -> str:
    """Return the name of the style space of a backbone, for photos after `steps` of preprocessing."""
    return shared_embedder(backbone, steps).version


def shared_embedder(backbone: str, steps: tuple[str, ...] = ()) -> StyleEmbedder:
    """Return the embedder of a backbone and a recipe, loaded once per process. Raises WeightsError, RecipeError."""
    # Without the lock, two threads could both load it at first use.
    with _loading:
        return _embedder(backbone, steps)


def cached_photo_arrays(
    project: Project,
    catalog: Catalog,
    name: str,
    describe: str,
    compute: Callable[[Sequence[Path]], FloatArray],
    dimensions: int,
) -> FloatArray:
    """Return (I, D) numbers of the catalog's photos, zeros for items without a photo that can be read.

    Args:
        project: The project with the photos and the cache.
        catalog: Its I items.
        name: Folder of the cache; its numbers are valid as long as the files of the photos are the same.
        describe: Title of the progress bar.
        compute: Function from n files to (n, D) numbers. It raises ImageError if it cannot read one of them.
        dimensions: D.
    """
    rows, paths = _photos(project, catalog)
    if not paths:
        return np.zeros((len(catalog), dimensions), dtype=np.float32)
    values = _read_or_compute(project, paths, name, describe, compute, dimensions)
    return _scatter(values, rows, len(catalog))


def _photos(project: Project, catalog: Catalog) -> tuple[IntArray, list[Path]]:
    """Return the rows (n,) of the items with a photo, and the photos."""
    rows = np.flatnonzero(catalog.images != "")
    return rows, [project.resolve_image(str(catalog.images[row])) for row in rows]


def _scatter(values: FloatArray, rows: IntArray, items: int) -> FloatArray:
    """Put `values` (n, D) at `rows` (n,) of a table (items, D) of zeros; values that are not numbers become zeros."""
    table = np.zeros((items, values.shape[1]), dtype=np.float32)
    table[rows] = np.nan_to_num(values, nan=0.0)
    return table


def _color_statistics(paths: Sequence[Path]) -> FloatArray:
    images = (read_image(path, short_side=COLOR_SIDE) for path in paths)
    return np.array([lab_statistics(pixels, product_mask(pixels)) for pixels in images], dtype=np.float32)


def _cached_vectors(project: Project, paths: Sequence[Path], describe: str) -> FloatArray:
    if not paths:
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    embedder = shared_embedder(project.settings.style.backbone, project.settings.preprocess.steps)
    return _read_or_compute(
        project, paths, f"style_vectors/{embedder.version}", describe, embedder.embed_files, DIMENSIONS
    )


def _read_or_compute(
    project: Project,
    paths: Sequence[Path],
    name: str,
    describe: str,
    compute: Callable[[Sequence[Path]], FloatArray],
    dimensions: int,
) -> FloatArray:
    """Return (N, D) numbers of N files, at least one, from the cache's folder `name` as far as it has them.

    Rows of files that cannot be read are NaN, in the cache too; they are tried again.
    """
    folder = project.cache / name
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    parts: list[FloatArray] = []
    with stage(describe, len(paths), "image") as counting:
        for chunk in chunks:
            # The file is named by a hash of the paths, sizes and times of change of its photos.
            digest = hashlib.sha256("".join(map(_fingerprint, chunk)).encode())
            file = folder / f"{digest.hexdigest()[:32]}.npy"
            if file.is_file():
                kept: FloatArray = read_array(file)
                values = _fill(kept, chunk, compute)
            else:
                kept = np.full((len(chunk), dimensions), np.nan, dtype=np.float32)
                try:
                    values = compute(chunk)
                except ImageError:
                    values = _fill(kept, chunk, compute)
            if values is not kept:
                write_array(file, values)
            parts.append(values)
            counting.advance(len(chunk))
    return np.concatenate(parts)


def _fingerprint(path: Path) -> str:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return f"{path}\0missing\n"
    return f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n"


def _fill(values: FloatArray, chunk: Sequence[Path], compute: Callable[[Sequence[Path]], FloatArray]) -> FloatArray:
    """Return values (n, D) of n files with the NaN rows computed, one by one; `values` itself if none can be read."""
    filled = values
    for row in np.flatnonzero(np.isnan(values).any(axis=1)).tolist():
        try:
            numbers = compute([chunk[row]])[0]
        except ImageError:
            continue
        if filled is values:
            filled = values.copy()
        filled[row] = numbers
    return filled


def _defect(path: Path) -> str:
    try:
        check_image(path)
    except ImageError as error:
        return str(error)
    return f"{path}: cannot be described"


@lru_cache(maxsize=2)
def _embedder(backbone: str, steps: tuple[str, ...]) -> StyleEmbedder:
    # Imported here, so that ranking and serving from a bundle never load torch.
    from style.embedding import StyleEmbedder

    return StyleEmbedder.load(backbone, Recipe.from_texts(steps))
