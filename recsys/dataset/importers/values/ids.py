"""Ids, kept exactly as text, in one Unicode form, and never from a float that lost digits."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.values.arrow import as_bools
from recsys.schema import BoolArray

_EXAMPLES = 3


class ParsedIds(NamedTuple):
    """Ids of a column.

    Attributes:
        values: text `(N,)` in Unicode's composed form (NFC).
        bad: `(N,)` mask of numbers that lost digits.
        notes: sentences about guesses, with examples.
    """

    values: pa.StringArray
    bad: BoolArray
    notes: tuple[str, ...] = ()


def parse_ids(column: pa.StringArray, from_floats: bool = False, where: str = "the column") -> ParsedIds:
    """Bring ids into one form.

    A column in which each id ends in `.0` was a column of floats before, as pandas makes of numbers with gaps; the
    ending is removed.

    Args:
        column: text `(N,)`.
        from_floats: the values were floats in the file.
        where: name of the column, for notes.
    """
    ids = pc.utf8_normalize(column, form="NFC")
    # Excel shows 4006381333931 as 4.00638E+12; floats beyond 2^53 look the same as text.
    bad = as_bools(pc.match_substring_regex(ids, r"^-?\d([.,]\d+)?[eE]\+\d+$"))
    if from_floats:
        bad |= as_bools(pc.match_substring_regex(ids, r"[.eE]"))
        return ParsedIds(ids, bad)
    floats = pc.match_substring_regex(ids, r"^-?\d+\.0$")
    if pc.any(floats).as_py() and pc.all(pc.or_(floats, pc.equal(ids, ""))).as_py():
        whole = pc.replace_substring_regex(ids, r"\.0$", "")
        first = pc.indices_nonzero(floats)[:_EXAMPLES]
        pairs = zip(ids.take(first).to_pylist(), whole.take(first).to_pylist(), strict=True)
        examples = ", ".join(f"{old} -> {new}" for old, new in pairs)
        return ParsedIds(whole, bad, (f"{where}: ids are whole numbers that were written as floats ({examples})",))
    return ParsedIds(ids, bad)


def describe_id(value: str) -> str:
    """Return the message about an id that lost digits."""
    return f"{value!r} is a number that lost digits on its way; export the column as text"
