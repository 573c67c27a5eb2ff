from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.dataset.identifiers import ItemIdentifiers
from recsys.errors import DataError, UnknownIdError
from recsys.schema import ItemId, ItemRow
from recsys.storage.artifacts import write_json


def test_rows_do_not_depend_on_arrival_order() -> None:
    one, other = (
        ItemIdentifiers.from_values("item", ["b", "a", "b", "10", "9"]),
        ItemIdentifiers.from_values("item", ["9", "10", "a", "b"]),
    )
    assert one == other
    assert one.values.tolist() == ["10", "9", "a", "b"]


def test_ids_and_rows_are_inverse() -> None:
    ids = ItemIdentifiers("item", ["x", "é", "", "007"])
    assert len(ids) == 4
    for row, value in enumerate(["x", "é", "", "007"]):
        assert ids.row(ItemId(value)) == row
        assert ids.id(ItemRow(row)) == value
        assert value in ids
    assert ids.rows(["007", "x"]).tolist() == [3, 0]
    assert ids.ids(np.array([3, 0])) == ["007", "x"]
    assert "7" not in ids


def test_unknown_ids_are_named_or_found_to_be_absent() -> None:
    ids = ItemIdentifiers("item", ["a", "b"])
    with pytest.raises(UnknownIdError, match="unknown item 'z'"):
        ids.row(ItemId("z"))
    with pytest.raises(UnknownIdError, match="unknown item 'y'"):
        ids.rows(["a", "y", "z"])
    assert ids.find(["b", "z"]).tolist() == [1, -1]


@pytest.mark.parametrize("row", [-1, 2])
def test_rows_outside_are_refused_rather_than_wrapped(row: int) -> None:
    ids = ItemIdentifiers("item", ["a", "b"])
    with pytest.raises(IndexError, match=f"item row {row}"):
        ids.id(ItemRow(row))
    with pytest.raises(IndexError, match=f"item row {row}"):
        ids.ids([0, row])


def test_repeats_are_refused() -> None:
    with pytest.raises(DataError, match="'a'"):
        ItemIdentifiers("item", ["a", "b", "a"])


def test_saved_ids_come_back(tmp_path: Path) -> None:
    for values in (["b", "a", "007"], []):
        ids = ItemIdentifiers("item", values)
        ids.save(tmp_path / "ids.parquet")
        assert ItemIdentifiers.load(tmp_path / "ids.parquet") == ids
    write_json(tmp_path / "other.parquet", 1)
    with pytest.raises(DataError, match="other"):
        ItemIdentifiers.load(tmp_path / "other.parquet")


def test_values_are_a_copy() -> None:
    ids = ItemIdentifiers("item", ["a"])
    ids.values[0] = "changed"
    assert ids.id(ItemRow(0)) == "a"


def test_hidden_rows_keep_their_places_but_are_not_found() -> None:
    ids = ItemIdentifiers("item", ["a", "b", "c"])
    fewer = ids.without(np.array([1])).without(np.array([2]))
    assert fewer.find(["a", "b", "c", "d"]).tolist() == [0, -1, -1, -1]
    assert [item in fewer for item in ("a", "b", "c")] == [True, False, False]
    with pytest.raises(UnknownIdError, match="'b'"):
        fewer.row(ItemId("b"))
    assert (len(fewer), fewer.id(ItemRow(1))) == (3, "b")
    assert fewer != ids
    assert ids.find(["b"]).tolist() == [1]
