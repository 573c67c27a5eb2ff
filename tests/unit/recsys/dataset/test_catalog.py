from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.catalog import Catalog
from recsys.schema import ItemId


@pytest.fixture
def catalog() -> Catalog:
    return Catalog.from_frame(
        pd.DataFrame(
            {
                "item_id": ["c", "a", "b", "d"],
                "title": ["C", "A", "B", ""],
                "category": ["Comedy|War", "Comedy", "Dramatic Comedy", ""],
                "price": [3.0, 1.0, np.nan, 2.5],
                "available": [True, False, True, True],
                "image": ["c.png", "", "", ""],
                "year": [3, 1, 2, 4],
            }
        )
    )


def test_arrays_share_the_rows_of_the_ids(catalog: Catalog) -> None:
    assert catalog.ids.ids([0, 1, 2, 3]) == ["a", "b", "c", "d"]
    row = catalog.ids.row(ItemId("c"))
    assert catalog.titles[row] == "C"
    assert catalog.category_names[catalog.category_codes[row]] == "Comedy|War"
    assert catalog.images[row] == "c.png"
    assert catalog.attributes["year"].tolist() == [1, 2, 3, 4]
    assert catalog.prices.dtype == np.float32
    assert len(catalog) == 4


def test_masks(catalog: Catalog) -> None:
    assert catalog.mask().tolist() == [True] * 4
    assert catalog.mask(available_only=True).tolist() == [False, True, True, True]
    assert catalog.mask(min_price=1.0, max_price=2.5).tolist() == [True, False, False, True]
    assert catalog.mask(categories=["Comedy"]).tolist() == [True, False, True, False]
    assert catalog.mask(categories=["Comedy|War", ""]).tolist() == [False, False, True, True]
    assert catalog.mask(categories=[]).tolist() == [False] * 4
    assert catalog.mask(categories=["Comedy"], available_only=True).tolist() == [False, False, True, False]


def test_prices_that_float32_rounds_still_meet_their_own_bound(catalog: Catalog) -> None:
    priced = dataclasses.replace(catalog, prices=np.float32([0.1, 0.7, 19.99, 3.3]))
    for bound, row in ((0.1, 0), (0.7, 1), (19.99, 2), (3.3, 3)):
        assert priced.mask(min_price=bound, max_price=bound)[row]


def test_an_unknown_category_matches_nothing(catalog: Catalog) -> None:
    assert not catalog.mask(categories=["Comed"]).any()


def test_nothing_can_be_changed(catalog: Catalog) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        catalog.prices = catalog.prices  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        catalog.prices[0] = 1.0
    catalog.mask(available_only=True)[:] = False
    assert catalog.available.sum() == 3
