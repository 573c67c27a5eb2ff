from __future__ import annotations

import numpy as np
import pytest

from recsys.ranking.retrieve import _first


@pytest.mark.parametrize("share", [0.0, 0.002, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("count", [1, 10, 5_000])
def test_the_first_allowed_rows_of_an_order_wherever_they_stand(share: float, count: int) -> None:
    random = np.random.default_rng(count)
    order, allowed = random.permutation(3_000), random.random(3_000) < share
    np.testing.assert_array_equal(_first(order, allowed, count), order[allowed[order]][:count])


def test_allowed_rows_at_the_very_end_are_found() -> None:
    order = np.arange(3_000)
    np.testing.assert_array_equal(_first(order, order >= 2_999, 10), [2_999])
