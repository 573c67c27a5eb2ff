"""Many small weighted least squares problems at once: one half of an ALS iteration, solved exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from recsys.schema import FloatArray, IntArray

CHUNK_NUMBERS = 4_000_000
"""Numbers gathered at a time: 16 MB."""


def solve_rows(
    confidences: csr_matrix, factors: FloatArray, gram: FloatArray, penalty: float, prior: FloatArray
) -> FloatArray:
    """The factors x_q of each row that minimise, over all columns n that `gram` counts,

        sum_n c_qn (p_qn - x_q . y_n)^2 + penalty |x_q - m_q|^2

    confidences: (Q, N) signed |c| >= 1, stored where not 1; preference p is 1 where positive and 0 elsewhere.
    factors: (N, F), the y_n. gram: (F, F), sum of y_n y_n' over the columns that everybody was offered.
    prior: (Q, F), the m_q. Returns (Q, F) float32; a row without entries gets what all-zero preferences give.

    This is Hu, Koren and Volinsky (2008), eq. 4, with its penalty centred on m_q instead of 0. With A = gram +
    penalty I, V the n touched rows, D = diag(|c| - 1) and t = c p, the solution is, by the Woodbury identity,

        x = x0 + A^-1 V' (I + D V A^-1 V')^-1 (t - D V x0)    with x0 = penalty A^-1 m

    which needs an n x n system where eq. 4 has F x F: most people have touched fewer than F items. Rows with more
    entries take eq. 4 as it stands.
    """
    size = factors.shape[1]
    base = (gram + penalty * np.eye(size, dtype=np.float32)).astype(np.float32)
    factor = cho_factor(base, lower=True, check_finite=False)
    solved = cho_solve(factor, factors.T, check_finite=False).T.astype(np.float32)  # (N, F): y_n A^-1
    target = penalty * prior
    found = cho_solve(factor, target.T, check_finite=False).T.astype(np.float32)  # (Q, F): x0
    lengths = np.diff(confidences.indptr)
    for rows, entries in _equal_lengths(confidences, size):
        columns, signed = confidences.indices[entries], confidences.data[entries]  # (R, n)
        touched, through = factors[columns], solved[columns]  # (R, n, F)
        excess = np.abs(signed) - 1.0
        system = excess[:, :, None] * (touched @ through.transpose(0, 2, 1))  # (R, n, n)
        system += np.eye(columns.shape[1], dtype=np.float32)
        rest = np.maximum(signed, 0.0) - excess * (touched @ found[rows, :, None])[:, :, 0]
        found[rows] += (np.linalg.solve(system, rest[:, :, None]).transpose(0, 2, 1) @ through)[:, 0]
    for row in np.flatnonzero(lengths > size):
        places = slice(confidences.indptr[row], confidences.indptr[row + 1])
        touched, signed = factors[confidences.indices[places]], confidences.data[places]
        system = base + (touched.T * (np.abs(signed) - 1.0)) @ touched
        wanted = touched.T @ np.maximum(signed, 0.0) + target[row]
        found[row] = cho_solve(cho_factor(system, lower=True, check_finite=False), wanted, check_finite=False)
    return found


def _equal_lengths(matrix: csr_matrix, longest: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Rows with the same number of entries n in 1..longest, and where these are: (R,) and (R, n), in chunks."""
    lengths = np.diff(matrix.indptr)
    for length in np.unique(lengths[(lengths > 0) & (lengths <= longest)]):
        rows = np.flatnonzero(lengths == length)
        step = max(1, CHUNK_NUMBERS // int(length * longest))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            yield part, matrix.indptr[part].astype(np.int64)[:, None] + np.arange(length)
