"""The style vectors of a project's catalog and style references, and its colors; computed once, kept, resumed."""

from __future__ import annotations

import hashlib
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
from style.images import read_image
from style.library import read_library
from style.mask import product_mask
from style.preprocess.recipe import Recipe
from style.vector import DIMENSIONS

if TYPE_CHECKING:
    from style.embedding import StyleEmbedder

CHUNK = 128
"""Images between two saves: what a kill can cost."""
COLOR_SIDE = 224
"""Short side in pixels at which colors are measured."""
_COLORS = 6
_loading = threading.Lock()


def catalog_vectors(project: Project, catalog: Catalog) -> FloatArray:
    """(I, 128) unit style vectors of the catalog's photos; zeros for items without one.

    Vectors of images that have not changed since they were computed are read back.
    """
    rows, paths = _pictures(project, catalog)
    return _spread(_kept_vectors(project, paths, "style vectors"), rows, len(catalog))


def catalog_colors(project: Project, catalog: Catalog) -> FloatArray:
    """(I, 6) unit vectors of the products' colors; zeros for items without a photo.

    Means, then standard deviations, of L*, a* and b* over the product, each less its mean over the catalog and in
    units of its spread there: what a photo says without Gram matrices. Kept like style vectors.
    """
    rows, paths = _pictures(project, catalog)
    if not paths:
        return np.zeros((len(catalog), _COLORS), dtype=np.float32)
    statistics = _kept(project, paths, "color_statistics", "colors", _color_statistics)
    scaled = (statistics - statistics.mean(axis=0)) / np.maximum(statistics.std(axis=0), 1e-6)
    return _spread(directions(scaled), rows, len(catalog))


def library_vectors(project: Project) -> tuple[tuple[StyleCard, ...], FloatArray]:
    """The style references of a project's `styles` folder and their unit vectors (S, 128)."""
    references = read_library(project.styles)
    cards = tuple(
        StyleCard(
            r.style_id, r.title, project.image_reference(r.image), r.scenes, r.artist, r.license, r.source, r.uses
        )
        for r in references
    )
    return cards, _kept_vectors(project, [r.image for r in references], "style references")


def embedder_version(backbone: str, steps: tuple[str, ...] = ()) -> str:
    """The name of the style space that a backbone makes, of photos that went through `steps` of preprocessing."""
    return shared_embedder(backbone, steps).version


def shared_embedder(backbone: str, steps: tuple[str, ...] = ()) -> StyleEmbedder:
    """The embedder of a backbone and a recipe, loaded once in each process. Raises WeightsError, RecipeError."""
    # Without the lock two threads that come first would both load it.
    with _loading:
        return _embedder(backbone, steps)


def kept_of_pictures(
    project: Project, catalog: Catalog, name: str, describe: str, compute: Callable[[Sequence[Path]], FloatArray]
) -> FloatArray | None:
    """(I, D) of the catalog's photos by `compute`, zeros for items without one; None where no item has a photo.

    Kept in the cache's folder `name` and read back as long as the photos' files are the same.
    """
    rows, paths = _pictures(project, catalog)
    return _spread(_kept(project, paths, name, describe, compute), rows, len(catalog)) if paths else None


def _pictures(project: Project, catalog: Catalog) -> tuple[IntArray, list[Path]]:
    """Rows (n,) of the items that have a photo, and the photos."""
    rows = np.flatnonzero(catalog.images != "")
    return rows, [project.resolve_image(str(catalog.images[row])) for row in rows]


def _spread(found: FloatArray, rows: IntArray, items: int) -> FloatArray:
    """`found` (n, D) at `rows` (n,) of (items, D), zeros elsewhere."""
    vectors = np.zeros((items, found.shape[1]), dtype=np.float32)
    vectors[rows] = found
    return vectors


def _color_statistics(paths: Sequence[Path]) -> FloatArray:
    pictures = (read_image(path, short_side=COLOR_SIDE) for path in paths)
    return np.array([lab_statistics(pixels, product_mask(pixels)) for pixels in pictures], dtype=np.float32)


def _kept_vectors(project: Project, paths: Sequence[Path], describe: str) -> FloatArray:
    if not paths:
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    embedder = shared_embedder(project.settings.style.backbone, project.settings.preprocess.steps)
    return _kept(project, paths, f"style_vectors/{embedder.version}", describe, embedder.embed_files)


def _kept(
    project: Project,
    paths: Sequence[Path],
    name: str,
    describe: str,
    compute: Callable[[Sequence[Path]], FloatArray],
) -> FloatArray:
    """(N, D) of N files, at least one, from the cache's folder `name` as far as they are there."""
    folder = project.cache / name
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    parts: list[FloatArray] = []
    with stage(describe, len(paths), "image") as counting:
        for chunk in chunks:
            file = folder / f"{_fingerprint(chunk)}.npy"
            if not file.is_file():
                write_array(file, compute(chunk))
            parts.append(read_array(file))
            counting.advance(len(chunk))
    return np.concatenate(parts)


def _fingerprint(paths: Sequence[Path]) -> str:
    """Changes when any of the files does: by path, size and time of change."""
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


@lru_cache(maxsize=2)
def _embedder(backbone: str, steps: tuple[str, ...]) -> StyleEmbedder:
    # Imported here, so that ranking and serving from a bundle never load torch.
    from style.embedding import StyleEmbedder

    return StyleEmbedder.load(backbone, Recipe.from_texts(steps))
