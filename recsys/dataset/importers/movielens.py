"""MovieLens as GroupLens publishes it: 100k (`u.data`, `u.item`, `u.user`), 1M (`.dat`, parted by `::`), and the later
ones (`ratings.csv`, `movies.csv`). Told apart by the first line.

Source: files.grouplens.org/datasets/movielens, the README of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.delimited import read_delimited
from recsys.dataset.importers.lines import Rows, first_line, numbered_lines, text_encoding
from recsys.dataset.importers.table import RawTable
from recsys.schema import CATEGORY, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The flags at the end of each line of `u.item`, in this order (`u.genre`)."""

_NO_GENRE = ("unknown", "(no genres listed)")
_DOUBLE_COLON = "::"
_RATINGS = (USER_ID, ITEM_ID, RATING, TIMESTAMP)
_FILMS_100K = (ITEM_ID, TITLE, "release_date", "video_release_date", "imdb_url", *GENRES)
_FILMS_1M = (ITEM_ID, TITLE, CATEGORY)
_PEOPLE_100K = (USER_ID, "age", "gender", "occupation", "zip_code")
_PEOPLE_1M = (USER_ID, "gender", "age", "occupation", "zip_code")

Convert = Callable[[Sequence[str]], Sequence[str]]


def read_ratings(path: Path) -> RawTable:
    """Ratings of any edition: user, film, 0.5 to 5 stars, seconds. Raises DataError if unreadable."""
    first = first_line(path)
    if _is_csv(first):
        return read_delimited(path)
    return _read(path, _DOUBLE_COLON if _DOUBLE_COLON in first else "\t", _RATINGS)


def read_films(path: Path) -> RawTable:
    """Films of any edition; the genres, parted by `|`, are the category. Raises DataError if unreadable."""
    first = first_line(path)
    if _is_csv(first):
        table = read_delimited(path)
        columns = {name: _genres_or_blank(values) for name, values in table.columns.items()}
        return RawTable(path, columns, table.lines, table.text_columns, table.rejects)
    if _DOUBLE_COLON in first:
        return _read(path, _DOUBLE_COLON, _FILMS_1M, text=(TITLE,))
    # Nobody needs the empty video release date.
    kept = (ITEM_ID, TITLE, CATEGORY, "release_date", "imdb_url")
    return _read(path, "|", _FILMS_100K, kept, _film, text=(TITLE,))


def read_people(path: Path) -> RawTable:
    """The people of 100k and 1M; later editions have none. Raises DataError if unreadable."""
    first = first_line(path)
    if _DOUBLE_COLON in first:
        return _read(path, _DOUBLE_COLON, _PEOPLE_1M, text=("zip_code",))
    return _read(path, "|", _PEOPLE_100K, text=("zip_code",))


def _read(
    path: Path,
    separator: str,
    fields: Sequence[str],
    names: Sequence[str] | None = None,
    convert: Convert | None = None,
    text: Sequence[str] = (),
) -> RawTable:
    """Lines of `fields`, as columns `names` that `convert` makes of them (default: as they are)."""
    rows = Rows(path, fields if names is None else names)
    for number, line in numbered_lines(path, text_encoding(path)):
        values = line.split(separator)
        if len(values) != len(fields):
            message = f"{len(values)} fields, parted by {separator!r}, where this file of MovieLens has {len(fields)}"
            rows.reject(number, None, message, line)
        else:
            rows.add(number, values if convert is None else convert(values))
    return rows.table(text)


def _film(values: Sequence[str]) -> Sequence[str]:
    film, title, released, _, url, *flags = values
    genres = (name for name, flag in zip(GENRES, flags, strict=True) if flag.strip() == "1" and name not in _NO_GENRE)
    return film, title, "|".join(genres), released, url


def _is_csv(first: str) -> bool:
    # The header of ratings.csv and movies.csv; the older files have none.
    return "movieid" in first.lower() and _DOUBLE_COLON not in first


def _genres_or_blank(column: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.equal(column, _NO_GENRE[1]), "", column)
