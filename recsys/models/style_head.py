"""Style head: factors as ALS learns them, predicted from the photo only."""

from __future__ import annotations

from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.models.features import append_vectors, style_features
from recsys.models.style_factors import StyleFactorsModel, interacted_items, ridge
from recsys.schema import FloatArray


class StyleHeadModel(StyleFactorsModel):
    """Score = x_u . B z_i + b_i: VBPR without the item's own factors, to measure how well a photo ranks by itself.

    B is the ridge regression of plain ALS's item factors on the style vectors, and users are then solved for with
    the item factors B z_i (Hu, Koren and Volinsky 2008, eq. 4). The model is that of VBPR's visual part (He and
    McAuley, AAAI 2016; DeepStyle, Liu et al., SIGIR 2017, takes the category out of z first, as `StyleSpace`
    does); the fit is not theirs. Minibatch SGD on the BPR loss ranked new items worse on every set tried, is not
    deterministic in the order of events, and cannot fold a user in without more SGD.

    `partial_fit` adds new items exactly, and solves for all users; B stays the same until the next `fit`.
    """

    name = "style_head"
    usual_ridge = 1.0

    def _fit(self, matrix: csr_matrix) -> None:
        self._check_items(matrix)
        self._offered = interacted_items(matrix)
        super()._fit(matrix)
        features = style_features(self.item_vectors)
        with threadpool_limits(1, "blas"):
            self._map = ridge(features[self._offered], self._item_factors[self._offered], self.style_ridge)
            self._solve_users(matrix)

    def _solve_users(self, matrix: csr_matrix) -> None:
        self._set_item_factors(style_features(self.item_vectors) @ self._map)
        self._user_factors = self._fold_in(self._confidences(matrix))

    def _partial_fit(
        self,
        matrix: csr_matrix,
        before: csr_matrix,  # noqa: ARG002
        item_vectors: FloatArray | None,
    ) -> None:
        self.item_vectors = append_vectors(self.item_vectors, item_vectors, matrix.shape[1])
        self._update_weights(matrix)
        self._offered = interacted_items(matrix)
        with threadpool_limits(1, "blas"):
            self._solve_users(matrix)
