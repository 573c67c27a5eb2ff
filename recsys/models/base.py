"""The vocabulary of every model: fit, partial fit, score, recommend, fold in, explain, save, load.

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
from recsys.ranked import Ranked, padded, top_k
from recsys.schema import BoolArray, FloatArray, IntArray
from recsys.storage.artifacts import read_arrays

ARRAYS_FILE = "arrays.npz"
SETTINGS_FILE = "model.json"

Arrays = Mapping[str, NDArray[Any]]
_PARTS = ("data", "indices", "indptr")


class Model(ABC):
    """A recommender. Subclasses fill in the underscored methods; people use the others.

    Arrays that were learned are replaced, never written into, so that a shallow copy can go its own way.
    `_partial_fit` and `_contributions` are for the models that can: left alone, they refuse with the reason.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._viewed: csr_matrix | None = None

    def fit(self, matrix: csr_matrix) -> Self:
        """Learn from `matrix` (U, I), and remember what each user has viewed.

        The order of the stored entries does not matter; duplicates are summed. Raises DataError if the matrix
        has no rows or columns, or holds a weight that is not finite.
        """
        matrix = canonical(matrix)
        if 0 in matrix.shape:
            raise DataError(f"cannot fit {self.name} on an empty matrix of shape {matrix.shape}")
        self._fit(matrix)
        self._viewed = matrix
        return self

    def partial_fit(self, matrix: csr_matrix, *, item_vectors: FloatArray | None = None) -> Self:
        """Take in new events (U', I') without fitting anew, U' >= U and I' >= I.

        Rows and columns beyond those fitted are new users and new items. Weights are added to what is known of
        their pair. `item_vectors` (I' - I, D) are the style vectors of the new items; models without style ignore
        them. Each model's class says how near it comes to `fit` on all events. A call that fails changes nothing.
        Raises NotFittedError; RequestError if the model cannot; or DataError for a matrix that is smaller than the
        fitted one or not finite, or for vectors that do not match the new items.
        """
        merged = added(self.viewed, canonical(matrix))
        self._partial_fit(merged, self.viewed, item_vectors)
        self._viewed = merged
        return self

    def add_items(self, item_vectors: FloatArray) -> Self:
        """Append new items that nobody has touched, in milliseconds: what was learned stays as it is.

        `item_vectors` (N, D) are their style vectors, zeros without a picture; models without style ignore all but
        how many there are. Models that score by style rank new items at once, others after `fit` or `partial_fit`.
        Raises NotFittedError, or DataError for vectors of another kind, which changes nothing.
        """
        users, items = self.shape
        grown = resized(self.viewed, (users, items + len(item_vectors)))
        self._add_items(grown, item_vectors)
        self._viewed = grown
        return self

    def without_users(self, gone: BoolArray) -> Self:
        """A copy that has forgotten some of its users, `gone` (U,): their events, and what was learned of them alone.

        Others move up. What was learned of items from all events stays. Raises NotFittedError.
        """
        model = copy.copy(self)
        model._keep_users(~gone)
        return model

    def scores(self, user_rows: IntArray) -> FloatArray:
        """Scores of all items for known users: (Q,) rows to (Q, I) float32, higher is better.

        Raises NotFittedError, or UnknownIdError for a row outside the fitted matrix.
        """
        users, _ = self.shape
        return self._scores(checked_rows("user row", user_rows, users))

    def fold_in_scores(self, matrix: csr_matrix) -> FloatArray:
        """Scores for users given as rows of events (Q, I), known or new: (Q, I) float32.

        Raises NotFittedError, or DataError if the columns are not the fitted items.
        """
        return self._fold_in_scores(self._checked_events(matrix))

    def recommend(
        self, user_rows: IntArray, k: int, *, filter_viewed: bool = True, items: BoolArray | None = None
    ) -> Ranked:
        """The k best items of each user: (Q,) rows to Ranked (Q, k).

        `filter_viewed` leaves out what the user had viewed when the model was fitted; `items` (I,) or (Q, I)
        keeps the items where it is True. Rows with fewer than k items left are padded.
        """
        scores = self.scores(user_rows)
        if filter_viewed:
            mask_viewed(scores, self.viewed[user_rows])
        return top_k(scores, k, items)

    def similar_items(self, item_row: int, k: int) -> Ranked:
        """The k items most like one item, itself left out: Ranked (1, k).

        Raises NotFittedError, or UnknownIdError for a row outside the fitted matrix.
        """
        likeness = self.likeness(item_row)
        return top_k(likeness[None], k, np.arange(len(likeness)) != item_row)

    def likeness(self, item_row: int) -> FloatArray:
        """How like each item is to one, (I,), itself included. Raises like `similar_items`."""
        _, items = self.shape
        checked_rows("item row", np.array([item_row]), items)
        return self._similarities(item_row)

    def explain(self, events: csr_matrix, item_row: int) -> Ranked:
        """Which of one user's `events` (1, I) speak for `item_row`, and how much: Ranked (1, n), strongest first.

        The contributions add up to the item's score less what it scores for a user without events. An event that
        contributes nothing is left out; where none does, there is one padded place.
        Raises NotFittedError, RequestError if the model cannot, DataError for events of another shape, or
        UnknownIdError for the item.
        """
        row = self._checked_events(events)
        if row.shape[0] != 1:
            raise DataError(f"explain takes the events of one user (1, I), not {row.shape}")
        checked_rows("item row", np.array([item_row]), row.shape[1])
        contributions = self._contributions(row, item_row)
        counts = contributions != 0
        items, parts = row.indices[counts], contributions[counts]
        # not through top_k: a pass over the catalog for each recommended item would be most of a request
        order = np.lexsort((items, -parts))
        return padded(items[order][None], parts[order][None], max(1, len(items)))

    def save(self, folder: Path) -> None:
        """Write arrays (npz) and settings (JSON) into `folder`, made if absent. Raises NotFittedError."""
        viewed = self.viewed
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {**matrix_arrays("viewed", viewed), "viewed_shape": np.array(viewed.shape)}
        np.savez(folder / ARRAYS_FILE, allow_pickle=False, **arrays, **self._arrays())
        header = {"model": self.name, "settings": self._settings()}
        (folder / SETTINGS_FILE).write_text(json.dumps(header, indent=2, sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises BundleError if a file is missing, damaged or of another model."""
        try:
            header = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
            arrays = read_arrays(folder / ARRAYS_FILE)
            if header["model"] != cls.name:
                raise BundleError(f"{folder}: holds a {header['model']!r} model, not {cls.name!r}")
            model = cls._restored(header["settings"], arrays)
            users, items = arrays["viewed_shape"]
            model._viewed = matrix_of(arrays, "viewed", (int(users), int(items)))
        except (DataError, OSError, LookupError, TypeError, ValueError) as error:
            raise BundleError(f"{folder}: not a readable {cls.name} model: {error!r}; fit it again") from error
        return model

    def check(self) -> None:
        """Look at every number that was learned, as `load` does not.

        Raises DataError that names the array which is not finite, or not of the type and shape that the fitted matrix
        asks for. Raises NotFittedError.
        """
        items = self.shape[1]
        check_matrix("viewed", self.viewed, self.shape)
        for name, matrix in self._matrices().items():
            check_matrix(name, matrix, (items, items))
        expected = self._expected()
        for name, array in self._arrays().items():
            check_array(name, array, expected.get(name))

    @property
    def viewed(self) -> csr_matrix:
        """The matrix (U, I) the model was fitted on. Raises NotFittedError."""
        if self._viewed is None:
            raise NotFittedError(self.name)
        return self._viewed

    @property
    def shape(self) -> tuple[int, int]:
        """Users and items the model was fitted on. Raises NotFittedError."""
        users, items = self.viewed.shape
        return int(users), int(items)

    def _checked_events(self, matrix: csr_matrix) -> csr_matrix:
        """`matrix` in canonical form, or DataError if its columns are not the fitted items."""
        _, items = self.shape
        if matrix.shape[1] != items:
            raise DataError(f"events have {matrix.shape[1]} item columns, {self.name} was fitted on {items}")
        ready = matrix.dtype == np.float32 and matrix.has_canonical_format and np.isfinite(matrix.data).all()
        return matrix if ready else canonical(matrix)

    def _keep_users(self, which: BoolArray) -> None:
        """Drop the rows of all users but those where `which` (U,) is True."""
        self._viewed = self.viewed[which]

    @abstractmethod
    def _fit(self, matrix: csr_matrix) -> None:
        """Learn from a canonical matrix (U, I)."""

    @abstractmethod
    def _scores(self, user_rows: IntArray) -> FloatArray:
        """(Q,) valid rows to (Q, I), a new array that the caller may change."""

    @abstractmethod
    def _fold_in_scores(self, matrix: csr_matrix) -> FloatArray:
        """(Q, I) canonical events to (Q, I) scores."""

    @abstractmethod
    def _similarities(self, item_row: int) -> FloatArray:
        """(I,) likeness of all items to one."""

    def _partial_fit(
        self,
        matrix: csr_matrix,  # noqa: ARG002
        before: csr_matrix,  # noqa: ARG002
        item_vectors: FloatArray | None,  # noqa: ARG002
    ) -> None:
        """Learn from all events, canonical (U', I'), of which `before` (U, I) are known."""
        raise RequestError("partial_fit", f"{self.name} cannot take in new events; fit it on all of them")

    @abstractmethod
    def _add_items(self, matrix: csr_matrix, item_vectors: FloatArray) -> None:
        """Make room for the new items, the last columns of all events (U, I'), canonical."""

    def _contributions(self, events: csr_matrix, item_row: int) -> FloatArray:  # noqa: ARG002
        """What each stored entry of canonical `events` (1, I) adds to the score of an item, (n,)."""
        raise RequestError("explain", f"{self.name} does not score by events, so none is a reason; use another model")

    def _expected(self) -> Mapping[str, Expected]:
        """Shape and type of the arrays in `_arrays`, as far as they can be told."""
        return {}

    def _matrices(self) -> Mapping[str, csr_matrix]:
        """Sparse matrices (I, I) among what was learned."""
        return {}

    @abstractmethod
    def _arrays(self) -> Arrays:
        """What was learned, for `save`."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """How it was learned, for `save`; JSON values."""

    @classmethod
    @abstractmethod
    def _restored(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        """The model from what `_settings` and `_arrays` gave."""


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
    """The parts of a matrix as arrays for `Model._arrays`, from which `matrix_of` makes it again."""
    return {f"{name}_{part}": getattr(matrix, part) for part in _PARTS}


def matrix_of(arrays: Arrays, name: str, shape: tuple[int, int]) -> csr_matrix:
    """The matrix that `matrix_arrays` took apart.

    Raises KeyError where a part is missing, DataError where places are no whole numbers.
    """
    for part in ("indices", "indptr"):
        if arrays[f"{name}_{part}"].dtype.kind != "i":
            raise DataError(f"{name}_{part}: holds {arrays[f'{name}_{part}'].dtype}, and whole numbers are right")
    return csr_matrix(tuple(arrays[f"{name}_{part}"] for part in _PARTS), shape=shape)


def canonical(matrix: csr_matrix) -> csr_matrix:
    """A float32 copy with sorted columns and summed duplicates. Raises DataError on a weight not finite."""
    matrix = csr_matrix(matrix, dtype=np.float32, copy=True)
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise DataError("the matrix holds weights that are not finite; clean the events first")
    return matrix


def kept(matrix: csr_matrix, which: BoolArray) -> csr_matrix:
    """`matrix` with those of its stored entries (nnz,) where `which` is True."""
    indptr = np.concatenate([[0], np.cumsum(which)])[matrix.indptr]
    return csr_matrix((matrix.data[which], matrix.indices[which], indptr), shape=matrix.shape)


def resized(matrix: csr_matrix, shape: tuple[int, int]) -> csr_matrix:
    """`matrix` (U, I) with empty rows and columns appended up to `shape`. Raises DataError if it is smaller."""
    users, items = matrix.shape
    if shape[0] < users or shape[1] < items:
        raise DataError(f"{shape} has fewer users or items than the {matrix.shape} fitted; append new ones at the end")
    indptr = np.append(matrix.indptr, np.full(shape[0] - users, matrix.indptr[-1], dtype=matrix.indptr.dtype))
    return csr_matrix((matrix.data, matrix.indices, indptr), shape=shape)


def added(known: csr_matrix, new: csr_matrix) -> csr_matrix:
    """The sum of two canonical matrices in the shape of the second, which must be no smaller.

    Unlike `+`, it keeps entries that add up to 0: they count as viewed.
    """
    known = resized(known, new.shape)
    parts = [known.tocoo(), new.tocoo()]
    data, rows, columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("data", "row", "col"))
    return canonical(csr_matrix((data, (rows, columns)), shape=new.shape))


def mask_viewed(scores: FloatArray, viewed: csr_matrix) -> None:
    """Set `scores` (Q, I) to -inf, in place, wherever `viewed` (Q, I) stores an entry."""
    rows = np.repeat(np.arange(viewed.shape[0]), np.diff(viewed.indptr))
    scores[rows, viewed.indices] = -np.inf


def checked_rows(kind: str, rows: IntArray, size: int) -> IntArray:
    """`rows` as int64; UnknownIdError for the first one outside [0, size), as NumPy would wrap it around."""
    rows = np.asarray(rows, dtype=np.int64)
    outside = rows[(rows < 0) | (rows >= size)]
    if outside.size:
        raise UnknownIdError(kind, str(outside[0]))
    return rows
