from __future__ import annotations

from pathlib import Path

import pytest

from recsys.dataset.importers.columns import INTERACTION_FIELDS, ITEM_FIELDS, USER_FIELDS, match_columns
from recsys.errors import DataError
from recsys.schema import ITEM_COLUMNS

FILE = Path("items.csv")


def items(*header: str, **renames: str) -> tuple[dict[str, str], dict[str, str]]:
    names = match_columns(FILE, header, ITEM_FIELDS, renames)
    return names.fields, names.others


def test_every_field_of_the_schema_has_a_place() -> None:
    assert tuple(ITEM_FIELDS) == ITEM_COLUMNS


@pytest.mark.parametrize("known", [ITEM_FIELDS, INTERACTION_FIELDS, USER_FIELDS])
def test_no_alias_stands_for_two_fields(known: dict[str, tuple[str, ...]]) -> None:
    aliases = [alias for names in known.values() for alias in names] + list(known)
    assert len(aliases) == len(set(aliases))


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("item_id", "item_id"), ("Item ID", "item_id"), ("itemId", "item_id"), ("ITEM-ID", "item_id"),
        ("movie_title", "title"), ("genres", "category"), ("Image Path", "image"), ("inStock", "available"),
    ],
)  # fmt: skip
def test_names_and_aliases_in_any_spelling(column: str, field: str) -> None:
    assert items(column) == ({field: column}, {})


def test_our_name_wins_over_an_alias_which_becomes_an_attribute() -> None:
    assert items("item_id", "category", "article", "color") == (
        {"item_id": "item_id", "category": "category"},
        {"article": "article", "color": "color"},
    )


def test_a_rename_wins_over_everything() -> None:
    fields, others = items("id", "article", "category", article="category", category="department")
    assert fields == {"item_id": "id", "category": "article"}
    assert others == {"department": "category"}
    assert items("id", "name", "product_name", name="title") == (
        {"item_id": "id", "title": "name"},
        {"product_name": "product_name"},
    )


@pytest.mark.parametrize(
    ("header", "renames", "both"),
    [
        (("id", "name", "product_name"), {}, "'name' and 'product_name' would be 'title'"),
        (("id", "Title", "title"), {}, "'Title' and 'title' would be 'title'"),
        (("id", "article", "category"), {"article": "category"}, "'article' and 'category' would be 'category'"),
        (("id", "a", "b"), {"a": "price", "b": "price"}, "'a' and 'b' would be 'price'"),
        (("id", "a", "color"), {"a": "color"}, "'a' and 'color' would be 'color'"),
    ],
)
def test_an_ambiguity_names_both_columns(header: tuple[str, ...], renames: dict[str, str], both: str) -> None:
    with pytest.raises(DataError, match=f"items.csv: both {both}"):
        items(*header, **renames)
