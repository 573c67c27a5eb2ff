"""Style space of a catalog: style vectors, and their directions with the mean of the category taken out.

The style vector of a mug says "mug" as well as "terrazzo". The mean of a category holds the statistics that its items
share; the rest, after subtracting it, is what a user can have a taste for ("style, not kind of thing", Liu et al. 2017,
DeepStyle). Directions and style vectors are the same space, re-centered: `to_style` goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from recsys.schema import BoolArray, FloatArray, IntArray

CATEGORY_PRIOR = 5.0
"""Number of items at the catalog's mean that are added to each category, so that small categories stay near it."""
BLOCK = 100_000
"""Items summed at a time, in float64: 100 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class StyleSpace:
    """Style vectors and directions of I items.

    Attributes:
        vectors: (I, 128) unit style vectors, zeros for items without a photo.
        directions: (I, 128) unit or zero.
        center: (128,) mean of the catalog.
        scale: Mean distance of an item from the center of its category.
        centers: (C, 128) centers of the categories, by code.
    """

    vectors: FloatArray
    directions: FloatArray
    center: FloatArray
    scale: float
    centers: FloatArray

    @classmethod
    def from_vectors(cls, vectors: FloatArray, categories: IntArray) -> StyleSpace:
        """Compute the space from unit vectors (I, 128), zero for items without a photo, and category codes (I,)."""
        has_style = np.linalg.norm(vectors, axis=1) > 0
        center = vectors[has_style].mean(axis=0) if has_style.any() else np.zeros(vectors.shape[1], np.float32)
        # Only one array of the catalog's size is made beside the vectors, and changed in place.
        centers = _category_centers(vectors, categories, has_style, center)
        directions = centers[categories]
        np.subtract(vectors, directions, out=directions)
        directions[~has_style] = 0.0
        lengths = np.linalg.norm(directions, axis=1, keepdims=True)
        scale = float(lengths[has_style].mean()) if has_style.any() else 1.0
        directions /= np.maximum(lengths, 1e-6)
        return cls(vectors, directions, center.astype(np.float32), scale, centers)

    def with_items(self, vectors: FloatArray, categories: IntArray) -> StyleSpace:
        """Return the space with N further items; the others keep their directions, and centers do not move.

        Args:
            vectors: (N, 128) style vectors of the new items.
            categories: (I + N,) codes of all items.
        """
        everything = np.concatenate([self.vectors, vectors])
        # Only items that were there before count in the centers.
        known = np.linalg.norm(everything, axis=1) > 0
        known[len(self.vectors) :] = False
        centers = _category_centers(everything, categories, known, self.center)
        offsets = _directions(vectors, centers[categories[len(self.vectors) :]])
        return StyleSpace(everything, np.concatenate([self.directions, offsets]), self.center, self.scale, centers)

    def with_changes(
        self, rows: IntArray, vectors: FloatArray, categories: IntArray, centers: FloatArray
    ) -> StyleSpace:
        """Return the space with new and changed items; all other items keep their directions.

        Args:
            rows: (n,) rows of the items; rows from I on are new, without gaps.
            vectors: (n, 128) their style vectors.
            categories: (n,) their category codes.
            centers: (C, 128) centers of this space by these codes.
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
        """Return the unit style vector that lies in a direction (128,) from the catalog's center."""
        vector = self.center + self.scale * direction / max(float(np.linalg.norm(direction)), 1e-6)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), dtype=np.float32)

    def to_direction(self, style: FloatArray) -> FloatArray:
        """Return the unit direction of a style vector (128,), such as a style reference's, from the catalog's mean."""
        offset = style - self.center
        return np.asarray(offset / max(float(np.linalg.norm(offset)), 1e-6), dtype=np.float32)


def _directions(vectors: FloatArray, centers: FloatArray) -> FloatArray:
    """Return unit directions of vectors (n, 128) from the centers (n, 128) of their categories; zeros stay zeros."""
    offsets = vectors - centers
    offsets[~vectors.any(axis=1)] = 0.0
    lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
    return np.asarray(offsets / np.maximum(lengths, 1e-6), dtype=np.float32)


def _category_centers(
    vectors: FloatArray, categories: IntArray, has_style: BoolArray, center: FloatArray
) -> FloatArray:
    """Return the centers (C, 128) of the categories, over the items in the mask `has_style` (I,)."""
    count = int(categories.max(initial=-1)) + 1
    sums = np.zeros((count, vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK):
        rows = start + np.flatnonzero(has_style[start : start + BLOCK])
        # A sparse matrix of memberships sums each category in one product.
        members = (categories[rows], np.arange(len(rows)))
        sums += csr_matrix((np.ones(len(rows)), members), shape=(count, len(rows))) @ vectors[rows]
    sizes = np.bincount(categories[has_style], minlength=count)[:, None]
    return np.asarray((sums + CATEGORY_PRIOR * center) / (sizes + CATEGORY_PRIOR), dtype=np.float32)
