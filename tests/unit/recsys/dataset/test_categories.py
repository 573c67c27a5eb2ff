from __future__ import annotations

import numpy as np

from recsys.dataset.categories import category_groups


def test_a_category_of_several_parts_is_shared() -> None:
    np.testing.assert_allclose(
        category_groups(["Drama", "Comedy|Drama", "", "Action"]), [[0, 0, 1], [0, 0.5, 0.5], [0, 0, 0], [1, 0, 0]]
    )


def test_without_categories_there_are_no_groups() -> None:
    assert category_groups(["", ""]).shape == (2, 0)
