"""Benchmark of style vectors: retrieval on labeled images, and how well halves of one image find each other."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from style.embedding import StyleEmbedder
from style.gram import gram, upper_triangle
from style.images import center_square, open_image, read_image, to_pixels
from style.metrics import identification, retrieval_score
from style.training.crops import find_images

HELD_OUT = 5


def vector_lines(embedder: StyleEmbedder, labeled: Path | None, products: Path | None) -> Iterator[str]:
    """Yield a table of retrieval and of identification.

    Labels are the folders of `labeled` and each label column of `products/items.csv`.
    """
    yield f"{'images':15}{'label':18}{'classes':>8}{'vector':>26}{'numbers':>9}{'R@1':>8}{'mAP@10':>8}"
    if labeled is not None:
        yield from _by_folder(embedder, labeled)
    if products is not None and (products / "items.csv").is_file():
        yield from _by_column(embedder, products)


def _by_folder(embedder: StyleEmbedder, folder: Path) -> Iterator[str]:
    paths = find_images([folder])
    labels = [path.parent.name for path in paths]
    vectors = embed_with_progress(embedder, paths)
    yield _line(folder.name, "folder", raw_grams(embedder, paths), "raw Gram", labels)
    yield _line(folder.name, "folder", vectors, embedder.version, labels)
    # Recipes hold out every fifth style image: here only these are queries, so none was seen in training.
    queries = np.arange(len(paths)) % HELD_OUT == 0
    yield _line(folder.name, "folder, held out", vectors, embedder.version, labels, queries)


def _by_column(embedder: StyleEmbedder, products: Path) -> Iterator[str]:
    with (products / "items.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if (products / row["image"]).is_file()]
    paths = [products / row["image"] for row in rows]
    vectors, grams = embed_with_progress(embedder, paths), raw_grams(embedder, paths)
    for column in rows[0]:
        labels = [row[column] for row in rows]
        if 2 <= len(set(labels)) <= len(labels) // 10:
            yield _line(products.name, column, grams, "raw Gram", labels)
            yield _line(products.name, column, vectors, embedder.version, labels)
    share = identification(*embed_halves(embedder, paths))
    yield f"{products.name}: {share:.3f} of {len(paths)} left halves find their own right half first (of all)"


def _line(
    images: str,
    label: str,
    vectors: NDArray[np.float32],
    name: str,
    labels: Sequence[str],
    queries: NDArray[np.bool_] | None = None,
) -> str:
    score = retrieval_score(vectors, labels, queries)
    return (
        f"{images[:14]:15}{label[:17]:18}{len(set(labels)):8}{name:>26}{vectors.shape[1]:9}"
        f"{score.recall_at_1:8.3f}{score.map_at_10:8.3f}"
    )


def embed_with_progress(embedder: StyleEmbedder, paths: Sequence[Path]) -> NDArray[np.float32]:
    """Run `StyleEmbedder.embed_files` with a progress bar, `(N, 128)`."""
    with tqdm(total=len(paths), desc="vectors", unit="image", disable=None) as bar:
        return embedder.embed_files(paths, progress=bar.update)


@torch.inference_mode()
def raw_grams(embedder: StyleEmbedder, paths: Sequence[Path]) -> NDArray[np.float32]:
    """Compute the baseline: Gram matrices of four taps of the same network without whitening, of unit length."""
    rows: list[NDArray[np.float32]] = []
    for path in tqdm(paths, desc="raw Gram", unit="image", disable=None):
        pixels = to_pixels(center_square(open_image(path, short_side=224), 224))
        maps = embedder.network(torch.from_numpy(pixels).permute(2, 0, 1)[None])
        row = torch.cat([upper_triangle(gram(maps[tap])) for tap in list(maps)[:4]], dim=1)[0]
        rows.append((row / row.norm()).numpy())
    return np.stack(rows)


def embed_halves(embedder: StyleEmbedder, paths: Sequence[Path]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute the vectors `(N, 128)` of the left and of the right half of each image, over the product's mask."""
    rows: list[list[NDArray[np.float32]]] = []
    for path in tqdm(paths, desc="halves", unit="image", disable=None):
        pixels = read_image(path, short_side=320)
        middle = pixels.shape[1] // 2
        rows.append([embedder.embed(np.ascontiguousarray(half)).values for half in np.split(pixels, [middle], axis=1)])
    left, right = zip(*rows, strict=True)
    return np.stack(left), np.stack(right)
