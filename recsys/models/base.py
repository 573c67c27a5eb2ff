"""Interface of all models: fit, partial fit, score, recommend, fold in, explain, save, load.

Models work on dense rows. A matrix is a SciPy CSR `(U, I)` of signed event weights: positive is liking,
negative is disliking, and a stored entry of any sign counts as viewed.
"""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.errors import BundleError, DataError, NotFittedError, RequestError, UnknownIdError
from recsys.models.validation import Expected, check_array, check_matrix
from recsys.ranked import Ranked, pad_ranked, top_k
from recsys.schema import BoolArray, FloatArray, IntArray
from recsys.storage.artifacts import read_arrays

ARRAYS_FILE = "arrays.npz"
SETTINGS_FILE = "model.json"

Arrays = Mapping[str, NDArray[Any]]
_PARTS = ("data", "indices", "indptr")


class Model(ABC):
    """Recommender of items from a matrix of events. Subclasses define the underscored methods; callers use the others.

    Learned arrays are replaced, never written into, so that a shallow copy is independent. `_partial_fit` and
    `_contributions` are optional: without them, `partial_fit` and `explain` raise RequestError with the reason.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._history: csr_matrix | None = None

    def fit(self, matrix: csr_matrix) -> Self:
        """Learn from `matrix` (U, I), and keep it as the users' history.

        The order of the stored entries does not matter; duplicates are summed.

        Raises:
            DataError: If the matrix has no rows or columns, or holds a weight that is not finite.
        """
        matrix = canonical(matrix)
        if 0 in matrix.shape:
            raise DataError(f"cannot fit {self.name} on an empty matrix of shape {matrix.shape}")
        self._fit(matrix)
        self._history = matrix
        return self

    def partial_fit(self, matrix: csr_matrix, *, item_vectors: FloatArray | None = None) -> Self:
        """Learn from new events without fitting anew. A call that fails changes nothing.

        The docstring of each model's class states how near the result comes to `fit` on all events.

        Args:
            matrix: (U', I') new events, U' >= U and I' >= I; weights are added to those of the same pair. Rows and
                columns beyond the fitted ones are new users and new items.
            item_vectors: (I' - I, D) style vectors of the new items; models without style ignore them.

        Raises:
            NotFittedError: Before `fit`.
            RequestError: If the model cannot learn from new events.
            DataError: If the matrix is smaller than the fitted one or not finite, or the vectors do not match the new
                items.
        """
        merged = add_events(self.history, canonical(matrix))
        self._partial_fit(merged, self.history, item_vectors)
        self._history = merged
        return self

    def add_items(self, item_vectors: FloatArray) -> Self:
        """Append new items without events, in milliseconds; everything learned stays the same.

        Models that score by style rank new items at once, others after `fit` or `partial_fit`.

        Args:
            item_vectors: (N, D) their style vectors, zeros without a photo; models without style use only N.

        Raises:
            NotFittedError: Before `fit`.
            DataError: For vectors of another dimension or not finite; the model then stays the same.
        """
        users, items = self.shape
        grown = resize(self.history, (users, items + len(item_vectors)))
        self._add_items(grown, item_vectors)
        self._history = grown
        return self

    def without_users(self, gone: BoolArray) -> Self:
        """Return a copy without the users of the mask `gone` (U,): their events and their own factors.

        The rows of the other users move up. Item parameters learned from all events stay. Raises NotFittedError.
        """
        model = copy.copy(self)
        model._keep_users(~gone)
        return model

    def with_users(self, events: csr_matrix, fitted: IntArray) -> Self:
        """Return a copy with other users or other events of them; all parameters of items stay as learned.

        Args:
            events: (U', I) events of all users.
            fitted: (U,) rows of the fitted users among them, ascending.

        Raises:
            NotFittedError: Before `fit`.
            DataError: If the columns are not the fitted items.
        """
        model = copy.copy(self)
        model._replace_users(self._canonical_events(events), fitted)
        return model

    def scores(self, user_rows: IntArray) -> FloatArray:
        """Return scores of all items for known users: (Q,) rows to (Q, I) float32, higher is better.

        Raises NotFittedError, or UnknownIdError for a row outside the fitted matrix.
        """
        users, _ = self.shape
        return self._scores(check_rows("user row", user_rows, users))

    def fold_in_scores(self, matrix: csr_matrix) -> FloatArray:
        """Return scores for users given as rows of events (Q, I), known or new: (Q, I) float32.

        Raises NotFittedError, or DataError if the columns are not the fitted items.
        """
        return self._fold_in_scores(self._canonical_events(matrix))

    def recommend(
        self, user_rows: IntArray, k: int, *, filter_viewed: bool = True, items: BoolArray | None = None
    ) -> Ranked:
        """Rank the k best items of each user; rows with fewer than k items left are padded.

        Args:
            user_rows: (Q,) rows of known users.
            k: Number of items per user.
            filter_viewed: Leave out the items of the user's fitted events.
            items: (I,) or (Q, I) mask of the items to rank; all by default.

        Returns:
            Ranked (Q, k).
        """
        scores = self.scores(user_rows)
        if filter_viewed:
            mask_viewed(scores, self.history[user_rows])
        return top_k(scores, k, items)

    def similar_items(self, item_row: int, k: int) -> Ranked:
        """Rank the k items most similar to one item, without itself: Ranked (1, k).

        Raises NotFittedError, or UnknownIdError for a row outside the fitted matrix.
        """
        similarities = self.similarities(item_row)
        return top_k(similarities[None], k, np.arange(len(similarities)) != item_row)

    def similarities(self, item_row: int) -> FloatArray:
        """Return the similarity (I,) of all items to one, itself included. Raises like `similar_items`."""
        _, items = self.shape
        check_rows("item row", np.array([item_row]), items)
        return self._similarities(item_row)

    def explain(self, events: csr_matrix, item_row: int) -> Ranked:
        """Rank the contributions of one user's events to the score of an item.

        The contributions add up to the item's score less its score for a user without events. Events that contribute
        nothing are left out; if all are, the result is one padded column.

        Args:
            events: (1, I) events of one user.
            item_row: Row of the item.

        Returns:
            Ranked (1, n), strongest first.

        Raises:
            NotFittedError: Before `fit`.
            RequestError: If the model does not score by events.
            DataError: For events of another shape.
            UnknownIdError: For an unknown item.
        """
        row = self._canonical_events(events)
        if row.shape[0] != 1:
            raise DataError(f"explain takes the events of one user (1, I), not {row.shape}")
        check_rows("item row", np.array([item_row]), row.shape[1])
        contributions = self._contributions(row, item_row)
        counts = contributions != 0
        items, parts = row.indices[counts], contributions[counts]
        # Sorted directly: top_k takes a pass over the catalog, which for each listed item would dominate a request.
        order = np.lexsort((items, -parts))
        return pad_ranked(items[order][None], parts[order][None], max(1, len(items)))

    def save(self, folder: Path) -> None:
        """Write arrays (npz) and settings (JSON) into `folder`, created if absent. Raises NotFittedError."""
        history = self.history
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {**matrix_arrays("history", history), "history_shape": np.array(history.shape)}
        np.savez(folder / ARRAYS_FILE, allow_pickle=False, **arrays, **self._arrays())
        header = {"model": self.name, "settings": self._settings()}
        (folder / SETTINGS_FILE).write_text(json.dumps(header, indent=2, sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved model. Raises BundleError if a file is missing, damaged or of another model."""
        try:
            header = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
            arrays = read_arrays(folder / ARRAYS_FILE)
            if header["model"] != cls.name:
                raise BundleError(f"{folder}: holds a {header['model']!r} model, not {cls.name!r}")
            model = cls._from_saved(header["settings"], arrays)
            users, items = arrays["history_shape"]
            model._history = matrix_of(arrays, "history", (int(users), int(items)))
        except (DataError, OSError, LookupError, TypeError, ValueError) as error:
            raise BundleError(f"{folder}: not a readable {cls.name} model: {error!r}; fit it again") from error
        return model

    def check(self) -> None:
        """Check all learned numbers, which `load` does not.

        Raises:
            NotFittedError: Before `fit`.
            DataError: Names an array that is not finite, or whose type or shape does not fit the fitted matrix.
        """
        items = self.shape[1]
        check_matrix("history", self.history, self.shape)
        for name, matrix in self._matrices().items():
            check_matrix(name, matrix, (items, items))
        expected = self._array_specs()
        for name, array in self._arrays().items():
            check_array(name, array, expected.get(name))

    @property
    def history(self) -> csr_matrix:
        """Matrix (U, I) that the model was fitted on. Raises NotFittedError."""
        if self._history is None:
            raise NotFittedError(self.name)
        return self._history

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of users and items that the model was fitted on. Raises NotFittedError."""
        users, items = self.history.shape
        return int(users), int(items)

    def _canonical_events(self, matrix: csr_matrix) -> csr_matrix:
        """Return `matrix` in canonical form. Raises DataError if its columns are not the fitted items."""
        _, items = self.shape
        if matrix.shape[1] != items:
            raise DataError(f"events have {matrix.shape[1]} item columns, {self.name} was fitted on {items}")
        ready = matrix.dtype == np.float32 and matrix.has_canonical_format and np.isfinite(matrix.data).all()
        return matrix if ready else canonical(matrix)

    def _keep_users(self, which: BoolArray) -> None:
        """Keep only the rows of the users in the mask `which` (U,)."""
        self._history = self.history[which]

    def _replace_users(self, events: csr_matrix, fitted: IntArray) -> None:  # noqa: ARG002
        """Take canonical `events` (U', I) as the users' history; `fitted` (U,) are the rows of the fitted users."""
        self._history = events

    @abstractmethod
    def _fit(self, matrix: csr_matrix) -> None:
        """Learn from a canonical matrix (U, I)."""

    @abstractmethod
    def _scores(self, user_rows: IntArray) -> FloatArray:
        """Return scores (Q, I) for valid rows (Q,), in a new array that the caller may change."""

    @abstractmethod
    def _fold_in_scores(self, matrix: csr_matrix) -> FloatArray:
        """Return scores (Q, I) for canonical events (Q, I)."""

    @abstractmethod
    def _similarities(self, item_row: int) -> FloatArray:
        """Return the similarity (I,) of all items to one."""

    def _partial_fit(
        self,
        matrix: csr_matrix,  # noqa: ARG002
        before: csr_matrix,  # noqa: ARG002
        item_vectors: FloatArray | None,  # noqa: ARG002
    ) -> None:
        """Learn from all events, canonical (U', I'), of which `before` (U, I) were learned before."""
        raise RequestError("partial_fit", f"{self.name} cannot take in new events; fit it on all of them")

    @abstractmethod
    def _add_items(self, matrix: csr_matrix, item_vectors: FloatArray) -> None:
        """Make room for new items, the last columns of all events (U, I'), canonical."""

    def _contributions(self, events: csr_matrix, item_row: int) -> FloatArray:  # noqa: ARG002
        """Return the part (n,) of each stored entry of canonical `events` (1, I) in the score of an item."""
        raise RequestError("explain", f"{self.name} does not score by events, so none is a reason; use another model")

    def _array_specs(self) -> Mapping[str, Expected]:
        """Return shapes and types of the arrays in `_arrays`, as far as they are known."""
        return {}

    def _matrices(self) -> Mapping[str, csr_matrix]:
        """Return the learned sparse matrices (I, I)."""
        return {}

    @abstractmethod
    def _arrays(self) -> Arrays:
        """Return the learned arrays, for `save`."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return the settings as JSON values, for `save`."""

    @classmethod
    @abstractmethod
    def _from_saved(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        """Build the model from the results of `_settings` and `_arrays`."""


AnyModel = TypeVar("AnyModel", bound=Model)


def load_model(folder: Path, kinds: Sequence[type[AnyModel]]) -> AnyModel:
    """Read a model of any of these classes. Raises BundleError like `Model.load`, and for a model of another class."""
    try:
        name = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))["model"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder}: no readable model: {error!r}; fit it again") from error
    for kind in kinds:
        if kind.name == name:
            return kind.load(folder)
    raise BundleError(f"{folder}: holds a {name!r} model, not one of {', '.join(kind.name for kind in kinds)}")


def matrix_arrays(name: str, matrix: csr_matrix) -> dict[str, Any]:
    """Return the parts of a matrix as arrays for `Model._arrays`; `matrix_of` is the inverse."""
    return {f"{name}_{part}": getattr(matrix, part) for part in _PARTS}


def matrix_of(arrays: Arrays, name: str, shape: tuple[int, int]) -> csr_matrix:
    """Build a matrix from the parts of `matrix_arrays`.

    Raises:
        KeyError: If a part is missing.
        DataError: If indices are not integers.
    """
    for part in ("indices", "indptr"):
        if arrays[f"{name}_{part}"].dtype.kind != "i":
            raise DataError(f"{name}_{part}: holds {arrays[f'{name}_{part}'].dtype}, and whole numbers are right")
    return csr_matrix(tuple(arrays[f"{name}_{part}"] for part in _PARTS), shape=shape)


def canonical(matrix: csr_matrix) -> csr_matrix:
    """Return a float32 copy with sorted columns and summed duplicates. Raises DataError if a weight is not finite."""
    matrix = csr_matrix(matrix, dtype=np.float32, copy=True)
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise DataError("the matrix holds weights that are not finite; clean the events first")
    return matrix


def keep_entries(matrix: csr_matrix, which: BoolArray) -> csr_matrix:
    """Return `matrix` with only the stored entries of the mask `which` (nnz,)."""
    # The running count of kept entries, read at the old row bounds, gives the new row bounds.
    indptr = np.concatenate([[0], np.cumsum(which)])[matrix.indptr]
    return csr_matrix((matrix.data[which], matrix.indices[which], indptr), shape=matrix.shape)


def place_rows(matrix: csr_matrix, rows: IntArray, count: int) -> csr_matrix:
    """Return a matrix (count, I) with the rows of `matrix` (n, I) at `rows` (n,), ascending; others are empty."""
    lengths = np.zeros(count, dtype=matrix.indptr.dtype)
    lengths[rows] = np.diff(matrix.indptr)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return csr_matrix((matrix.data, matrix.indices, indptr), shape=(count, matrix.shape[1]))


def resize(matrix: csr_matrix, shape: tuple[int, int]) -> csr_matrix:
    """Append empty rows and columns to `matrix` (U, I) up to `shape`. Raises DataError if `shape` is smaller."""
    users, items = matrix.shape
    if shape[0] < users or shape[1] < items:
        raise DataError(f"{shape} has fewer users or items than the {matrix.shape} fitted; append new ones at the end")
    indptr = np.append(matrix.indptr, np.full(shape[0] - users, matrix.indptr[-1], dtype=matrix.indptr.dtype))
    return csr_matrix((matrix.data, matrix.indices, indptr), shape=shape)


def add_events(known: csr_matrix, new: csr_matrix) -> csr_matrix:
    """Return the sum of two canonical matrices, in the shape of the second, which must be no smaller.

    Unlike `+`, it keeps entries that add up to 0, since they count as viewed.
    """
    known = resize(known, new.shape)
    parts = [known.tocoo(), new.tocoo()]
    data, rows, columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("data", "row", "col"))
    return canonical(csr_matrix((data, (rows, columns)), shape=new.shape))


def mask_viewed(scores: FloatArray, viewed: csr_matrix) -> None:
    """Set `scores` (Q, I) to -inf, in place, at all stored entries of `viewed` (Q, I)."""
    # Each row number as often as the row has entries, to index entries by (row, column).
    rows = np.repeat(np.arange(viewed.shape[0]), np.diff(viewed.indptr))
    scores[rows, viewed.indices] = -np.inf


def check_rows(kind: str, rows: IntArray, size: int) -> IntArray:
    """Return `rows` as int64. Raises UnknownIdError for the first one outside [0, size)."""
    # NumPy would silently count negative rows from the end.
    rows = np.asarray(rows, dtype=np.int64)
    outside = rows[(rows < 0) | (rows >= size)]
    if outside.size:
        raise UnknownIdError(kind, str(outside[0]))
    return rows
