"""RP3beta: random walks of three steps from the user, with a penalty on popular items at the end."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.models.neighbors import NeighborModel
from recsys.models.settings import Rp3BetaSettings
from recsys.schema import IntArray


class Rp3BetaModel(NeighborModel):
    """S_ji = sum_u p(u | j)^alpha p(i | u)^alpha / d_i^beta for the `neighbors` largest of each j, else 0.

    p(u | j) is user u's share of item j's likes and p(i | u) is item i's share of user u's likes, both by signal. d_i
    is the sum of item i's signals. The walk's first step, from the user to their items, is the
    user's signals. Source: Paudel, Christoffel, Newell and Bernstein, "Updatable, accurate, diverse, and scalable
    recommendations for interactive applications" (TiiS 2017), with alpha as in P3alpha (Cooper, Lee, Radzik and
    Siantos, WWW 2014). Departures: the walk is computed, not sampled; S is cut to the largest entries, as is usual
    since Ferrari Dacrema, Cremonesi and Jannach (RecSys 2019); and no item leads back to itself.

    `partial_fit` is exact: it walks again from the items near those of the users with new events.
    """

    name = "rp3beta"
    settings: Rp3BetaSettings
    settings_type = Rp3BetaSettings

    def __init__(self, settings: Rp3BetaSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or Rp3BetaSettings()

    def _factors(self, likes: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
        alpha, beta = self.settings.alpha, self.settings.beta
        degrees = np.bincount(likes.indices, weights=likes.data, minlength=likes.shape[1])
        back = _row_shares(csr_matrix(likes.T), alpha)
        forth = _row_shares(likes, alpha)
        forth.data = (forth.data / degrees[forth.indices] ** beta).astype(np.float32)
        return back, forth

    def _changed_items(self, likes: csr_matrix, before: csr_matrix) -> IntArray:
        # A new like changes the shares of all likes of its user.
        users = np.unique((likes - before).nonzero()[0])
        return np.union1d(likes[users].indices, before[users].indices)


def _row_shares(matrix: csr_matrix, power: float) -> csr_matrix:
    """Return each positive entry as a share of its row, to a power."""
    owners = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    totals = np.bincount(owners, weights=matrix.data, minlength=matrix.shape[0])
    shares = (matrix.data / totals[owners]) ** power
    return csr_matrix((shares.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
