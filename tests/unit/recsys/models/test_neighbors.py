"""What one person's likes spread to, in a quick way and by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from recsys.models.neighbors import spread


@pytest.mark.parametrize("likes", [0, 1, 7, 60])
def test_one_row_is_to_the_bit_what_scipy_gives(likes: int) -> None:
    random = np.random.default_rng(likes)
    similarity = csr_matrix(random_array((200, 200), density=0.2, rng=random, dtype=np.float32))
    items = np.sort(random.permutation(200)[:likes])
    said = random.normal(size=likes).astype(np.float32)
    row = csr_matrix((said, items, [0, likes]), shape=(1, 200))
    found, expected = spread(row, similarity), (row @ similarity).toarray()
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


def test_several_rows_are_scipys() -> None:
    numbers = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert np.array_equal(spread(csr_matrix(np.eye(3, dtype=np.float32)), csr_matrix(numbers)), numbers)
