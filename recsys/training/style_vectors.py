"""The style vectors of a project's catalogue and style references; computed once, kept, resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from recsys.bundle import StyleCard
from recsys.dataset.catalog import Catalog
from recsys.dataset.project import Project
from recsys.schema import FloatArray
from recsys.storage.artifacts import read_array, write_array
from style.library import read_library
from style.vector import DIMENSIONS

if TYPE_CHECKING:
    from style.embedding import StyleEmbedder

CHUNK = 128
"""Images between two saves: what a kill can cost."""


def catalogue_vectors(project: Project, catalog: Catalog) -> FloatArray:
    """(I, 128) unit style vectors of the catalogue's photos; zeros for items without one.

    Vectors of images that have not changed since they were computed are read back.
    """
    vectors = np.zeros((len(catalog), DIMENSIONS), dtype=np.float32)
    rows = np.flatnonzero(catalog.images != "")
    paths = [project.resolve_image(str(catalog.images[row])) for row in rows]
    vectors[rows] = _kept_vectors(project, paths, "style vectors")
    return vectors


def library_vectors(project: Project) -> tuple[tuple[StyleCard, ...], FloatArray]:
    """The style references of a project's `styles` folder and their unit vectors (S, 128)."""
    references = read_library(project.styles)
    cards = tuple(
        StyleCard(r.style_id, r.title, project.store_image(r.image), r.scenes, r.artist, r.licence) for r in references
    )
    return cards, _kept_vectors(project, [r.image for r in references], "style references")


def embedder_version(backbone: str) -> str:
    """The name of the style space that a backbone makes."""
    return _embedder(backbone).version


def _kept_vectors(project: Project, paths: Sequence[Path], describe: str) -> FloatArray:
    if not paths:
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    embedder = _embedder(project.settings.style.backbone)
    folder = project.cache / "style_vectors" / embedder.version
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    parts: list[FloatArray] = []
    with tqdm(total=len(paths), desc=describe, unit="image", disable=None) as bar:
        for chunk in chunks:
            file = folder / f"{_fingerprint(chunk)}.npy"
            if not file.is_file():
                write_array(file, embedder.embed_files(chunk))
            parts.append(read_array(file))
            bar.update(len(chunk))
    return np.concatenate(parts)


def _fingerprint(paths: Sequence[Path]) -> str:
    """Changes when any of the files does: by path, size and time of change."""
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _embedder(backbone: str) -> StyleEmbedder:
    # Imported here, so that ranking and serving from a bundle never load torch.
    from style.embedding import StyleEmbedder

    return StyleEmbedder.load(backbone)
