"""The catalog in style space: style vectors, and their directions with the kind of thing taken out.

A mug's style vector says "mug" as well as "terrazzo". The mean of a category says what its things have in common;
what is left after subtracting it says what a person can have a taste for ("style, not kind of thing", Liu et al.
2017, DeepStyle). Directions and style vectors are the same space, re-centered: `to_style` goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from recsys.schema import FloatArray, IntArray

CATEGORY_PRIOR = 5.0
"""A category's mean counts as this many items at the catalog's mean: small categories stay near it."""
BLOCK = 100_000
"""Items summed at a time, in float64: 100 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class StyleSpace:
    """`vectors` (I, 128) unit style vectors, zeros for items without a picture; `directions` (I, 128), unit or zero;
    `center` (128,) the catalog's mean; `scale` the usual length of what lies between an item and its center;
    `centers` (C, 128) the centers of categories by their codes."""

    vectors: FloatArray
    directions: FloatArray
    center: FloatArray
    scale: float
    centers: FloatArray

    @classmethod
    def of(cls, vectors: FloatArray, categories: IntArray) -> StyleSpace:
        """From unit vectors (I, 128) and category codes (I,). Items whose vector is zero have no picture."""
        pictured = np.linalg.norm(vectors, axis=1) > 0
        center = vectors[pictured].mean(axis=0) if pictured.any() else np.zeros(vectors.shape[1], np.float32)
        # one array of a catalog's size beside the vectors, changed in place
        centers = _category_centers(vectors, categories, pictured, center)
        directions = centers[categories]
        np.subtract(vectors, directions, out=directions)
        directions[~pictured] = 0.0
        lengths = np.linalg.norm(directions, axis=1, keepdims=True)
        scale = float(lengths[pictured].mean()) if pictured.any() else 1.0
        directions /= np.maximum(lengths, 1e-6)
        return cls(vectors, directions, center.astype(np.float32), scale, centers)

    def with_items(self, vectors: FloatArray, categories: IntArray) -> StyleSpace:
        """The space with further vectors (N, 128), categories (I + N,) being those of all.

        What is there stays as it is: new items do not move the centers, as they would in `of`.
        """
        everything = np.concatenate([self.vectors, vectors])
        known = np.linalg.norm(everything, axis=1) > 0
        known[len(self.vectors) :] = False
        centers = _category_centers(everything, categories, known, self.center)
        offsets = _directions(vectors, centers[categories[len(self.vectors) :]])
        return StyleSpace(everything, np.concatenate([self.directions, offsets]), self.center, self.scale, centers)

    def with_changes(
        self, rows: IntArray, vectors: FloatArray, categories: IntArray, centers: FloatArray
    ) -> StyleSpace:
        """The space with other vectors (n, 128) in `rows` (n,), of which those from I on, one after the other, are new.

        `categories` (n,) are their codes, and `centers` (C, 128) the centers of categories by these codes: those of
        this space, since what is not changed stays as it is.
        """
        if not len(rows):
            return replace(self, centers=centers)
        count = max(len(self.vectors), int(rows.max()) + 1)
        tables = []
        for known, new in ((self.vectors, vectors), (self.directions, _directions(vectors, centers[categories]))):
            table = np.empty((count, self.dimensions), dtype=np.float32)
            table[: len(known)] = known
            table[rows] = new
            tables.append(table)
        return StyleSpace(tables[0], tables[1], self.center, self.scale, centers)

    @property
    def dimensions(self) -> int:
        """Length of a style vector."""
        return int(self.vectors.shape[1])

    def to_style(self, direction: FloatArray) -> FloatArray:
        """A direction (128,) as the unit style vector that lies that way from the catalog's center."""
        vector = self.center + self.scale * direction / max(float(np.linalg.norm(direction)), 1e-6)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), dtype=np.float32)

    def to_direction(self, style: FloatArray) -> FloatArray:
        """A style vector (128,), such as a style reference's, as a unit direction from the catalog's center."""
        offset = style - self.center
        return np.asarray(offset / max(float(np.linalg.norm(offset)), 1e-6), dtype=np.float32)


def _directions(vectors: FloatArray, centers: FloatArray) -> FloatArray:
    """Unit directions of vectors (n, 128) from the centers (n, 128) of their categories; zeros without a picture."""
    offsets = vectors - centers
    offsets[~vectors.any(axis=1)] = 0.0
    lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
    return np.asarray(offsets / np.maximum(lengths, 1e-6), dtype=np.float32)


def _category_centers(
    vectors: FloatArray, categories: IntArray, pictured: np.ndarray[tuple[int], np.dtype[np.bool_]], center: FloatArray
) -> FloatArray:
    count = int(categories.max(initial=-1)) + 1
    sums = np.zeros((count, vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK):
        rows = start + np.flatnonzero(pictured[start : start + BLOCK])
        places = (categories[rows], np.arange(len(rows)))
        sums += csr_matrix((np.ones(len(rows)), places), shape=(count, len(rows))) @ vectors[rows]
    sizes = np.bincount(categories[pictured], minlength=count)[:, None]
    return np.asarray((sums + CATEGORY_PRIOR * center) / (sizes + CATEGORY_PRIOR), dtype=np.float32)
