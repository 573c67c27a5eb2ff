"""Effect of whitening: the same images by raw Gram matrices and by style vectors, compared with a style label."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.bundle.types import Bundle
from recsys.dataset.project import Project
from recsys.dataset.sample import load_truth
from recsys.errors import DataError
from recsys.evaluation.conclusions import Conclusion
from recsys.evaluation.significance import Values, compare, holm
from recsys.plots.strips import Row, Tile
from recsys.reports.drawing import ACCENT, FAINT, INK, PLAIN, RULE, TEXT_SIZE, Drawing, new_figure, tidy
from recsys.rng import generator
from recsys.schema import ITEM_ID, FloatArray, IntArray
from style.benchmarks.vectors import raw_grams
from style.embedding import WORKING_SIDE, StyleEmbedder
from style.images import read_image
from style.metrics import retrieval_score

RAW = "raw Gram matrices"
STATISTICS = "statistics before whitening"
WHITENED = "style vector (whitened)"
DIRECTIONS = "style vector, category taken out"
TRUTH = "surface_style"
"""Hidden style label of the sample's items."""
NEIGHBORS = 7
LIMIT = 200
"""Largest number of images; statistics of the network are computed again for each, which is slow."""

Spaces = Mapping[str, FloatArray]
"""Unit vectors (N, D) of the same N images, by the name of their space."""


@dataclass(frozen=True, slots=True, eq=False)
class StyleSample:
    """N images with titles, style labels, and vectors in several spaces."""

    images: tuple[Path, ...]
    titles: tuple[str, ...]
    labels: tuple[str, ...]
    spaces: Spaces

    @classmethod
    def from_catalog(cls, project: Project, bundle: Bundle, column: str = TRUTH, limit: int = LIMIT) -> StyleSample:
        """Compute four vectors of each item with an image, or of `limit` such items drawn at random.

        The spaces are: raw Gram matrices of the network; its statistics over the product, with signed roots; these
        whitened, which is the style vector; and the style direction, which tastes use.

        Args:
            project: has the items.
            bundle: has style vectors and directions.
            column: column of the items with style labels; default: the sample's hidden truth.
            limit: largest number of items.

        Raises:
            DataError: there is no such column, or fewer than two items have an image.
            ImageError: an image cannot be read; the message names it.
        """
        rows = np.flatnonzero(bundle.space.directions.any(axis=1))
        if len(rows) < 2:
            raise DataError(f"{bundle.image_root}: fewer than two items have an image; there is nothing to compare")
        if len(rows) > limit:
            rows = np.sort(generator(bundle.settings.seed, "looks").choice(rows, limit, replace=False))
        frame, truth = (table.set_index(ITEM_ID) for table in (project.load_items(), load_truth()))
        # Only the sample's items have a hidden truth.
        if column == TRUTH and column not in frame and set(truth.index) == set(frame.index):
            frame = truth
        if column not in frame:
            known = ", ".join(map(str, frame.columns))
            raise DataError(f"the items have no column {column!r} with style labels; name one of {known}")
        labels = tuple(frame[column].reindex(list(bundle.catalog.ids.ids(rows))).fillna("").astype(str))
        images = tuple(bundle.image_root / str(bundle.catalog.images[row]) for row in rows)
        embedder = StyleEmbedder.load(bundle.settings.style.backbone)
        statistics = np.stack([embedder.statistics(read_image(image, short_side=WORKING_SIDE)) for image in images])
        spaces = {
            RAW: raw_grams(embedder, images),
            STATISTICS: statistics / np.linalg.norm(statistics, axis=1, keepdims=True),
            WHITENED: bundle.space.vectors[rows],
            DIRECTIONS: bundle.space.directions[rows],
        }
        return cls(images, tuple(map(str, bundle.catalog.titles[rows])), labels, spaces)


def nearest_rows(sample: StyleSample, index: int, spaces: Sequence[str], count: int = NEIGHBORS) -> list[Row]:
    """Return an image and the nearest images to it, one row per space; images with its label are framed.

    `index` is in 0 .. N - 1. Raises DataError for an unknown space.
    """
    rows = []
    for name in spaces:
        near = _nearest(_space(sample, name))[index, :count].tolist()
        tiles = [
            Tile(sample.images[other], sample.titles[other], framed=sample.labels[other] == sample.labels[index])
            for other in (index, *near)
        ]
        rows.append(Row(f"{sample.labels[index]}, by {name}", tiles))
    return rows


def rank_examples(sample: StyleSample, first: str, second: str, count: int = NEIGHBORS) -> list[int]:
    """Sort images by the advantage of space `second` over `first`, largest first; return their indices.

    The advantage is the difference in how many of the `count` nearest images have the same label. Raises DataError
    for an unknown space.
    """
    hits = [nearest_hits(_space(sample, name), sample.labels, count) for name in (first, second)]
    return [int(index) for index in np.argsort(hits[0] - hits[1], kind="stable")]


