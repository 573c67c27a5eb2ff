"""Style diversity of the lists that users saw, from the style vectors of items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.errors import DataError
from recsys.experiments.stats.moments import Values
from recsys.schema import FloatArray

_CELLS = 2**24
"""Numbers in the vectors that are held at once: 64 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class StyleVariety:
    """Style diversity of lists: 1 - mean cosine of the style vectors of all pairs, in [0, 2] (Smyth & McClave 2001).

    Items without an image and unknown items are left out; lists with fewer than two other items get NaN.

    Attributes:
        items: ids of items (I,).
        units: style vectors (I, D) of unit length, zero for items without an image.
    """

    items: pa.StringArray
    units: FloatArray

    @classmethod
    def from_vectors(cls, items: list[str], vectors: FloatArray) -> StyleVariety:
        """Build from `vectors` (I, D) of any length, one per item.

        Raises:
            DataError: if the numbers of items and vectors differ.
        """
        if len(items) != len(vectors):
            raise DataError(f"{len(items)} items have {len(vectors)} style vectors: give one for each")
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        good = np.isfinite(length) & (length > 0)
        units = np.divide(vectors, length, out=np.zeros_like(vectors), where=good)
        return cls(pa.array(items, pa.string()), units.astype(np.float32))

    @classmethod
    def from_file(cls, path: Path) -> StyleVariety:
        """Read a Parquet file with the columns `item_id` and `vector`, lists of equal length.

        Raises:
            DataError: if it is no such file.
        """
        try:
            table = pq.read_table(path, columns=["item_id", "vector"])
            lists = table["vector"].combine_chunks().to_pylist()
            vectors = np.array(lists, dtype=np.float32).reshape(len(lists), -1)
        except (OSError, pa.ArrowException, ValueError, TypeError) as error:
            raise DataError(
                f"{path}: expected a Parquet file with item_id and vector, lists of equal length: {error}"
            ) from None
        return cls.from_vectors(table["item_id"].cast(pa.string()).to_pylist(), vectors)

    def __call__(self, lists: pa.ListArray) -> Values:
        """Return the diversity of each list (n,)."""
        lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False))
        found = pc.index_in(lists.flatten(), self.items)
        # Row len(units) is a zero vector, for unknown items.
        rows = np.asarray(pc.fill_null(found, len(self.units)).to_numpy(zero_copy_only=False), dtype=np.int64)
        units = np.vstack([self.units, np.zeros((1, self.units.shape[1]), dtype=np.float32)])
        ends = np.concatenate([[0], np.cumsum(lengths)])
        result = np.full(len(lists), np.nan)
        step = max(_CELLS // (units.shape[1] * max(int(lengths.max(initial=1)), 1)), 1)
        for start in range(0, len(lists), step):
            part = slice(start, min(start + step, len(lists)))
            own = rows[ends[part.start] : ends[part.stop]]
            result[part] = _diversity(units, own, lengths[part])
        return result


def _diversity(units: FloatArray, rows: np.ndarray, lengths: np.ndarray) -> Values:
    filled = np.flatnonzero(lengths)
    result = np.full(len(lengths), np.nan)
    if not len(filled):
        return result
    starts = np.concatenate([[0], np.cumsum(lengths[filled])[:-1]])
    own = units[rows]
    count = np.add.reduceat(own.any(axis=1).astype(np.float64), starts)
    sums = np.add.reduceat(own, starts, axis=0).astype(np.float64)
    pairs = count * (count - 1.0)
    # |sum of n unit vectors|² is n plus twice the cosines of all pairs.
    twice_cosines = (sums**2).sum(axis=1) - count
    result[filled] = np.divide(pairs - twice_cosines, pairs, out=np.full(len(filled), np.nan), where=pairs > 0)
    return result
