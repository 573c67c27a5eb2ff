"""Exact solution of many small weighted least squares problems at once: one half of an ALS iteration."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.sparse import csr_matrix

from recsys.schema import FloatArray, IntArray

CHUNK_NUMBERS = 4_000_000
"""Numbers gathered at a time: 16 MB."""


def solve_rows(
    confidences: csr_matrix,
    factors: FloatArray,
    gram: FloatArray,
    penalty: float,
    prior: FloatArray,
    root: FloatArray | None = None,
) -> FloatArray:
    """Solve for the factors of each row, exactly.

    The factors x_q minimize, over all columns n that `gram` counts,

        sum_n c_qn (p_qn - x_q . y_n)^2 + penalty |x_q - m_q|^2

    confidences: (Q, N) signed |c| >= 1, stored where not 1; preference p is 1 where positive and 0 elsewhere.
    factors: (N, F), the y_n. gram: (F, F), sum of y_n y_n' over the columns that everybody was offered.
    prior: (Q, F), the m_q. root: `inverse_root` of gram and penalty, where it is known already.

    Returns (Q, F) float32; a row without entries gets what all-zero preferences give.

    This is Hu, Koren and Volinsky (2008), eq. 4, with its penalty centered on m_q instead of 0. With gram + penalty I
    = L L', factors are whitened, w_n = L^-1 y_n, so that the part that all rows share becomes I; u = L' x is found and
    taken back. With W the n touched rows, D = diag(|c| - 1) and t = c p, the solution is, by the Woodbury identity,

        u = u0 + W' (I + D W W')^-1 (t - D W u0)    with u0 = penalty L^-1 m

    which needs an n x n system where eq. 4, (I + W' D W) u = W' t + u0, has F x F: most people have touched fewer
    than F items. Rows with more entries take eq. 4.
    """
    size = factors.shape[1]
    inverse = inverse_root(gram, penalty) if root is None else root
    indices, touched_factors = _needed_factors(confidences.indices.astype(np.int64, copy=False), factors)
    whitened = touched_factors @ inverse.T
    found = penalty * (prior @ inverse.T)  # (Q, F): u0
    for rows, entries in _equal_lengths(confidences, size):
        touched, signed = whitened[indices[entries]], confidences.data[entries]  # (R, n, F), (R, n)
        excess = np.abs(signed) - 1.0
        system = excess[:, :, None] * (touched @ touched.transpose(0, 2, 1))  # (R, n, n)
        system += np.eye(entries.shape[1], dtype=np.float32)
        rest = np.maximum(signed, 0.0) - excess * (touched @ found[rows, :, None])[:, :, 0]
        found[rows] += (np.linalg.solve(system, rest[:, :, None]).transpose(0, 2, 1) @ touched)[:, 0]
    for row in np.flatnonzero(np.diff(confidences.indptr) > size):
        places = slice(confidences.indptr[row], confidences.indptr[row + 1])
        touched, signed = whitened[indices[places]], confidences.data[places]
        system = (touched.T * (np.abs(signed) - 1.0)) @ touched + np.eye(size, dtype=np.float32)
        wanted = touched.T @ np.maximum(signed, 0.0) + found[row]
        found[row] = cho_solve(cho_factor(system, lower=True, check_finite=False), wanted, check_finite=False)
    return np.asarray(found @ inverse, dtype=np.float32)


def inverse_root(gram: FloatArray, penalty: float) -> FloatArray:
    """Return L^-1 (F, F) float32, where L L' = gram + penalty I; computed in float64."""
    identity = np.eye(len(gram))
    root = np.linalg.cholesky(gram.astype(np.float64) + penalty * identity)
    return solve_triangular(root, identity, lower=True, check_finite=False).astype(np.float32)


def _needed_factors(indices: IntArray, factors: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the position of each entry's factors (n,), and only the factors (M, F) that entries need.

    Without this, the events of one user would cost a pass over the catalog.
    """
    if len(indices) >= len(factors):
        return indices, factors
    rows, places = np.unique(indices, return_inverse=True)
    return places, factors[rows]


def _equal_lengths(matrix: csr_matrix, longest: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield rows (R,) with the same number of entries n in 1..longest, and the positions (R, n) of these, in chunks."""
    lengths = np.diff(matrix.indptr)
    for length in np.unique(lengths[(lengths > 0) & (lengths <= longest)]):
        rows = np.flatnonzero(lengths == length)
        step = max(1, CHUNK_NUMBERS // int(length * longest))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            yield part, matrix.indptr[part].astype(np.int64)[:, None] + np.arange(length)
