"""What whitening does: the same pictures by raw Gram matrices and by style vectors, against a label of their look."""

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
from recsys.schema import ITEM_ID, FloatArray, IntArray, ItemId
from style.benchmarks.vectors import raw_grams
from style.embedding import WORKING_SIDE, StyleEmbedder
from style.images import read_image
from style.metrics import retrieval_score

RAW = "raw Gram matrices"
STATISTICS = "statistics before whitening"
WHITENED = "style vector (whitened)"
DIRECTIONS = "style vector, category taken out"
TRUTH = "surface_style"
"""The sample's hidden label of an item's look."""
NEIGHBORS = 7
LIMIT = 200
"""Pictures compared: statistics of the network are computed anew for each, which takes a while."""

Spaces = Mapping[str, FloatArray]
"""Unit vectors (N, D) by the name of their space, of the same N pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """N pictures with their titles, what each looks like in a word, and their vectors by space."""

    images: tuple[Path, ...]
    titles: tuple[str, ...]
    labels: tuple[str, ...]
    spaces: Spaces

    @classmethod
    def of(cls, project: Project, bundle: Bundle, column: str = TRUTH, limit: int = LIMIT) -> Looks:
        """Of the catalog, or of `limit` of its pictured items drawn at random, in four spaces.

        Raw Gram matrices of the network; its statistics over the product alone, with signed roots; these whitened,
        which is the style vector; and that with the mean of its category taken out, as tastes use it. Labels are a
        column of the items, or the sample's hidden truth by default. Raises DataError for a column that the items do
        not have, or fewer than two items with a picture; ImageError that names a picture which cannot be read.
        """
        rows = np.flatnonzero(bundle.space.directions.any(axis=1))
        if len(rows) < 2:
            raise DataError(f"{bundle.image_root}: fewer than two items have a picture; there is nothing to compare")
        if len(rows) > limit:
            rows = np.sort(generator(bundle.settings.seed, "looks").choice(rows, limit, replace=False))
        labels = _labels(project, bundle.catalog.ids.ids(rows), column)
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


def nearest_rows(looks: Looks, place: int, spaces: Sequence[str], count: int = NEIGHBORS) -> list[Row]:
    """A picture (`place` in 0 .. N - 1) and those nearest to it, a row for each space; those of its label are framed.

    Raises DataError for a space that is not there.
    """
    return [
        Row(
            f"{looks.labels[place]}, by {name}",
            [_tile(looks, near, place) for near in (place, *_nearest(_space(looks, name))[place, :count].tolist())],
        )
        for name in spaces
    ]


def telling_places(looks: Looks, first: str, second: str, count: int = NEIGHBORS) -> list[int]:
    """Pictures by how many more of their `count` nearest have their label in space `second` than in `first`.

    At the beginning `second` does best against `first`, at the end worst. Raises DataError for a space that is not
    there.
    """
    hits = [nearest_hits(_space(looks, name), looks.labels, count) for name in (first, second)]
    return [int(place) for place in np.argsort(hits[0] - hits[1], kind="stable")]


def retrieval_chart(looks: Looks) -> Drawing:
    """How often the nearest picture has the same label, and the first ten's average precision, by space."""
    spaces, labels = looks.spaces, looks.labels
    scores = {name: retrieval_score(vectors, labels) for name, vectors in spaces.items()}
    figure = new_figure(
        9.5, 1.1 + 0.62 * len(spaces), f"Is the nearest picture of the same look? {len(labels):,} pictures"
    )
    axes = figure.subplots()
    for row, score in enumerate(scores.values()):
        for shift, value, color in ((-0.18, score.recall_at_1, ACCENT), (0.18, score.map_at_10, FAINT)):
            axes.barh(row + shift, value, height=0.32, color=color)
            axes.text(value + 0.008, row + shift, f"{value:.2f}", va="center", fontsize=TEXT_SIZE, color=INK)
    axes.barh([0], [0], color=ACCENT, label="R@1: the nearest one is")
    axes.barh([0], [0], color=FAINT, label="mAP@10: the ten nearest are, early ones counting most")
    chance = chance_level(labels)
    axes.axvline(chance, color=INK, linewidth=1, linestyle=":", label=f"by chance, {chance:.2f}")
    axes.set_yticks(range(len(spaces)), [f"{name}\n{vectors.shape[1]:,} numbers" for name, vectors in spaces.items()])
    axes.set_ylim(len(spaces) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    tidy(axes, "share of pictures whose nearest ones have the same label")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=TEXT_SIZE)
    return Drawing(figure)


