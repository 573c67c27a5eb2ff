from __future__ import annotations

import numpy as np
import pytest

from recsys.dataset.categories import category_groups, in_category


def test_a_category_of_several_parts_is_shared() -> None:
    np.testing.assert_allclose(
        category_groups(["Drama", "Comedy|Drama", "", "Action"]), [[0, 0, 1], [0, 0.5, 0.5], [0, 0, 0], [1, 0, 0]]
    )


def test_without_categories_there_are_no_groups() -> None:
    assert category_groups(["", ""]).shape == (2, 0)


@pytest.mark.parametrize(
    ("category", "names", "others"),
    [
        ("Clothing > Hats", ("Clothing", "Hats", "Clothing > Hats", "Clothing/Hats"), ("Hat", "Hats > Clothing", "")),
        ("Men/Tops/Shirts", ("Men", "Tops", "Shirts", "Tops > Shirts", "Men/Tops"), ("Men/Shirts", "Top")),
        ("Clothing, Clothing > Shirts", ("Clothing", "Shirts", "Clothing, Clothing > Shirts"), ("Cloth",)),
        ("Tables, lamps", ("Tables, lamps", "Tables", "lamps"), ("Tables > lamps",)),
        ("Food, Drinks & Tobacco > Drinks", ("Food, Drinks & Tobacco", "Drinks"), ("Tobacco",)),
        ("electronics.phone.case", ("electronics", "phone.case", "electronics > phone"), ("case.phone",)),
        ("Comedy|Drama", ("Comedy", "Drama", "Comedy|Drama"), ("Comedy > Drama", "Com")),
        ("Men » Shoes;Sale", ("Men", "Shoes", "Sale", "Men > Shoes"), ("Shoes > Sale",)),
        ("", ("",), ("Men",)),
    ],
)
def test_any_level_of_a_path_is_a_category(category: str, names: tuple[str, ...], others: tuple[str, ...]) -> None:
    assert [name for name in names if not in_category(category, name)] == []
    assert [name for name in others if in_category(category, name)] == []
