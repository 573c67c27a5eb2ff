"""Words for yes and no, availability, and lists inside one cell."""

from __future__ import annotations

import ast
import json
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.values.arrow import as_bools
from recsys.schema import BoolArray

_YES = (
    "true", "yes", "y", "1", "t", "on", "x", "available", "in stock", "instock", "active", "enabled", "published",
    "ja", "j", "wahr", "verfügbar", "lieferbar", "auf lager", "oui", "vrai", "disponible", "en stock", "si", "sí", "sì",
    "sofort lieferbar", "vorrätig",
    "disponibile", "sim", "disponível", "tak", "ano", "да", "в наличии", "是", "有货", "在庫あり",
)  # fmt: skip
_NO = (
    "false", "no", "n", "0", "f", "off", "unavailable", "not available", "out of stock", "outofstock", "sold out",
    "soldout", "inactive", "disabled", "draft", "archived", "discontinued", "nein", "falsch", "nicht verfügbar",
    "nicht lieferbar", "nicht auf lager", "ausverkauft", "non", "faux", "indisponible", "épuisé", "en rupture de stock",
    "nicht vorrätig",
    "agotado", "esaurito", "non disponibile", "não", "nao", "esgotado", "nie", "ne", "niedostępny", "нет",
    "нет в наличии", "否", "缺货", "在庫なし",
)  # fmt: skip
# These can be bought now and come later.
_LATER = (
    "preorder", "pre order", "presale", "backorder", "back order", "on backorder", "onbackorder", "backordered",
    "available for order", "limited availability", "limitedavailability",
)  # fmt: skip
AVAILABILITY_WORDS = "yes, no, in stock, out of stock, preorder, backorder, or a number of pieces"


class ParsedWords(NamedTuple):
    """Availability of a column.

    Attributes:
        values: `(N,)` bool, True if empty.
        bad: `(N,)` mask of words that are unknown.
        notes: sentences about guesses.
    """

    values: BoolArray
    bad: BoolArray
    notes: tuple[str, ...] = ()


def parse_availability(column: pa.StringArray) -> ParsedWords:
    """Parse words for available or not, in several languages, addresses of schema.org, and numbers of pieces.

    What can be ordered now and comes later (preorder, backorder) is available.
    """
    words = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    words = pc.replace_substring_regex(words, r"^https?://schema\.org/", "")
    words = pc.replace_substring_regex(words, r"[\s_-]+", " ")
    later = as_bools(pc.is_in(words, pa.array(_LATER)))
    pieces = pc.match_substring_regex(words, r"^ ?\d+(\.0+)?$")
    # A minus became a space above: oversold.
    amounts = pc.if_else(pieces, pc.replace_substring(words, " ", "-"), None).cast(pa.float64())
    counted = as_bools(pieces)
    many = as_bools(pc.fill_null(pc.greater(amounts, 0), False))
    yes = as_bools(pc.is_in(words, pa.array([*_YES, ""]))) | later | many
    no = as_bools(pc.is_in(words, pa.array(_NO))) | (counted & ~many)
    notes = []
    if later.any():
        found = sorted(pc.unique(pc.filter(words, pa.array(later))).to_pylist())
        notes.append(f"{', '.join(found)} count as available")
    if as_bools(pc.fill_null(pc.greater(amounts, 1), False)).any():
        notes.append("numbers are pieces in stock; 0 and below is not available")
    return ParsedWords(yes, ~(yes | no), tuple(notes))


def parse_list(text: str, separator: str = "|") -> list[str]:
    """Split a cell into its values: JSON, the text of a Python list, or values between separators."""
    text = text.strip()
    if text[:1] in "[(" and text[-1:] in "])":
        for read in (json.loads, ast.literal_eval):
            try:
                values = read(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(values, list | tuple):
                return [str(value) for value in values if value is not None]
    return [part for value in text.split(separator) if (part := value.strip())]


def join_lists(column: pa.StringArray) -> pa.StringArray:
    """Write cells that hold a list in brackets, as JSON or Python do, with a bar between the values."""
    lists = pc.match_substring_regex(column, r"^\[.*\]$")
    if not pc.any(lists).as_py():
        return column
    cells = pc.filter(column, lists).to_pylist()
    return pc.replace_with_mask(column, lists, pa.array(["|".join(parse_list(cell)) for cell in cells], pa.string()))
