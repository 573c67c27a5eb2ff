"""Values in a TOML file are changed where they stand, or not at all."""

from __future__ import annotations

import tomllib

import pytest

from recsys.errors import ConfigError
from recsys.storage.toml_edit import toml_lines, with_values


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
    assert with_values(before, "als", {"alpha": 2.5}) == after


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
    assert with_values(before, "", {"alpha": 2.5}) == after


def test_lists_are_values() -> None:
    assert with_values("[n]\ns = [[0, 9]] # x\n", "n", {"s": [[0, 9], [20, 29]]}) == "[n]\ns = [[0, 9], [20, 29]] # x\n"


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
        with_values(text, "als", {"alpha": 2.5})


def test_lines_are_toml() -> None:
    values = {"factors": 64, "alpha": 1e-05, "kind": 'a "b"'}
    assert tomllib.loads("\n".join(toml_lines("als", values))) == {"als": values}
