"""Maps between external ids and dense rows, so that arrays hold integers instead of strings."""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys.errors import DataError, UnknownIdError
from recsys.schema import IntArray, ItemId, ItemRow, UserId, UserRow
from recsys.storage.artifacts import read_frame, write_frame

Id = TypeVar("Id", bound=str)
Row = TypeVar("Row", bound=int)

_SUFFIX = "_id"


def normalize_id(text: str) -> str:
    """Return an id in Unicode's composed form (NFC), as imports store it: é is one character and not two."""
    return unicodedata.normalize("NFC", text)


class Identifiers(Generic[Id, Row]):
    """N external ids of one kind ("item" or "user"); the row of an id is its index, 0 to N - 1. Immutable."""

    def __init__(self, kind: str, ids: Sequence[str]) -> None:
        """Store ids in the given order. Raises DataError if one repeats."""
        self.kind = kind
        self._index = pd.Index(list(ids), dtype="object")
        self._hidden: IntArray = np.zeros(0, dtype=np.int64)
        if not self._index.is_unique:
            repeated = self._index[self._index.duplicated()][0]
            raise DataError(f"{kind} id {repeated!r} occurs twice; ids must be unique")

    @classmethod
    def from_values(cls, kind: str, values: Iterable[str]) -> Identifiers[Id, Row]:
        """Build from the distinct ids among `values`, sorted, whatever their order."""
        return cls(kind, sorted(set(values)))

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, value: object) -> bool:
        return value in self._index and not self._is_hidden(cast(int, self._index.get_loc(value)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identifiers) and (
            self.kind == other.kind and self._index.equals(other._index) and np.array_equal(self._hidden, other._hidden)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Identifiers({self.kind!r}, {len(self)} ids)"

    def without(self, rows: IntArray) -> Identifiers[Id, Row]:
        """Hide `rows` (n,): they stay, but their ids no longer lead to them."""
        fewer: Identifiers[Id, Row] = copy.copy(self)
        fewer._hidden = np.union1d(self._hidden, rows)
        return fewer

    @property
    def values(self) -> NDArray[np.object_]:
        """Return all ids in row order, `(N,)` of str; a copy."""
        return self._index.to_numpy(dtype=object, copy=True)

    def row(self, value: Id) -> Row:
        """Return the row of one id. Raises UnknownIdError."""
        try:
            row = int(cast(int, self._index.get_loc(value)))
        except KeyError:
            raise UnknownIdError(self.kind, value) from None
        if self._is_hidden(row):
            raise UnknownIdError(self.kind, value)
        return cast(Row, row)

    def rows(self, values: Sequence[str] | pd.Series[str] | NDArray[np.object_]) -> IntArray:
        """Return the rows `(n,)` int64 of n ids. Raises UnknownIdError for the first unknown one."""
        rows = self.find(values)
        unknown = rows < 0
        if unknown.any():
            raise UnknownIdError(self.kind, str(np.asarray(values, dtype=object)[np.argmax(unknown)]))
        return rows

    def find(self, values: Sequence[str] | pd.Series[str] | NDArray[np.object_]) -> IntArray:
        """Return the rows `(n,)` int64 of n ids, -1 for unknown ones."""
        rows = self._index.get_indexer(pd.Index(values, dtype=object)).astype(np.int64)
        if len(self._hidden):
            rows[np.isin(rows, self._hidden)] = -1
        return rows

    def _is_hidden(self, row: int) -> bool:
        return bool(len(self._hidden)) and bool((self._hidden == row).any())

    def id(self, row: Row) -> Id:
        """Return the id of one row. Raises IndexError outside 0 to N - 1."""
        if not 0 <= row < len(self):
            raise IndexError(f"{self.kind} row {row} is outside 0..{len(self) - 1}")
        return cast(Id, self._index[row])

    def ids(self, rows: IntArray | Sequence[int]) -> list[Id]:
        """Return the ids of n rows. Raises IndexError if one is outside 0 to N - 1."""
        wanted = np.asarray(rows, dtype=np.int64)
        outside = (wanted < 0) | (wanted >= len(self))
        if outside.any():
            raise IndexError(f"{self.kind} row {wanted[outside][0]} is outside 0..{len(self) - 1}")
        return cast(list[Id], self._index.to_numpy()[wanted].tolist())

    def save(self, path: Path) -> None:
        """Write as a Parquet file of one column, `<kind>_id`."""
        write_frame(path, pd.DataFrame({self.kind + _SUFFIX: self._index.astype("str")}))

    @classmethod
    def load(cls, path: Path) -> Identifiers[Id, Row]:
        """Read a file of `save`. Raises DataError if it is not one."""
        frame = read_frame(path)
        if len(frame.columns) != 1 or not str(frame.columns[0]).endswith(_SUFFIX):
            raise DataError(f"{path}: not a file of ids: it has columns {', '.join(map(str, frame.columns))}")
        column = str(frame.columns[0])
        return cls(column.removesuffix(_SUFFIX), frame[column].tolist())


ItemIdentifiers = Identifiers[ItemId, ItemRow]
UserIdentifiers = Identifiers[UserId, UserRow]
