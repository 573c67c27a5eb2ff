"""Alternating least squares for implicit feedback, through implicit: this module is its only door.

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
from recsys.models.base import Arrays, Model, resized
from recsys.models.least_squares import inverse_root, solve_rows
from recsys.models.popularity import log_popularity, unit_peak
from recsys.models.validation import Expected, checked_penalty
from recsys.rng import derive_seed
from recsys.schema import BoolArray, FloatArray, IntArray

with warnings.catch_warnings():
    # In a notebook, tqdm asks for ipywidgets as soon as implicit imports it, though no bar of implicit's is shown.
    warnings.filterwarnings("ignore", message="IProgress not found")
    from implicit.cpu.als import AlternatingLeastSquares


class AlsModel(Model):
    """Score of user u for item i = x_u . y_i + b_i, with factors that minimize, over all pairs (Hu, eq. 3),

        sum_ui c_ui (p_ui - x_u . y_i)^2 + λ (sum_u |x_u|^2 + sum_i |y_i|^2)

    p_ui is 1 where the weight w_ui is positive and 0 elsewhere, so a dislike is a confident zero. Confidence
    is 1 for a pair nobody touched, else

        c_ui = 1 + alpha * log(1 + |w_ui|) * (n / n_i)^item_damping

    which is Hu, eq. 6 with eps = 1, times a damping of frequent items, whose events say less about the person
    (n_i events of the item; n its mean over events). b_i is log-popularity, scaled to [0, popularity].

    Where this departs from Hu: the damping; the bias, which is added after the fit; and λ, which is
    `regularization` times the noise level (`_noise_level`), so that one setting serves small and large data.

    `partial_fit` solves for the items with new events, new ones included, and then for all users; λ and the other
    items' factors stay as they were until the next `fit`.

    The same matrix, settings and seed give the same factors whatever `threads` is (0: all cores).
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
        """(U, F) float32, exactly what `fold_in` gives for the fitted rows. Raises NotFittedError."""
        return self._fitted(self._user_factors)

    @property
    def item_factors(self) -> FloatArray:
        """(I, F) float32. Raises NotFittedError."""
        return self._fitted(self._item_factors)

    @property
    def item_bias(self) -> FloatArray:
        """(I,) float32 in [0, settings.popularity], the same for every user. Raises NotFittedError."""
        return self._fitted(self._item_bias)

    @classmethod
    def untaught(cls, items: int, settings: AlsSettings | None = None) -> Self:
        """A model of `items` items before the first event: factors and bias are 0, and so is every score."""
        model = cls(settings)
        nobody = csr_matrix(np.empty((0, items), dtype=np.float32))
        model._reweigh(nobody)
        model._penalty = 1.0
        model._set_item_factors(model._prior(items))
        model._viewed = nobody
        return model

    def fold_in(self, matrix: csr_matrix) -> FloatArray:
        """Factors of users given as rows of events, known or new: (Q, I) to (Q, F) float32.

        Solves Hu, eq. 4 exactly for each row; a row without events gets zeros.
        Raises NotFittedError, or DataError if the columns are not the fitted items.
        """
        return self._fold_in(self._confidences(self._checked_events(matrix)))

    def _fitted(self, array: FloatArray) -> FloatArray:
        if self._viewed is None:
            raise NotFittedError(self.name)
        return array

    def _fit(self, matrix: csr_matrix) -> None:
        confidences = self._weighed(matrix)
        # implicit parallelizes over rows itself and warns when BLAS has threads of its own; one BLAS thread
        # also keeps the sums, and so the factors, independent of the machine's number of cores
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
            # implicit stops on an item step: one more user step makes known and folded-in users agree
            self._user_factors = self._fold_in(confidences)

    def _weighed(self, matrix: csr_matrix) -> csr_matrix:
        """Learn what depends on the events' numbers alone: damping, bias and λ; returns the confidences."""
        self._reweigh(matrix)
        confidences = self._confidences(matrix)
        if confidences.nnz == 0:
            raise DataError(f"cannot fit {self.name} without a single event of non-zero weight")
        self._penalty = self.settings.regularization * _noise_level(confidences)
        return confidences

    def _reweigh(self, matrix: csr_matrix) -> None:
        """Bring damping and bias up to date, which follow every event; λ stays between fits."""
        self._item_damping = _item_damping(matrix, self.settings.item_damping)
        self._item_bias = self.settings.popularity * unit_peak(log_popularity(matrix))

    def _set_item_factors(self, item_factors: FloatArray) -> None:
        """Keep the factors (I, F) and what every fold-in shares: Y'Y and its whitening, each (F, F)."""
        self._item_factors = item_factors
        self._gram = item_factors.T @ item_factors
        self._root = inverse_root(self._gram, self._penalty)

    def _confidences(self, matrix: csr_matrix) -> csr_matrix:
        """Signed confidences (Q, I) as implicit takes them: |c|, negative where the preference is 0."""
        confidences = matrix.copy()
        confidences.eliminate_zeros()
        confidences.data = self._signed(confidences.data, confidences.indices)
        return confidences

    def _signed(self, weights: FloatArray, items: NDArray[Any]) -> FloatArray:
        """The signed confidences (n,) of weights other than 0 at items (n,)."""
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
        """Hu, eq. 7: (Y'CY + λI)^-1 y_item, seen from each event. Dislikes only shape what the likes add."""
        counts = events.data != 0
        items = events.indices[counts]
        signed, touched = self._signed(events.data[counts], items), self._item_factors[items]
        system = self._gram + (touched.T * (np.abs(signed) - 1.0)) @ touched
        system[np.diag_indices(len(system))] += self._penalty
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        likeness = touched @ cho_solve(factor, self._item_factors[item_row], check_finite=False)
        contributions = np.zeros(events.nnz, dtype=np.float32)
        contributions[counts] = likeness * np.maximum(signed, 0.0)
        return contributions

    def _partial_fit(
        self,
        matrix: csr_matrix,
        before: csr_matrix,
        item_vectors: FloatArray | None,  # noqa: ARG002
    ) -> None:
        self._reweigh(matrix)
        confidences = self._confidences(matrix)
        changed = np.unique((matrix - resized(before, matrix.shape)).nonzero()[1])
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
        self._reweigh(matrix)
        prior = self._prior(matrix.shape[1])
        self._set_item_factors(np.concatenate([self._item_factors, prior[len(self._item_factors) :]]))

    def _keep_users(self, which: BoolArray) -> None:
        super()._keep_users(which)
        self._user_factors = self._user_factors[which]

    def describe_items(self, rows: IntArray, item_vectors: FloatArray) -> Self:  # noqa: ARG002
        """Take in other style vectors (n, D) of the known items `rows` (n,).

        Items that nobody has touched get the factors that these predict; what was learned from events stays, as it
        does in models without style.
        """
        return self

    def _prior(self, items: int) -> FloatArray:
        """Where the factors of items start from, (items, F)."""
        return np.zeros((items, self.settings.factors), dtype=np.float32)

    def _arrays(self) -> Arrays:
        return {
            "user_factors": self._user_factors,
            "item_factors": self._item_factors,
            "item_bias": self._item_bias,
            "item_damping": self._item_damping,
        }

    def _expected(self) -> dict[str, Expected]:
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
    def _restored(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        model = cls(AlsSettings.model_validate(settings["als"]), seed=settings["seed"])
        model._restore(settings, arrays)
        return model

    def _restore(self, settings: dict[str, Any], arrays: Arrays) -> None:
        self._user_factors = arrays["user_factors"]
        self._item_bias = arrays["item_bias"]
        self._item_damping = arrays["item_damping"]
        self._penalty = checked_penalty(settings["penalty"])
        self._set_item_factors(arrays["item_factors"])


def _item_damping(matrix: csr_matrix, power: float) -> FloatArray:
    """(n / n_i)^power for each item: 1 for an item as frequent as that of the average event."""
    events = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float32)
    average = float(np.square(events).sum()) / max(float(events.sum()), 1.0)
    return np.asarray((average / np.maximum(events, 1.0)) ** power, dtype=np.float32)


def _noise_level(confidences: csr_matrix) -> float:
    """The largest singular value to expect of a structureless matrix with these confidences.

    For independent entries it is about rms(c) (sqrt(events per user) + sqrt(events per item)) (Latala 2005).
    With λ on both sides ALS shrinks singular values by λ, like soft-impute (Mazumder, Hastie and Tibshirani
    2010), so a fixed share of this edge is about the same smoothing on every data set.
    """
    users = np.count_nonzero(np.diff(confidences.indptr))
    items = len(np.unique(confidences.indices))
    degrees = np.sqrt(confidences.nnz / users) + np.sqrt(confidences.nnz / items)
    return float(np.sqrt(np.mean(np.square(confidences.data))) * degrees)
