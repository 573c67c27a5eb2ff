"""Plain data as TOML: what is written is read again."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.storage.toml_text import toml_tables, toml_text

KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = SCALARS | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x7f"), max_size=8)
VALUES = SCALARS | st.lists(SCALARS, max_size=3)
TABLES = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=3),
    lambda inner: st.dictionaries(KEYS, VALUES | inner | st.lists(inner, min_size=1, max_size=2), max_size=3),
    max_leaves=8,
)


@given(TABLES)
def test_what_is_written_is_read_again(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(values)) == values


@pytest.mark.parametrize("before", ["a = 1\n", "[b]\n"])
def test_entries_can_be_added_to_the_end(before: str) -> None:
    text = before + toml_tables("h", [{"x": 1, "y": {"z": 2}}]) + toml_tables("h", [{"x": 2}])
    assert tomllib.loads(text)["h"] == [{"x": 1, "y": {"z": 2}}, {"x": 2}]
