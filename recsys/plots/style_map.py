"""Map of the catalog: products of similar style are near each other, each drawn as its thumbnail.

t-SNE (van der Maaten and Hinton 2008) projects style directions onto a plane. Then each thumbnail gets a free cell of a
grid near its point, so that none hides another. Near products are similar; axes and large distances have no meaning.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.errors import DataError
from recsys.plots.strips import thumbnail
from recsys.ranking.recommender import Recommender
from recsys.reports.drawing import ACCENT, INK, PHOTO_DPI, SMALL_SIZE, TITLE_SIZE, Drawing, new_figure
from recsys.rng import derive_seed, generator
from recsys.schema import FloatArray, IntArray

LIMIT = 450
"""Largest number of thumbnails, as many as fit on a screen; larger catalogs are sampled at random."""
FREE = 1.3
"""Cells of the grid per thumbnail; the free cells show the shape."""
WIDTH, TOP = 11.0, 0.45
_LEGEND = 150
"""Characters per line below the map."""
_JOIN = "\u00a0"
"""Space within a name, so that no line ends there."""
_PERPLEXITY = 20.0
_FEWEST = 10
"""Smallest number of points for t-SNE; fewer are projected on principal components."""


def style_map(recommender: Recommender, *, limit: int = LIMIT, references: bool = True) -> Drawing:
    """Draw the map of a bundle's catalog by style directions; with its style `references`, framed and named.

    The same bundle gives the same map. Raises DataError if no item has an image.
    """
    bundle = recommender.bundle
    rows = np.flatnonzero(bundle.space.directions.any(axis=1))
    if not len(rows):
        raise DataError(f"{bundle.image_root}: no item has an image, so there is no map; import images first")
    if len(rows) > limit:
        rows = np.sort(generator(bundle.settings.seed, "style map").choice(rows, limit, replace=False))
    cards = bundle.styles if references else ()
    styles = [bundle.space.to_direction(vector) for vector in bundle.style_vectors[: len(cards)]]
    points = project_to_plane(np.vstack([bundle.space.directions[rows], *styles]), seed=bundle.settings.seed)
    cells, grid = assign_cells(points)
    images = [str(bundle.catalog.images[row]) for row in rows] + [card.image for card in cards]
    title = f"The catalog by style: {len(rows):,} products" + (", style references framed" if cards else "")
    return _draw([bundle.image_root / image for image in images], [card.title for card in cards], cells, grid, title)


def project_to_plane(vectors: FloatArray, *, seed: int) -> NDArray[np.float64]:
    """Project unit vectors (N, D) onto a plane, (N, 2), by t-SNE; by principal components if N is below ten."""
    if len(vectors) < _FEWEST:
        padded = np.vstack([vectors, np.zeros((2, vectors.shape[1]))]).astype(np.float64)
        return np.asarray(PCA(2, svd_solver="full").fit_transform(padded)[: len(vectors)])
    state = derive_seed(seed, "t-SNE") % 2**32
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    # Sums by several threads differ in the last bit, and t-SNE amplifies that.
    with threadpool_limits(1):
        layout = TSNE(2, perplexity=perplexity, init="pca", random_state=state, n_jobs=1)
        return np.asarray(layout.fit_transform(vectors.astype(np.float64)), dtype=np.float64)


def assign_cells(points: NDArray[np.float64], shape: float = 1.5) -> tuple[IntArray, tuple[int, int]]:
    """Assign each point (N, 2) a grid cell of its own: (column, row) of each, and the grid's (columns, rows).

    The sum of squared distances to the points is minimal. `shape` is the grid's width over its height.
    """
    height = max(1, int(np.ceil(np.sqrt(FREE * len(points) / shape))))
    width = int(np.ceil(FREE * len(points) / height))
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    wanted = (points - low) / np.where(span > 0, span, 1.0) * (width - 1, height - 1)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    cells = np.column_stack([columns.ravel(), rows.ravel()])
    cost = np.square(wanted[:, None] - cells[None]).sum(axis=2)
    _, chosen = linear_sum_assignment(cost)
    return cells[chosen].astype(np.int64), (width, height)


def _draw(images: list[Path], names: list[str], cells: IntArray, grid: tuple[int, int], title: str) -> Drawing:
    columns, rows = grid
    step = WIDTH / columns
    numbers = list(enumerate(names, start=1))
    legend = textwrap.wrap("   ".join(f"{number} {name}".replace(" ", _JOIN) for number, name in numbers), _LEGEND)
    foot = 0.1 + 0.19 * len(legend)
    height = TOP + step * rows + foot
    figure = new_figure(WIDTH, height, constrained=False)
    figure.text(0.01, 1 - TOP / height / 2, title, fontsize=TITLE_SIZE, fontweight="bold", color=INK, va="center")
    figure.text(0.01, 0.05 / height, "\n".join(legend), fontsize=SMALL_SIZE, color=INK, va="bottom")
    axes = figure.add_axes((0, foot / height, 1, step * rows / height))
    axes.set_axis_off()
    side = round(step * PHOTO_DPI)
    for image, (column, row) in zip(images, cells.tolist(), strict=True):
        axes.imshow(thumbnail(image, side), extent=(column, column + 1, row, row + 1), aspect="auto")
    first = len(images) - len(names)
    for (number, _), (column, row) in zip(numbers, cells[first:].tolist(), strict=True):
        box = ((column, column + 1, column + 1, column, column), (row, row, row + 1, row + 1, row))
        axes.plot(*box, color=ACCENT, linewidth=2.5, zorder=3, solid_joinstyle="miter")
        badge = {"facecolor": ACCENT, "edgecolor": "none", "pad": 1.5}
        axes.text(column + 0.5, row + 0.1, str(number), fontsize=SMALL_SIZE, color="white", ha="center", bbox=badge)
    axes.set(xlim=(0, columns), ylim=(0, rows))
    return Drawing(figure, photographic=True)
