"""Alternating least squares for implicit feedback; the only module that imports the library implicit.

Sources: Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (ICDM 2008), "Hu"
below; Takács, Pilászy and Tikk (RecSys 2011) for the conjugate gradient that implicit fits with.
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.config import AlsSettings
from recsys.errors import DataError, NotFittedError
from recsys.models.base import Arrays, Model, place_rows, resize
from recsys.models.least_squares import inverse_root, solve_rows
from recsys.models.popularity import log_popularity, unit_peak
from recsys.models.validation import Expected, parse_penalty
from recsys.rng import derive_seed
from recsys.schema import BoolArray, FloatArray, IntArray

with warnings.catch_warnings():
    # In a notebook, tqdm warns that ipywidgets is missing when implicit imports it, although implicit shows no bar.
    warnings.filterwarnings("ignore", message="IProgress not found")
    from implicit.cpu.als import AlternatingLeastSquares


class AlsModel(Model):
    """Factors of implicit feedback (Hu, Koren and Volinsky 2008).

    The score of user u for item i is x_u . y_i + b_i, with factors that minimize, over all pairs (Hu, eq. 3),

        sum_ui c_ui (p_ui - x_u . y_i)^2 + λ (sum_u |x_u|^2 + sum_i |y_i|^2)

    p_ui is 1 if the weight w_ui is positive and 0 otherwise, so a dislike is a confident zero. Confidence is 1 for a
    pair without events, else

        c_ui = 1 + alpha * log(1 + |w_ui|) * (n / n_i)^item_damping

    which is Hu, eq. 6 with eps = 1, times a damping of frequent items, whose events say less about the user
    (n_i events of the item; n its mean over events). b_i is log-popularity, scaled to [0, popularity].

    Departures from Hu: the damping; the bias, which is added after the fit; and λ, which is
    `regularization` times the noise level (`_noise_level`), so that one setting serves small and large data.

    `partial_fit` solves for the items with new events, new ones included, and then for all users; λ and the other
    items' factors stay as they were until the next `fit`.

    The same matrix, settings and seed give the same factors for any number of `threads` (0: all cores).
    """

    name = "als"

    def __init__(self, settings: AlsSettings | None = None, *, seed: int = 0, threads: int = 0) -> None:
        super().__init__()
        self.settings = settings or AlsSettings()
        self.seed = seed
        self.threads = threads
        nothing = np.empty((0, self.settings.factors), dtype=np.float32)
        self._user_factors, self._item_factors, self._gram, self._root = nothing, nothing, nothing, nothing
        self._item_bias, self._item_damping = nothing[:, 0], nothing[:, 0]
        self._penalty = 0.0

    @property
    def user_factors(self) -> FloatArray:
        """User factors (U, F) float32, equal to `fold_in` of the fitted rows. Raises NotFittedError."""
        return self._require_fitted(self._user_factors)

    @property
    def item_factors(self) -> FloatArray:
        """Item factors (I, F) float32. Raises NotFittedError."""
        return self._require_fitted(self._item_factors)

    @property
    def item_bias(self) -> FloatArray:
        """Item bias (I,) float32 in [0, settings.popularity], the same for all users. Raises NotFittedError."""
        return self._require_fitted(self._item_bias)

    @classmethod
    def without_events(cls, items: int, settings: AlsSettings | None = None) -> Self:
        """Return a model of `items` items before the first event: factors, bias and scores are all 0."""
        model = cls(settings)
        no_users = csr_matrix(np.empty((0, items), dtype=np.float32))
        model._update_weights(no_users)
        model._penalty = 1.0
        model._set_item_factors(model._prior(items))
        model._history = no_users
        return model

    def fold_in(self, matrix: csr_matrix) -> FloatArray:
        """Compute factors of users given as rows of events, known or new: (Q, I) to (Q, F) float32.

        Solves Hu, eq. 4 exactly for each row; a row without events gets zeros.
        Raises NotFittedError, or DataError if the columns are not the fitted items.
        """
        return self._fold_in(self._confidences(self._canonical_events(matrix)))

    def _require_fitted(self, array: FloatArray) -> FloatArray:
        if self._history is None:
            raise NotFittedError(self.name)
        return array

    def _fit(self, matrix: csr_matrix) -> None:
        confidences = self._prepare(matrix)
        # implicit parallelizes over rows itself and warns if BLAS has threads of its own. One BLAS thread also keeps
        # sums, and hence factors, independent of the number of cores.
        with threadpool_limits(1, "blas"):
            engine = AlternatingLeastSquares(
                factors=self.settings.factors,
                regularization=self._penalty,
                iterations=self.settings.iterations,
                num_threads=self.threads,
                random_state=derive_seed(self.seed, "als") & 0x7FFFFFFF,
            )
            engine.fit(confidences, show_progress=False)
            self._set_item_factors(engine.item_factors)
            # implicit stops after an item step: one more user step makes known and folded-in users agree.
            self._user_factors = self._fold_in(confidences)

    def _prepare(self, matrix: csr_matrix) -> csr_matrix:
        """Set damping, bias and λ from the counts of events, and return the confidences."""
        self._update_weights(matrix)
        confidences = self._confidences(matrix)
        if confidences.nnz == 0:
            raise DataError(f"cannot fit {self.name} without a single event of non-zero weight")
        self._penalty = self.settings.regularization * _noise_level(confidences)
        return confidences

    def _update_weights(self, matrix: csr_matrix) -> None:
        """Update damping and bias, which depend on all events; λ stays between fits."""
        self._item_damping = _item_damping(matrix, self.settings.item_damping)
        self._item_bias = self.settings.popularity * unit_peak(log_popularity(matrix))

    def _set_item_factors(self, item_factors: FloatArray) -> None:
        """Set the factors (I, F) and the matrices that all fold-ins share: Y'Y and its whitening, each (F, F)."""
        self._item_factors = item_factors
        self._gram = item_factors.T @ item_factors
        self._root = inverse_root(self._gram, self._penalty)

    def _confidences(self, matrix: csr_matrix) -> csr_matrix:
        """Return signed confidences (Q, I) as implicit takes them: |c|, negative if the preference is 0."""
        confidences = matrix.copy()
        confidences.eliminate_zeros()
        confidences.data = self._signed_confidences(confidences.data, confidences.indices)
        return confidences

    def _signed_confidences(self, weights: FloatArray, items: NDArray[Any]) -> FloatArray:
        """Return the signed confidences (n,) of weights other than 0 at items (n,)."""
        strength = np.log1p(np.abs(weights)) * self._item_damping[items]
        return np.asarray(np.sign(weights) * (1.0 + self.settings.alpha * strength), dtype=np.float32)

    def _fold_in(self, confidences: csr_matrix) -> FloatArray:
        nothing = np.zeros((confidences.shape[0], self._item_factors.shape[1]), dtype=np.float32)
        return solve_rows(confidences, self._item_factors, self._gram, self._penalty, nothing, self._root)

    def _scores(self, user_rows: IntArray) -> FloatArray:
        return self._user_factors[user_rows] @ self._item_factors.T + self._item_bias

    def _fold_in_scores(self, matrix: csr_matrix) -> FloatArray:
        return self._fold_in(self._confidences(matrix)) @ self._item_factors.T + self._item_bias

    def _similarities(self, item_row: int) -> FloatArray:
        norms = np.linalg.norm(self._item_factors, axis=1, keepdims=True)
        directions = self._item_factors / np.maximum(norms, np.finfo(np.float32).tiny)
        return np.asarray(directions @ directions[item_row])

    def _contributions(self, events: csr_matrix, item_row: int) -> FloatArray:
        """Apply Hu, eq. 7: the product of each event's item with (Y'CY + λI)^-1 y_item, times its preference.

        Dislikes add nothing themselves, but change the contributions of the likes.
        """
        counts = events.data != 0
        items = events.indices[counts]
        signed, own = self._signed_confidences(events.data[counts], items), self._item_factors[items]
        # Y'CY = Y'Y + Y'(C - I)Y, whose second part needs only the items of the events.
        system = self._gram + (own.T * (np.abs(signed) - 1.0)) @ own
        system[np.diag_indices(len(system))] += self._penalty
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        similarity = own @ cho_solve(factor, self._item_factors[item_row], check_finite=False)
        contributions = np.zeros(events.nnz, dtype=np.float32)
        contributions[counts] = similarity * np.maximum(signed, 0.0)
        return contributions

    def _partial_fit(
        self,
        matrix: csr_matrix,
        before: csr_matrix,
        item_vectors: FloatArray | None,  # noqa: ARG002
    ) -> None:
        self._update_weights(matrix)
        confidences = self._confidences(matrix)
        # Columns with new events are those whose sums differ.
        changed = np.unique((matrix - resize(before, matrix.shape)).nonzero()[1])
        prior = self._prior(matrix.shape[1])
        items = np.concatenate([self._item_factors, prior[len(self._item_factors) :]])
        with threadpool_limits(1, "blas"):
            self._set_item_factors(items)
            users = self._fold_in(confidences)
            by_item = csr_matrix(confidences.T)[changed]
            items[changed] = solve_rows(by_item, users, users.T @ users, self._penalty, prior[changed])
            self._set_item_factors(items)
            self._user_factors = self._fold_in(confidences)

    def _add_items(self, matrix: csr_matrix, item_vectors: FloatArray) -> None:  # noqa: ARG002
        self._update_weights(matrix)
        prior = self._prior(matrix.shape[1])
        self._set_item_factors(np.concatenate([self._item_factors, prior[len(self._item_factors) :]]))

    def _keep_users(self, which: BoolArray) -> None:
        super()._keep_users(which)
        self._user_factors = self._user_factors[which]

    def _replace_users(self, events: csr_matrix, fitted: IntArray) -> None:
        factors = np.zeros((events.shape[0], self._user_factors.shape[1]), dtype=np.float32)
        factors[fitted] = self._user_factors
        # Only users with other events are folded in: a sum in a larger batch may round differently.
        changed = np.unique((events - place_rows(self.history, fitted, events.shape[0])).nonzero()[0])
        factors[changed] = self._fold_in(self._confidences(events[changed]))
        super()._replace_users(events, fitted)
        self._user_factors = factors

    def describe_items(self, rows: IntArray, item_vectors: FloatArray) -> Self:  # noqa: ARG002
        """Replace the style vectors (n, D) of the known items `rows` (n,).

        Cold items get the factors that these vectors predict. Factors learned from events stay, and models without
        style stay the same.
        """
        return self

    def _prior(self, items: int) -> FloatArray:
        """Return the prior mean of the item factors, (items, F)."""
        return np.zeros((items, self.settings.factors), dtype=np.float32)

    def _arrays(self) -> Arrays:
        return {
            "user_factors": self._user_factors,
            "item_factors": self._item_factors,
            "item_bias": self._item_bias,
            "item_damping": self._item_damping,
        }

    def _array_specs(self) -> dict[str, Expected]:
        (users, items), width = self.shape, self.settings.factors
        return {
            "user_factors": Expected((users, width)),
            "item_factors": Expected((items, width)),
            "item_bias": Expected((items,), low=0.0),
            "item_damping": Expected((items,), low=0.0),
        }

    def _settings(self) -> dict[str, Any]:
        return {"als": self.settings.model_dump(), "seed": self.seed, "penalty": self._penalty}

    @classmethod
    def _from_saved(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        model = cls(AlsSettings.model_validate(settings["als"]), seed=settings["seed"])
        model._restore(settings, arrays)
        return model

    def _restore(self, settings: dict[str, Any], arrays: Arrays) -> None:
        self._user_factors = arrays["user_factors"]
        self._item_bias = arrays["item_bias"]
        self._item_damping = arrays["item_damping"]
        self._penalty = parse_penalty(settings["penalty"])
        self._set_item_factors(arrays["item_factors"])


def _item_damping(matrix: csr_matrix, power: float) -> FloatArray:
    """Return (n / n_i)^power for each item: 1 for an item as frequent as the item of the average event."""
    events = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float32)
    average = float(np.square(events).sum()) / max(float(events.sum()), 1.0)
    return np.asarray((average / np.maximum(events, 1.0)) ** power, dtype=np.float32)


def _noise_level(confidences: csr_matrix) -> float:
    """Estimate the largest singular value of a matrix with these confidences but without structure.

    For independent entries it is about rms(c) (sqrt(events per user) + sqrt(events per item)) (Latala 2005).
    With λ on both sides ALS shrinks singular values by λ, like soft-impute (Mazumder, Hastie and Tibshirani
    2010), so a fixed share of this edge is about the same smoothing on every data set.
    """
    users = np.count_nonzero(np.diff(confidences.indptr))
    items = len(np.unique(confidences.indices))
    degrees = np.sqrt(confidences.nnz / users) + np.sqrt(confidences.nnz / items)
    return float(np.sqrt(np.mean(np.square(confidences.data))) * degrees)
