"""Base of ALS models whose item factors come from style vectors."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from recsys.config import AlsSettings
from recsys.errors import ConfigError, DataError
from recsys.models.als import AlsModel
from recsys.models.base import Arrays
from recsys.models.features import append_vectors, check_vectors, style_features
from recsys.models.validation import Expected, check_array
from recsys.schema import BoolArray, FloatArray, IntArray


class StyleFactorsModel(AlsModel):
    """ALS with a linear map B from an item's style vector z_i, and a constant 1, to factors B z_i.

    Users are solved for over the items with at least one event (`_offered`): a missing event with an item that no user
    could know of is no evidence.
    """

    usual_ridge: ClassVar[float]

    def __init__(
        self,
        item_vectors: FloatArray,
        settings: AlsSettings | None = None,
        *,
        style_ridge: float | None = None,
        seed: int = 0,
        threads: int = 0,
    ) -> None:
        """Prepare an unfitted model.

        Args:
            item_vectors: (I, D), finite, zeros for items without a photo.
            settings: Settings of ALS.
            style_ridge: Ridge penalty of B for vectors of length 1, above 0; by default the class's `usual_ridge`.
            seed: Seed of the initial factors.
            threads: Threads of implicit, if the subclass fits with it.

        Raises:
            DataError: If the vectors are not finite or not a table.
            ConfigError: If the penalty is not above 0.
        """
        super().__init__(settings, seed=seed, threads=threads)
        self.style_ridge = self.usual_ridge if style_ridge is None else style_ridge
        if not self.style_ridge > 0:
            raise ConfigError(f"style_ridge must be above 0, not {style_ridge}")
        self.item_vectors = check_vectors(item_vectors)
        self._map: FloatArray = np.empty((0, self.settings.factors), dtype=np.float32)
        self._offered: BoolArray = np.empty(0, dtype=np.bool_)

    def style_factors(self, item_vectors: FloatArray) -> FloatArray:
        """Return B z, the factors (N, F) float32 predicted from style vectors (N, D).

        Raises NotFittedError, DataError.
        """
        self._require_fitted(self._map)
        return style_features(check_vectors(item_vectors, self.item_vectors.shape[1])) @ self._map

    def _check_items(self, matrix: csr_matrix) -> None:
        if len(self.item_vectors) != matrix.shape[1]:
            raise DataError(f"{len(self.item_vectors)} item vectors cannot describe {matrix.shape[1]} items")

    def _add_items(self, matrix: csr_matrix, item_vectors: FloatArray) -> None:
        self.item_vectors = append_vectors(self.item_vectors, item_vectors, matrix.shape[1])
        self._offered = np.pad(self._offered, (0, matrix.shape[1] - len(self._offered)))
        super()._add_items(matrix, item_vectors)

    def describe_items(self, rows: IntArray, item_vectors: FloatArray) -> Self:
        """Replace the style vectors (n, D) of items, and with them the factors of cold ones."""
        vectors, factors = self.item_vectors.copy(), self._item_factors.copy()
        vectors[rows] = check_vectors(item_vectors, vectors.shape[1])
        # Factors of items with events are learned from these and stay.
        cold = rows[~self._offered[rows]]
        factors[cold] = style_features(vectors[cold]) @ self._map
        self.item_vectors = vectors
        self._set_item_factors(factors)
        return self

    def _prior(self, items: int) -> FloatArray:  # noqa: ARG002
        return style_features(self.item_vectors) @ self._map

    def _set_item_factors(self, item_factors: FloatArray) -> None:
        super()._set_item_factors(item_factors[self._offered])
        self._item_factors = item_factors

    def _arrays(self) -> Arrays:
        learned = {"item_vectors": self.item_vectors, "map": self._map, "offered": self._offered}
        return {**super()._arrays(), **learned}

    def _array_specs(self) -> dict[str, Expected]:
        items, dimensions = self.shape[1], self.item_vectors.shape[1]
        learned = {
            "item_vectors": Expected((items, dimensions)),
            "map": Expected((dimensions + 1, self.settings.factors)),
            "offered": Expected((items,), np.bool_),
        }
        return {**super()._array_specs(), **learned}

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "style_ridge": self.style_ridge}

    @classmethod
    def _from_saved(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        als = AlsSettings.model_validate(settings["als"])
        vectors = arrays["item_vectors"]
        # The constructor converts any type to float32, so the type is checked here.
        check_array("item_vectors", vectors, Expected(vectors.shape))
        model = cls(vectors, als, style_ridge=settings["style_ridge"], seed=settings["seed"])
        model._map, model._offered = arrays["map"], arrays["offered"]
        model._restore(settings, arrays)
        return model


def interacted_items(matrix: csr_matrix) -> BoolArray:
    """Return a mask (I,) of the columns with an entry other than 0."""
    return np.bincount(matrix.indices, weights=matrix.data != 0, minlength=matrix.shape[1]) > 0


def ridge(features: FloatArray, targets: FloatArray, penalty: float) -> FloatArray:
    """Fit the linear map (D, F) from features (N, D), whose last is the constant, to targets (N, F).

    Minimizes |targets - features @ map|^2 + penalty |map|^2, without penalty on the constant (Hoerl and Kennard 1970).
    """
    system = (features.T @ features).astype(np.float64)
    system[np.diag_indices(len(system) - 1)] += penalty
    factor = cho_factor(system, lower=True)
    return cho_solve(factor, (features.T @ targets).astype(np.float64)).astype(np.float32)
