"""Match a file's columns to the project's fields: explicit renames first, then exact names, then known aliases."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import DataError
from recsys.schema import (
    AVAILABLE,
    CATEGORY,
    EVENT,
    EVENT_ID,
    IMAGE,
    ITEM_ID,
    OLD_ID,
    PRICE,
    QUANTITY,
    RATING,
    TEXT,
    TIMESTAMP,
    TITLE,
    USER_ID,
    WEIGHT,
)

Aliases = Mapping[str, tuple[str, ...]]

_ITEM_ALIASES = ("item", "product_id", "product", "movie_id", "article_id", "parent_asin", "asin", "sku")
_USER_ALIASES = ("user", "uid", "customer_id", "customer", "visitor_id", "visitorid", "reviewer_id", "user_pseudo_id")

ITEM_FIELDS: Aliases = {
    ITEM_ID: (*_ITEM_ALIASES, "id"),
    TITLE: ("movie_title", "product_title", "product_name", "product_display_name", "prod_name", "item_name", "name"),
    CATEGORY: (
        "category_code",
        "class",
        "genres",
        "genre",
        "article",
        "article_type",
        "categories",
        "product_type",
        "product_type_name",
    ),
    PRICE: ("unit_price", "list_price", "regular_price", "variant_price"),
    AVAILABLE: ("in_stock", "is_available", "availability", "stock_status", "is_in_stock"),
    IMAGE: ("image_path", "image_file", "img", "photo", "picture"),
}
INTERACTION_FIELDS: Aliases = {
    USER_ID: _USER_ALIASES,
    ITEM_ID: _ITEM_ALIASES,
    EVENT: (
        *("event_type", "event_name", "action", "action_type", "behavior", "behaviour", "behavior_type"),
        *("behaviour_type", "interaction", "interaction_type"),
    ),
    WEIGHT: (),
    TIMESTAMP: (
        "event_timestamp",
        "ts",
        "time",
        "datetime",
        "date",
        "event_time",
        "created_at",
        "unix_timestamp",
        "t_dat",
    ),
    RATING: (
        *(
            "score",
            "stars",
            "overall",
            "label",
            "thumb",
            "thumbs",
            "vote",
            "user_rating",
            "review_rating",
            "star_rating",
        ),
        *("rating_value", "like", "liked", "is_like", "is_liked"),
    ),
    QUANTITY: ("qty", "units", "item_quantity", "qty_ordered", "lineitem_quantity"),
    EVENT_ID: ("event_uuid", "message_id", "insert_id"),
}
_WEAK: Aliases = {
    ITEM_ID: (
        "stock_code",
        "item_code",
        "product_code",
        "item_number",
        "product_number",
        "article_number",
        "item_sku",
        "artikelnummer",
        "produktnummer",
        "référence",
        "referencia",
        "codice",
    ),
    TITLE: ("titel", "bezeichnung", "produktname", "artikelname", "titre", "nom", "título", "nombre", "titolo", "nome"),
    CATEGORY: (
        "kategorie",
        "kategorien",
        "catégorie",
        "catégories",
        "categoría",
        "categorías",
        "categoria",
        "categorie",
    ),
    PRICE: (
        "preis",
        "regulärer_preis",
        "verkaufspreis",
        "prix",
        "prix_ttc",
        "precio",
        "prezzo",
        "preço",
        "prijs",
        "cena",
    ),
    AVAILABLE: (
        *("verfügbar", "verfügbarkeit", "vorrätig", "bestand", "lagerbestand", "disponible", "disponibilité"),
        *("disponibilidad", "disponibilità", "disponibile"),
        "stock",
        "stock_quantity",
        "inventory_quantity",
        "published",
        "active",
        "is_active",
        "enabled",
    ),
    TIMESTAMP: (
        *("order_date", "purchase_date", "invoice_date", "transaction_date", "date_created", "created", "occurred_at"),
        *("purchased_at", "ordered_at", "rated_at", "interaction_time", "timestamp_ms", "unix_time", "event_date"),
    ),
}
"""Names that stand for a field only if no other column does."""
ORDER_NAMES = (
    *("orderid", "ordernumber", "orderno", "invoiceid", "invoiceno", "invoice", "transactionid", "receiptid"),
    "basketid",
)
"""Names of columns with the number of an order: rows of such a file without events are purchases (squeezed)."""
REVIEW_FIELDS: Aliases = {
    ITEM_ID: _ITEM_ALIASES,
    TEXT: ("review", "review_text", "reviewtext", "review_body", "comment", "body", "content"),
}
ALIAS_FIELDS: Aliases = {
    OLD_ID: ("visitor_id", "visitor", "anonymous_id", "user_pseudo_id", "old", "from"),
    USER_ID: ("user", "new_id", "customer_id", "new", "to"),
}
USER_FIELDS: Aliases = {USER_ID: (*_USER_ALIASES, "id")}


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """Columns of a file by name: `fields` maps the project's fields to them, `others` maps attributes."""

    fields: dict[str, str]
    others: dict[str, str]


def match_columns(path: Path, header: Iterable[str], known: Aliases, renames: Mapping[str, str]) -> ColumnNames:
    """Match the columns of a file to fields; the rest are attributes under their own names.

    Case, spaces, hyphens and underscores do not matter.

    Args:
        path: the file, for error messages.
        header: column names of the file.
        known: aliases of each field.
        renames: from the file's column to a field or attribute; they override names and aliases.

    Raises:
        DataError: two columns match one field; the message names both.
    """
    targets: dict[str, str] = {}

    def assign(target: str, column: str, cure: str) -> None:
        if target in targets:
            raise DataError(f"{path}: both {targets[target]!r} and {column!r} would be {target!r}: {cure}")
        targets[target] = column

    columns = list(header)
    free = [column for column in columns if column not in renames]
    exact = [column for column in free if plain_name(column) in known]
    for column in columns:
        if column in renames:
            assign(renames[column], column, "rename them differently")
    for column in exact:
        assign(
            plain_name(column), column, f"rename the second too, e.g. `--column {column}=other_{plain_name(column)}`"
        )
    wanted = {
        squeeze(alias): target for target, names in known.items() if target not in targets for alias in (target, *names)
    }
    for column in free:
        if column not in exact:
            target = wanted.get(squeeze(plain_name(column)), column)
            assign(target, column, f"choose one, e.g. `--column {column}={target}`")
    for target, names in _WEAK.items():
        squeezed = {squeeze(name) for name in names}
        spare = next(
            (name for name in free if squeeze(plain_name(name)) in squeezed and targets.get(name) == name), None
        )
        if target in known and target not in targets and spare is not None:
            del targets[spare]
            targets[target] = spare
    fields = {target: column for target, column in targets.items() if target in known}
    others = {target: column for target, column in targets.items() if target not in known}
    return ColumnNames(fields, others)


def squeeze(plain: str) -> str:
    """Return a plain name without underscores: `itemid` and `item_id` are the same column."""
    return plain.replace("_", "")


def plain_name(name: str) -> str:
    """Return a column's name in lower case, with words joined by `_`, and without the prefix `g:` of feeds."""
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", unicodedata.normalize("NFKC", name).strip())
    return re.sub(r"[^\w]+", "_", separated.lower().removeprefix("g:")).strip("_")
