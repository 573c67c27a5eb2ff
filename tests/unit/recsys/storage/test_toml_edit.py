"""TOML: written data can be read again, and values in a file are changed in place or not at all."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import ConfigError
from recsys.storage.toml_edit import format_toml, format_toml_table, format_toml_tables, set_toml_values


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[als]\nalpha = 1.0\n", "[als]\nalpha = 2.5\n"),
        ("  [ als ] # mine\n  alpha=1 # low\n[x]\nalpha=1\n", "  [ als ] # mine\n  alpha=2.5 # low\n[x]\nalpha=1\n"),
        ("[x]\nalpha = 1\n[als]\n[y]\n", "[x]\nalpha = 1\n[als]\nalpha = 2.5\n[y]\n"),
        ("[als]\r\nb = 1\r\n", "[als]\r\nalpha = 2.5\r\nb = 1\r\n"),
        ("[als]\r\nalpha = 1\r\n", "[als]\r\nalpha = 2.5\r\n"),
        ("", "\n[als]\nalpha = 2.5\n"),
        ("a = 1", "a = 1\n\n[als]\nalpha = 2.5\n"),
        ("# [als]\n# alpha = 1\na = 1\n", "# [als]\n# alpha = 1\na = 1\n\n[als]\nalpha = 2.5\n"),
        ("[als]\n# alpha = 9\nalphabet = 3\n", "[als]\nalpha = 2.5\n# alpha = 9\nalphabet = 3\n"),
        ("[als]\nalpha = 1", "[als]\nalpha = 2.5"),
    ],
)  # fmt: skip
def test_only_that_value_changes(before: str, after: str) -> None:
    assert set_toml_values(before, "als", {"alpha": 2.5}) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("alpha = 1 # low\n\n[x]\nalpha = 1\n", "alpha = 2.5 # low\n\n[x]\nalpha = 1\n"),
        ("# mine\na = 1\n\n[x]\nalpha = 1\n", "# mine\na = 1\nalpha = 2.5\n\n[x]\nalpha = 1\n"),
        ("[x]\n", "alpha = 2.5\n[x]\n"),
        ("", "alpha = 2.5\n"),
    ],
)
def test_what_stands_before_all_tables_is_changed_too(before: str, after: str) -> None:
    assert set_toml_values(before, "", {"alpha": 2.5}) == after


def test_lists_are_values() -> None:
    assert (
        set_toml_values("[n]\ns = [[0, 9]] # x\n", "n", {"s": [[0, 9], [20, 29]]})
        == "[n]\ns = [[0, 9], [20, 29]] # x\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "als = {alpha = 1}\n",
        "als.alpha = 1\n",
        '[als]\n"alpha" = 1\n',
        'note = """\n[als]\nalpha = 1\n"""\n',
        "[[als]]\nalpha = 1\n",
        "[als]\nalpha = [\n1,\n]\n",
        "not toml",
    ],
)
def test_what_cannot_be_changed_alone_is_refused_with_the_lines(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write by hand:\n\[als\]\nalpha = 2.5"):
        set_toml_values(text, "als", {"alpha": 2.5})


def test_lines_are_toml() -> None:
    values = {"factors": 64, "alpha": 1e-05, "kind": 'a "b"'}
    assert tomllib.loads("\n".join(format_toml_table("als", values))) == {"als": values}


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
    assert tomllib.loads(format_toml(values)) == values


@pytest.mark.parametrize("before", ["a = 1\n", "[b]\n"])
def test_entries_can_be_added_to_the_end(before: str) -> None:
    text = before + format_toml_tables("h", [{"x": 1, "y": {"z": 2}}]) + format_toml_tables("h", [{"x": 2}])
    assert tomllib.loads(text)["h"] == [{"x": 1, "y": {"z": 2}}, {"x": 2}]
