"""Cursors come back as they went, and nothing else does."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.api.cursors import MAX_ROWS, Cursor, Cursors
from recsys.api.problems.answers import ProblemError

CURSORS = Cursors(b"a key for cursors")
ROWS = st.sets(st.integers(0, 2**32 - 1), max_size=60)
WORDS = st.text(max_size=20)


def refused(token: str, *, asker: str = "u1", query: str = "q", model_version: str = "v1") -> str:
    with pytest.raises(ProblemError) as error:
        CURSORS.decode(token, asker=asker, query=query, model_version=model_version)
    return error.value.kind.slug


@given(rows=ROWS, asker=WORDS, query=WORDS, version=st.text(max_size=16))
def test_what_was_put_in_comes_out(rows: set[int], asker: str, query: str, version: str) -> None:
    cursor = Cursor.from_rows(version, rows)
    token = CURSORS.encode(cursor, asker=asker, query=query)
    assert CURSORS.decode(token, asker=asker, query=query, model_version=version) == cursor
    assert cursor.rows == tuple(sorted(rows))


@settings(max_examples=300)
@given(rows=ROWS, data=st.data())
def test_any_flipped_bit_is_refused(rows: set[int], data: st.DataObject) -> None:
    token = CURSORS.encode(Cursor.from_rows("v1", rows), asker="u1", query="q").encode()
    place = data.draw(st.integers(0, 8 * len(token) - 1))
    changed = bytearray(token)
    changed[place // 8] ^= 1 << place % 8
    assert refused(changed.decode("latin-1")) == "bad-cursor"


@given(rows=ROWS, data=st.data())
def test_any_flipped_bit_inside_is_refused(rows: set[int], data: st.DataObject) -> None:
    token = CURSORS.encode(Cursor.from_rows("v1", rows), asker="u1", query="q")
    sealed = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    place = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[place // 8] ^= 1 << place % 8
    assert refused(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()) == "bad-cursor"


@pytest.mark.parametrize("token", ["", "x", "====", "ü", "a" * 5000, "\ud800", "AAAA" * 12])
def test_what_is_no_cursor_is_refused(token: str) -> None:
    assert refused(token) == "bad-cursor"


def test_a_cursor_is_for_one_person_one_query_and_one_model() -> None:
    token = CURSORS.encode(Cursor.from_rows("v1", [3, 1, 2]), asker="u1", query="q")
    assert refused(token, asker="u2") == "bad-cursor"
    assert refused(token, query="other") == "bad-cursor"
    assert refused(token, model_version="v2") == "stale-cursor"
    # What does not belong to the caller is not said to be stale.
    assert refused(token, asker="u2", model_version="v2") == "bad-cursor"
    with pytest.raises(ProblemError):
        Cursors(b"another key").decode(token, asker="u1", query="q", model_version="v1")


def test_a_thousand_rows_of_a_large_catalog_are_short_enough_for_an_address() -> None:
    rows = [50 * number + number % 7 for number in range(MAX_ROWS)]
    assert len(CURSORS.encode(Cursor.from_rows("4f1c9a0b7d3e2a51", rows), asker="u1", query="q")) < 1500
    with pytest.raises(ValueError, match="at most 1000"):
        Cursor.from_rows("v1", range(MAX_ROWS + 1))
    for row in (-1, 2**32):
        with pytest.raises(ValueError, match="from 0 to"):
            Cursor.from_rows("v1", [row])


def test_nothing_of_the_person_is_in_a_token() -> None:
    token = CURSORS.encode(Cursor.from_rows("v1", []), asker="jane.doe@example.org", query="category=lamp")
    sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"jane" not in sealed
    assert b"lamp" not in sealed
