"""Events that look like a shop's: several tastes, likes of different strength, some dislikes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.schema import FloatArray

USERS, ITEMS = 150, 60


@pytest.fixture(scope="session")
def tastes() -> FloatArray:
    """(ITEMS, 5) what the items are like."""
    return np.random.default_rng(5).standard_normal((ITEMS, 5)).astype(np.float32)


@pytest.fixture(scope="session")
def events(tastes: FloatArray) -> csr_matrix:
    """(USERS, ITEMS): each likes about eight items near their taste and dislikes one or two far from it."""
    random = np.random.default_rng(6)
    wanted = random.standard_normal((USERS, 5)) @ tastes.T + random.standard_normal((USERS, ITEMS))
    dense = np.where(wanted > 2.6, random.choice([1.0, 2.0, 5.0, 12.0], size=wanted.shape), 0.0)
    dense[(wanted < -3.5) & (random.random(wanted.shape) < 0.3)] = -5.0
    return csr_matrix(dense.astype(np.float32))