def retrieval_chart(sample: StyleSample) -> Drawing:
    """Plot how often the nearest image has the same label, and the mean average precision of the first ten."""
    spaces, labels = sample.spaces, sample.labels
    scores = {name: retrieval_score(vectors, labels) for name, vectors in spaces.items()}
    figure = new_figure(
        9.5, 1.1 + 0.62 * len(spaces), f"Has the nearest image the same style label? {len(labels):,} images"
    )
    axes = figure.subplots()
    for row, score in enumerate(scores.values()):
        for shift, value, color in ((-0.18, score.recall_at_1, ACCENT), (0.18, score.map_at_10, FAINT)):
            axes.barh(row + shift, value, height=0.32, color=color)
            axes.text(value + 0.008, row + shift, f"{value:.2f}", va="center", fontsize=TEXT_SIZE, color=INK)
    axes.barh([0], [0], color=ACCENT, label="R@1: the nearest image")
    axes.barh([0], [0], color=FAINT, label="mAP@10: the ten nearest images, the first ones weighted most")
    chance = chance_level(labels)
    axes.axvline(chance, color=INK, linewidth=1, linestyle=":", label=f"by chance, {chance:.2f}")
    axes.set_yticks(range(len(spaces)), [f"{name}\n{vectors.shape[1]:,} numbers" for name, vectors in spaces.items()])
    axes.set_ylim(len(spaces) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    tidy(axes, "share of images whose nearest ones have the same label")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=TEXT_SIZE)
    return Drawing(figure)


def variance_chart(sample: StyleSample) -> Drawing:
    """Plot the share of variance in the first principal components, by space: few dominate in raw vectors."""
    figure = new_figure(9.5, 3.4, "How many directions do the differences between images have?")
    axes = figure.subplots()
    for (name, vectors), color in zip(sample.spaces.items(), (FAINT, INK, ACCENT, PLAIN), strict=False):
        shares = variance_shares(vectors)
        half = directions_for(shares, 0.5)
        axes.plot(
            np.arange(1, len(shares) + 1), shares, color=color, linewidth=2, label=f"{name}: half of it in {half}"
        )
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_xlim(1, 128)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    tidy(axes, "number of directions, the strongest first")
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_ylabel("share of all differences", fontsize=TEXT_SIZE, color=INK)
    axes.legend(loc="lower right", frameon=False, fontsize=TEXT_SIZE)
    return Drawing(figure)


def whitening_conclusions(sample: StyleSample) -> list[str]:
    """Conclude how often the nearest image has the same label, each space compared with the one before it."""
    spaces, labels = sample.spaces, sample.labels
    hits = {name: nearest_hits(vectors, labels) for name, vectors in spaces.items()}
    pairs = list(itertools.pairwise(spaces))
    tests = [compare(hits[name], hits[before]) for before, name in pairs]
    corrected = holm(np.array([test.p_value for test in tests]))
    first = next(iter(spaces))
    lines = [
        f"{first}: the nearest image has the same label {hits[first].mean():.0%} of the time "
        f"(by chance {chance_level(labels):.0%})."
    ]
    for (before, name), test, p_value in zip(pairs, tests, corrected, strict=True):
        conclusion = Conclusion(name, before, test.difference, float(p_value))
        lines.append(f"{name}: {hits[name].mean():.0%}; more than by {before}: {conclusion}.")
    few = {name: directions_for(variance_shares(vectors), 0.5) for name, vectors in spaces.items()}
    spread = ", ".join(f"{name} in {few[name]} of {vectors.shape[1]:,} directions" for name, vectors in spaces.items())
    return [*lines, f"Half of the variance between images is, for {spread}."]


def nearest_hits(vectors: FloatArray, labels: Sequence[str], count: int = 1) -> Values:
    """Return the share of each image's `count` nearest images by cosine that have its label, (N,)."""
    names = np.asarray(labels)
    near = _nearest(vectors)[:, :count]
    return np.asarray((names[near] == names[:, None]).mean(axis=1), dtype=np.float64)


def chance_level(labels: Sequence[str]) -> float:
    """Return the probability that another image, drawn at random, has the same label."""
    _, counts = np.unique(np.asarray(labels), return_counts=True)
    return float((counts * (counts - 1)).sum() / max(1, len(labels) * (len(labels) - 1)))


def variance_shares(vectors: FloatArray) -> FloatArray:
    """Return the share of all variance in the first 1, 2, ... principal components of (N, D), rising to 1."""
    centered = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    energy = np.square(np.linalg.svd(centered, compute_uv=False))
    return np.asarray(np.cumsum(energy) / max(float(energy.sum()), np.finfo(np.float64).tiny), dtype=np.float32)


def directions_for(shares: FloatArray, share: float) -> int:
    """Return the number of principal components that hold at least this share of the variance."""
    return int(np.searchsorted(shares, share) + 1)


def _nearest(vectors: FloatArray) -> IntArray:
    """Return all other rows by falling cosine, (N, N - 1)."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :-1].astype(np.int64)


def _space(sample: StyleSample, name: str) -> FloatArray:
    if name not in sample.spaces:
        raise DataError(f"{name!r} is none of the spaces compared: {', '.join(sample.spaces)}")
    return sample.spaces[name]