def variance_chart(looks: Looks) -> Drawing:
    """How many directions the differences between pictures take, by space: few rule where vectors are raw."""
    figure = new_figure(9.5, 3.4, "How many directions do the differences between pictures take?")
    axes = figure.subplots()
    for (name, vectors), color in zip(looks.spaces.items(), (FAINT, INK, ACCENT, PLAIN), strict=False):
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


def whitening_conclusions(looks: Looks, *, seed: int = 0) -> list[str]:
    """How often each space finds a picture of the same label first, tested against the one before it by pictures."""
    spaces, labels = looks.spaces, looks.labels
    hits = {name: nearest_hits(vectors, labels) for name, vectors in spaces.items()}
    pairs = list(itertools.pairwise(spaces))
    tests = [compare(hits[name], hits[before], seed=seed) for before, name in pairs]
    corrected = holm(np.array([test.p_value for test in tests]))
    first = next(iter(spaces))
    lines = [
        f"{first}: the nearest picture has the same label {hits[first].mean():.0%} of the time "
        f"(by chance {chance_level(labels):.0%})."
    ]
    for (before, name), test, p_value in zip(pairs, tests, corrected, strict=True):
        found = Conclusion(name, before, test.difference, float(p_value))
        lines.append(f"{name}: {hits[name].mean():.0%}; more than by {before}: {found}.")
    few = {name: directions_for(variance_shares(vectors), 0.5) for name, vectors in spaces.items()}
    spread = ", ".join(f"{name} in {few[name]} of {vectors.shape[1]:,} directions" for name, vectors in spaces.items())
    return [*lines, f"Half of the differences between pictures lie, for {spread}."]


def nearest_hits(vectors: FloatArray, labels: Sequence[str], count: int = 1) -> Values:
    """The share of each picture's `count` nearest ones by cosine that have its own label, (N,)."""
    names = np.asarray(labels)
    near = _nearest(vectors)[:, :count]
    return np.asarray((names[near] == names[:, None]).mean(axis=1), dtype=np.float64)


def chance_level(labels: Sequence[str]) -> float:
    """How often another picture drawn at random has the same label."""
    _, counts = np.unique(np.asarray(labels), return_counts=True)
    return float((counts * (counts - 1)).sum() / max(1, len(labels) * (len(labels) - 1)))


def variance_shares(vectors: FloatArray) -> FloatArray:
    """The share of all variance within the first 1, 2, ... principal components of (N, D), rising to 1."""
    centered = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    energy = np.square(np.linalg.svd(centered, compute_uv=False))
    return np.asarray(np.cumsum(energy) / max(float(energy.sum()), np.finfo(np.float64).tiny), dtype=np.float32)


def directions_for(shares: FloatArray, share: float) -> int:
    """How many principal components hold at least this share of the variance."""
    return int(np.searchsorted(shares, share) + 1)


def _nearest(vectors: FloatArray) -> IntArray:
    """All others by falling cosine, (N, N - 1)."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    return np.argsort(-likeness, axis=1, kind="stable")[:, :-1].astype(np.int64)


def _space(looks: Looks, name: str) -> FloatArray:
    if name not in looks.spaces:
        raise DataError(f"{name!r} is none of the spaces compared: {', '.join(looks.spaces)}")
    return looks.spaces[name]


def _tile(looks: Looks, near: int, place: int) -> Tile:
    return Tile(looks.images[near], looks.titles[near], framed=looks.labels[near] == looks.labels[place])


def _labels(project: Project, items: Sequence[ItemId], column: str) -> tuple[str, ...]:
    frame = project.load_items().set_index(ITEM_ID)
    truth = load_truth().set_index(ITEM_ID)
    if column == TRUTH and column not in frame and set(truth.index) == set(frame.index):
        frame = truth
    if column not in frame:
        known = ", ".join(map(str, frame.columns))
        raise DataError(f"the items have no column {column!r} that says what they look like; name one of {known}")
    return tuple(frame[column].reindex(list(items)).fillna("").astype(str))
