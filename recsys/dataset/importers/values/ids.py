"""Ids, kept exactly as text, in one Unicode form, and never from a float that lost digits."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.values.arrow import as_bools
from recsys.schema import BoolArray

_EXAMPLES = 3
# Not the joiner of emoji (U+200D), which is part of what one sees.
_INVISIBLE = "[\u00ad\u200b\u200e\u200f\u2060\ufeff]"
_MISSING = ("nan", "NaN", "NaT", "None", "null", "NULL", "<NA>", "undefined", "(not set)")


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

    A column of whole numbers of which some end in `.0` was a column of floats before, as pandas makes of numbers with
    gaps; the ending is removed. Signs without a width are removed, too: nobody sees that they tell ids apart.

    Args:
        column: text `(N,)`.
        from_floats: the values were floats in the file.
        where: name of the column, for notes.
    """
    ids = pc.utf8_normalize(column, form="NFC")
    notes: tuple[str, ...] = ()
    hidden = pc.match_substring_regex(ids, _INVISIBLE)
    if pc.any(hidden).as_py():
        ids = pc.utf8_trim_whitespace(pc.replace_substring_regex(ids, _INVISIBLE, ""))
        notes += (f"{where}: signs without a width are removed from {pc.sum(hidden).as_py():,} ids",)
    missing = pc.is_in(ids, pa.array(_MISSING))
    if pc.any(missing).as_py():
        words = ", ".join(repr(word) for word in pc.unique(pc.filter(ids, missing)).to_pylist())
        notes += (
            f"{where}: {pc.sum(missing).as_py():,} rows have the id {words}, which programs write if an id is missing; "
            "if it is, remove these rows",
        )
    # Excel shows 4006381333931 as 4.00638E+12; floats beyond 2^53 look the same as text.
    bad = as_bools(pc.match_substring_regex(ids, r"^-?\d([.,]\d+)?[eE]\+\d+$"))
    if from_floats:
        bad |= as_bools(pc.match_substring_regex(ids, r"[.eE]"))
        return ParsedIds(ids, bad, notes)
    floats = pc.match_substring_regex(ids, r"^-?\d+\.0$")
    whole_numbers = pc.match_substring_regex(ids, r"^(-?\d+(\.0)?)?$")
    if pc.any(floats).as_py() and pc.all(whole_numbers).as_py():
        whole = pc.replace_substring_regex(ids, r"\.0$", "")
        first = pc.indices_nonzero(floats)[:_EXAMPLES]
        pairs = zip(ids.take(first).to_pylist(), whole.take(first).to_pylist(), strict=True)
        examples = ", ".join(f"{old} -> {new}" for old, new in pairs)
        notes += (f"{where}: ids are whole numbers that were written as floats ({examples})",)
        return ParsedIds(whole, bad, notes)
    return ParsedIds(ids, bad, notes)


def describe_id(value: str) -> str:
    """Return the message about an id that lost digits."""
    return f"{value!r} is a number that lost digits on its way; export the column as text"
