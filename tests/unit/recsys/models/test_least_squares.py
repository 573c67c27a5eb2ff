from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from recsys.models.least_squares import solve_rows


@pytest.mark.parametrize("size", [3, 12, 40])
@pytest.mark.parametrize("chunk", [10, 4_000_000])
def test_rows_are_the_dense_solutions(size: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows shorter and longer than the factors, an empty one, dislikes, a prior, and columns not on offer."""
    monkeypatch.setattr("recsys.models.least_squares.CHUNK_NUMBERS", chunk)
    random = np.random.default_rng(size)
    matrix = csr_matrix(random_array((50, 30), density=0.3, rng=random), dtype=np.float32)
    matrix.data = (random.choice([-1.0, 1.0], matrix.nnz) * (1.0 + 9.0 * random.random(matrix.nnz))).astype(np.float32)
    matrix.data[matrix.indptr[4] : matrix.indptr[5]] = 0.0
    matrix.eliminate_zeros()
    factors = random.standard_normal((30, size)).astype(np.float32)
    prior = random.standard_normal((50, size)).astype(np.float32)
    offered = np.arange(30) < 28
    gram = factors[offered].T @ factors[offered]
    found = solve_rows(matrix, factors, gram, 2.5, prior)
    for row, signed in enumerate(matrix.toarray()):
        excess = np.where(signed != 0, np.abs(signed) - 1.0, 0.0)
        system = gram + 2.5 * np.eye(size) + (factors.T * excess) @ factors
        expected = np.linalg.solve(system, factors.T @ np.maximum(signed, 0.0) + 2.5 * prior[row])
        np.testing.assert_allclose(found[row], expected, atol=3e-4)
