"""Exports with a known truth, written in random delimiters, encodings, locales, types and orders."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.importers import ImportOptions, import_data
from recsys.dataset.project import Project

WORDS = ("Größe", "Cup, red", 'a "b"', "x;y", "tab\there", "café", "plain", "pipe|bar", "naïve; or, not")
IDS = ("0042", "4006381333931", "A-1", "sku 7", "é-9", "900719925474099312", "x.0y", "12")
EVENTS = {
    "view": ("view", "View", "page_view"),
    "cart": ("add_to_cart", "Add-To-Cart"),
    "purchase": ("purchase", "buy"),
}
START = int(datetime(2024, 5, 1, tzinfo=UTC).timestamp())

Items = dict[str, tuple[str, float, bool]]
Log = set[tuple[str, str, str, int]]


def draw_truth(draw: random.Random) -> tuple[Items, Log]:
    """Return items (title, price, available) by id, and events, all at noon or later of days from 1 to 31."""
    ids = draw.sample(IDS, draw.randint(2, len(IDS)))
    items = {item: (draw.choice(WORDS), draw.randint(1, 999_999) / 100, draw.random() < 0.7) for item in ids}
    log = {
        (
            f"u{draw.randint(1, 5)}",
            draw.choice(ids),
            draw.choice(list(EVENTS)),
            START + 86_400 * day + 43_200 + 60 * day,
        )
        for day in range(31)
    }
    return items, log


def write_price(draw: random.Random, custom: str, price: float) -> str:
    whole, cents = f"{price:,.2f}".split(".")
    group, sign = {"en": (",", "."), "de": (".", ","), "ch": ("'", "."), "fr": ("\u202f", ","), "plain": ("", ".")}[
        custom
    ]
    amount = whole.replace(",", group) + sign + cents
    return draw.choice(("{} EUR", "€{}", "{} €", "{}")).format(amount)


def write_time(form: str, second: int) -> str:
    moment = datetime.fromtimestamp(second, UTC)
    formats = {
        "iso": "%Y-%m-%dT%H:%M:%SZ", "utc": "%Y-%m-%d %H:%M:%S UTC", "compact": "%Y%m%dT%H%M%S",
        "german": "%d.%m.%Y %H:%M:%S", "american": "%m/%d/%Y %I:%M:%S %p", "british": "%d/%m/%Y %H:%M:%S",
        "named": "%d %b %Y %H:%M:%S",
    }  # fmt: skip
    if form in formats:
        return moment.strftime(formats[form])
    return str(second * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[form])


def write_table(draw: random.Random, path: Path, columns: dict[str, list[str]], kind: str) -> Path:
    """Write columns in one of the general formats, in random order of rows and columns."""
    names = draw.sample(list(columns), len(columns))
    rows = [[columns[name][row] for name in names] for row in range(len(columns[names[0]]))]
    draw.shuffle(rows)
    if kind == "json":
        path = path.with_suffix(".jsonl")
        content = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()
    elif kind == "parquet":
        path = path.with_suffix(".parquet")
        pd.DataFrame(rows, columns=names).to_parquet(path)
        return path
    else:
        text = io.StringIO()
        end, quoting = draw.choice((("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL)))
        writer = csv.writer(text, delimiter=kind, lineterminator=end, quoting=quoting)
        writer.writerows([names, *rows])
        encodings = ["utf-8", "utf-8-sig", "utf-16"]
        content = text.getvalue().encode(draw.choice(encodings))
    if draw.random() < 0.3:
        path, content = path.with_name(path.name + ".gz"), gzip.compress(content)
    path.write_bytes(content)
    return path


def check_variation(folder: Path, seed: int) -> None:
    """Write a truth in one variation, import it, and compare."""
    draw = random.Random(seed)  # noqa: S311  no secret
    items, log = draw_truth(draw)
    kind = draw.choice((",", ";", "\t", "|", "json", "parquet"))
    custom = draw.choice(("en", "de", "ch", "fr", "plain"))
    yes, no = draw.choice(
        (("in stock", "out_of_stock"), ("1", "0"), ("ja", "nein"), ("TRUE", "FALSE"), ("instock", "outofstock"))
    )
    form = draw.choice(("iso", "utc", "compact", "german", "american", "british", "named", "s", "ms", "us", "ns"))
    unicode_form = draw.choice(("NFC", "NFD"))
    ordered = list(log)
    catalog = {
        draw.choice(("item_id", "SKU", "Product ID")): [unicodedata.normalize(unicode_form, item) for item in items],
        draw.choice(("title", "Product Name")): [title for title, _, _ in items.values()],
        draw.choice(("price", "Unit Price")): [write_price(draw, custom, price) for _, price, _ in items.values()],
        draw.choice(("available", "In stock?")): [yes if available else no for _, _, available in items.values()],
    }
    events = {
        draw.choice(("user_id", "Customer ID", "visitorid")): [user for user, _, _, _ in ordered],
        draw.choice(("item_id", "product")): [item for _, item, _, _ in ordered],
        draw.choice(("event", "event_type")): [draw.choice(EVENTS[event]) for _, _, event, _ in ordered],
        draw.choice(("timestamp", "event_time", "date")): [write_time(form, second) for *_, second in ordered],
    }
    folder.mkdir()
    project = Project.init(folder / "shop", "shop")
    import_data(
        project,
        items=write_table(draw, folder / "items.csv", catalog, kind),
        interactions=write_table(draw, folder / "events.csv", events, kind),
        options=ImportOptions(check_images=False),
    )
    found = project.load_items()
    read = {row["item_id"]: (row["title"], row["price"], row["available"]) for row in found.to_dict("records")}
    context = f"seed {seed}: {kind!r} {custom} {form}"
    assert read == items, context
    frame = project.load_interactions()
    rows = frame[["user_id", "item_id", "event", "timestamp"]].itertuples(index=False, name=None)
    assert set(rows) == log, context
    assert len(frame) == len(log), context
    assert found["price"].dtype == np.float64


@pytest.mark.parametrize("seed", range(8))
def test_what_was_written_is_what_is_read(tmp_path: Path, seed: int) -> None:
    check_variation(tmp_path / "a", seed)


@pytest.mark.slow
def test_what_was_written_is_what_is_read_in_hundreds_of_variations(tmp_path: Path) -> None:
    for seed in range(8, 608):
        check_variation(tmp_path / str(seed), seed)
