"""ALS with item factors drawn toward a prediction from the style vector, so that new items have factors."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.models.features import append_vectors, style_features
from recsys.models.least_squares import solve_rows
from recsys.models.style_factors import StyleFactorsModel, interacted_items, ridge
from recsys.rng import generator
from recsys.schema import FloatArray


class StyleAlsModel(StyleFactorsModel):
    """ALS with the prior q_i ~ N(B z_i, I / λ) on item factors, where plain ALS has N(0, I / λ).

    It minimizes, over users u and the items i with at least one event,

        sum_ui c_ui (p_ui - x_u . q_i)^2 + λ (sum_u |x_u|^2 + sum_i |q_i - B z_i|^2 + style_ridge |B|^2)

    by turns, each exactly: users (Hu, Koren and Volinsky 2008, eq. 4), items (eq. 4 centered on B z_i), and B (ridge
    regression of the q_i on the z_i). The style vector gives the prior mean of an item, and each event moves it from
    there: the regression prior of Agarwal and Chen, "Regression-based latent factor models" (KDD 2009), with the
    implicit-feedback loss. A cold item gets q_i = B z_i. Everything else is as in `AlsModel`.

    The fit is in NumPy, because implicit has no prior. The change of variables r_i = q_i - B z_i does not help:
    the targets of the residual, p_ui - x_u . B z_i, are not 0 for the pairs without events.

    `partial_fit` solves for the items with new events, new ones included, and then for all users; B, λ and the other
    items' factors stay as they were until the next `fit`.
    """

    name = "style_als"
    usual_ridge = 10.0

    def _fit(self, matrix: csr_matrix) -> None:
        self._check_items(matrix)
        confidences = self._prepare(matrix)
        self._offered = interacted_items(confidences)
        with threadpool_limits(1, "blas"):
            self._set_item_factors(self._alternate(confidences))
            self._user_factors = self._fold_in(confidences)

    def _alternate(self, confidences: csr_matrix) -> FloatArray:
        """Alternate between users, items and B; set B and return the item factors (I, F)."""
        by_item = csr_matrix(confidences.T)
        features, offered = style_features(self.item_vectors), self._offered
        shape = (confidences.shape[1], self.settings.factors)
        items = 0.01 * generator(self.seed, self.name).standard_normal(shape, dtype=np.float32)
        prior = np.zeros(shape, dtype=np.float32)
        nothing = np.zeros((confidences.shape[0], self.settings.factors), dtype=np.float32)
        for _ in range(self.settings.iterations):
            gram = items[offered].T @ items[offered]
            users = solve_rows(confidences, items, gram, self._penalty, nothing)
            items = solve_rows(by_item, users, users.T @ users, self._penalty, prior)
            self._map = ridge(features[offered], items[offered], self.style_ridge)
            prior = features @ self._map
        return np.where(offered[:, None], items, prior)

    def _partial_fit(self, matrix: csr_matrix, before: csr_matrix, item_vectors: FloatArray | None) -> None:
        self.item_vectors = append_vectors(self.item_vectors, item_vectors, matrix.shape[1])
        self._offered = interacted_items(matrix)
        super()._partial_fit(matrix, before, item_vectors)
