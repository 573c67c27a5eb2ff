"""MovieLens in the formats of GroupLens, recognized by the first line.

100k has `u.data`, `u.item` and `u.user`; 1M has `.dat` files, separated by `::`; the later editions have `ratings.csv`
and `movies.csv`.

Source: files.grouplens.org/datasets/movielens, the README of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.compute as pc

from recsys.dataset.importers.readers.delimited import read_delimited
from recsys.dataset.importers.readers.lines import Rows, first_lines, numbered_lines
from recsys.dataset.importers.table import RawTable
from recsys.schema import CATEGORY, ITEM_ID, RATING, TIMESTAMP, TITLE, USER_ID

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""Flags at the end of each line of `u.item`, in this order (`u.genre`)."""

_NO_GENRE = ("unknown", "(no genres listed)")
_DOUBLE_COLON = "::"
_RATINGS = (USER_ID, ITEM_ID, RATING, TIMESTAMP)
_FILMS_100K = (ITEM_ID, TITLE, "release_date", "video_release_date", "imdb_url", *GENRES)
_FILMS_1M = (ITEM_ID, TITLE, CATEGORY)
_USERS_100K = (USER_ID, "age", "gender", "occupation", "zip_code")
_USERS_1M = (USER_ID, "gender", "age", "occupation", "zip_code")

Convert = Callable[[Sequence[str]], Sequence[str]]


def read_ratings(path: Path) -> RawTable:
    """Read ratings of any edition: user, film, 0.5 to 5 stars, seconds. Raises DataError if unreadable."""
    first = next(iter(first_lines(path)), "")
    if _is_csv(first):
        return read_delimited(path)
    return _read(path, _DOUBLE_COLON if _DOUBLE_COLON in first else "\t", _RATINGS)


def read_films(path: Path) -> RawTable:
    """Read films of any edition; the genres, separated by `|`, are the category. Raises DataError if unreadable."""
    first = next(iter(first_lines(path)), "")
    if _is_csv(first):
        table = read_delimited(path)
        columns = {
            name: pc.if_else(pc.equal(values, _NO_GENRE[1]), "", values) for name, values in table.columns.items()
        }
        return RawTable(path, columns, table.lines, table.text_columns, table.rejects)
    if _DOUBLE_COLON in first:
        return _read(path, _DOUBLE_COLON, _FILMS_1M, text=(TITLE,))
    # Without the video release date, which is always empty.
    columns_100k = (ITEM_ID, TITLE, CATEGORY, "release_date", "imdb_url")
    return _read(path, "|", _FILMS_100K, columns_100k, _convert_film, text=(TITLE,))


def read_users(path: Path) -> RawTable:
    """Read users of 100k and 1M; later editions have none. Raises DataError if unreadable."""
    first = next(iter(first_lines(path)), "")
    if _DOUBLE_COLON in first:
        return _read(path, _DOUBLE_COLON, _USERS_1M, text=("zip_code",))
    return _read(path, "|", _USERS_100K, text=("zip_code",))


def _read(
    path: Path,
    separator: str,
    fields: Sequence[str],
    names: Sequence[str] | None = None,
    convert: Convert | None = None,
    text: Sequence[str] = (),
) -> RawTable:
    """Read lines of `fields`; `convert` turns each into values of the columns `names` (default: unchanged)."""
    rows = Rows(path, fields if names is None else names)
    for number, line in numbered_lines(path):
        values = line.split(separator)
        if len(values) != len(fields):
            message = f"{len(values)} fields, separated by {separator!r}, but this file of MovieLens has {len(fields)}"
            rows.reject(number, None, message, line)
        else:
            rows.add(number, values if convert is None else convert(values))
    return rows.table(text)


def _convert_film(values: Sequence[str]) -> Sequence[str]:
    film, title, released, _, url, *flags = values
    genres = (name for name, flag in zip(GENRES, flags, strict=True) if flag.strip() == "1" and name not in _NO_GENRE)
    return film, title, "|".join(genres), released, url


def _is_csv(first: str) -> bool:
    # The header of ratings.csv and movies.csv; the older files have none.
    return "movieid" in first.lower() and _DOUBLE_COLON not in first
