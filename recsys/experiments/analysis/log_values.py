"""Values of logs, converted to the types of the schema; text is read by the parsers of imports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.event_words import find_event
from recsys.dataset.importers.table import Customs
from recsys.dataset.importers.values import describe_number, describe_time, parse_list, parse_numbers, parse_times
from recsys.dataset.importers.values.times import EARLIEST
from recsys.schema import BoolArray, EventKind, Undo

_LAST_SECONDS = 10**11
_WHOLE = r"^[+-]?\d{1,18}$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_UNCLEAR = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
"""Numbers that are 1000 times as large where the point parts thousands."""
_SEPARATORS = ("|", ";", ",")
_BARE_LIST = re.compile(r"\[([^\[\]'\"]*)\]")
_BETWEEN_QUOTES = re.compile(r"""(['"])\s+(?=['"])""")


class Kind(StrEnum):
    """Type of a column's values."""

    TEXT = "text"
    WHOLE = "a whole number"
    NUMBER = "a finite number"
    TRUTH = "true or false"
    TIME = "a time"
    EVENT = "a kind of event"
    TEXTS = 'a list of texts, as ["a", "b"] or a|b'


TYPES = {
    Kind.TEXT: pa.string(),
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.TRUTH: pa.bool_(),
    Kind.TIME: pa.int64(),
    Kind.EVENT: pa.string(),
    Kind.TEXTS: pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Converted:
    """Converted values, null if missing or wrong. `wrong`: mask of the wrong ones; `notes`: guesses, with examples."""

    values: pa.Array
    wrong: BoolArray
    notes: tuple[str, ...] = ()


def convert(kind: Kind, raw: pa.Array, where: str, customs: Customs) -> Converted:
    """Convert a column to its type; `where` names it in messages, `customs` are ways of writing that are known.

    Raises:
        pa.ArrowException, TypeError: if the column's type cannot hold such values.
        DataError: if the column can be read in two ways.
    """
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    if pa.types.is_null(raw.type):
        return Converted(pa.nulls(len(raw), TYPES[kind]), np.zeros(len(raw), dtype=np.bool_))
    values, notes = _CONVERT[kind](raw, where, customs)
    return Converted(values, as_mask(pc.and_(raw.is_valid(), values.is_null())), notes)


def describe_wrong(kind: Kind, value: object) -> str:
    """Say why a value is wrong, and the cure."""
    if kind is Kind.TIME:
        return describe_time(str(value))
    if kind is Kind.NUMBER and isinstance(value, str):
        return describe_number(value, "write 12.50")
    if kind is Kind.EVENT:
        return f"{value!r:.60} is none of {', '.join((*EventKind, *Undo))}; rename it or leave the row out"
    return f"{value!r:.60} is not {kind}; correct it or leave it out"


def as_mask(mask: pa.Array) -> BoolArray:
    """Return a mask as an array; null is False."""
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


Notes = tuple[str, ...]


def _text(raw: pa.Array, *_: object) -> tuple[pa.Array, Notes]:
    return (raw if pa.types.is_string(raw.type) else raw.cast(pa.string())), ()


def _whole(raw: pa.Array, *_: object) -> tuple[pa.Array, Notes]:
    if pa.types.is_floating(raw.type):
        raw = pc.if_else(pc.and_(pc.is_finite(raw), pc.equal(raw, pc.floor(raw))), raw, None)
    return _matching(raw, _WHOLE).cast(pa.int64()), ()


def _number(raw: pa.Array, where: str, customs: Customs) -> tuple[pa.Array, Notes]:
    notes: Notes = ()
    if _is_text(raw):
        trimmed = pc.utf8_trim_whitespace(raw)
        plain = pc.all(pc.match_substring_regex(trimmed, _NUMBER)).as_py()
        if not plain or customs.decimal or pc.any(pc.match_substring_regex(trimmed, _UNCLEAR)).as_py():
            filled = pc.fill_null(raw, "")
            texts = filled if pa.types.is_string(raw.type) else filled.cast(pa.string())
            parsed = parse_numbers(texts, customs.decimal, where=where)
            return pa.array(parsed.values, mask=parsed.bad), parsed.notes
    values = _matching(raw, _NUMBER).cast(pa.float64())
    # Frames of pandas use NaN for missing values.
    return pc.if_else(pc.is_finite(values), values, None), notes


def _truth(raw: pa.Array, *_: object) -> tuple[pa.Array, Notes]:
    if pa.types.is_integer(raw.type):
        raw = raw.cast(pa.string())
    return _matching(raw, r"(?i)^(true|false|0|1)$").cast(pa.bool_()), ()


def _time(raw: pa.Array, where: str, customs: Customs) -> tuple[pa.Array, Notes]:
    if pa.types.is_temporal(raw.type) and not pa.types.is_timestamp(raw.type):
        raw = raw.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(raw.type):
        # Fractions of a second are dropped: floor, also for times before 1970.
        whole = pc.floor_temporal(raw, unit="second")
        return whole.cast(pa.timestamp("s", raw.type.tz)).cast(pa.int64()), ()
    seconds = raw
    if _is_text(raw):
        plain = pc.match_substring_regex(raw, r"^\d{9,10}$")
        seconds = raw.cast(pa.int64()) if pc.all(plain).as_py() else raw
    if pa.types.is_integer(seconds.type):
        ends = pc.min_max(seconds).as_py()
        # Usual logs have whole seconds: nothing to guess, and no text for millions of rows.
        if ends["min"] is None or (ends["min"] >= EARLIEST and ends["max"] < _LAST_SECONDS):
            return seconds.cast(pa.int64()), ()
    if pa.types.is_floating(raw.type):
        finite = pc.if_else(pc.is_finite(raw), raw, None)
        raw = pc.if_else(pc.less(pc.abs(finite), 2.0**62), pc.floor(finite), None).cast(pa.int64())
    texts = pc.fill_null(raw.cast(pa.string()), "")
    parsed = parse_times(texts, customs.dates, where=where)
    return pa.array(parsed.seconds, mask=parsed.bad), parsed.notes


def _event(raw: pa.Array, *_: object) -> tuple[pa.Array, Notes]:
    encoded = _text(raw)[0].dictionary_encode()
    words = pa.array([find_event(word) for word in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices), ()


def _texts(raw: pa.Array, *_: object) -> tuple[pa.Array, Notes]:
    if not _is_text(raw):
        return raw.cast(TYPES[Kind.TEXTS]), ()
    texts = raw.to_pylist()
    bare = [text for text in texts if text and text[0] not in "[("]
    separator = next((sign for sign in _SEPARATORS if any(sign in text for text in bare)), "")
    return pa.array([None if text is None else _parse_items(text, separator) for text in texts], TYPES[Kind.TEXTS]), ()


def _parse_items(text: str, separator: str) -> list[str] | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if isinstance(value, list):
        return [str(item) for item in value]
    text = text.strip()
    if text[:1] in ("[", "("):
        # NumPy writes ['a' 'b'], which Python would read as one text.
        if (bare := _BARE_LIST.fullmatch(text)) is not None:
            return _parse_bare(bare[1])
        found = parse_list(_BETWEEN_QUOTES.sub(r"\1, ", text))
        return None if any(item[:1] in ("[", "(") for item in found) else found
    # Without brackets, a single value may be anything, unless other cells show the separator.
    return parse_list(text, separator) if separator else None


def _parse_bare(text: str) -> list[str] | None:
    """Parse [a, b] as Spark writes it, and [1 2] as NumPy writes numbers; other texts with spaces may be one id."""
    if "," in text:
        return parse_list(text, ",")
    words = text.split()
    return words if len(words) < 2 or all(word.isdecimal() for word in words) else None


_CONVERT: dict[Kind, Callable[[pa.Array, str, Customs], tuple[pa.Array, Notes]]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.TRUTH: _truth,
    Kind.TIME: _time,
    Kind.EVENT: _event,
    Kind.TEXTS: _texts,
}


def _is_text(raw: pa.Array) -> bool:
    return bool(pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type))


def _matching(raw: pa.Array, pattern: str) -> pa.Array:
    """Return texts that match, null for other texts; arrays of other types are returned as they are."""
    if not _is_text(raw):
        return raw
    trimmed = pc.utf8_trim_whitespace(raw)
    return pc.if_else(pc.match_substring_regex(trimmed, pattern), trimmed, pa.scalar(None, trimmed.type))
