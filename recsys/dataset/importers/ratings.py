"""Scales of ratings: which ratings are likes and which are dislikes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.errors import DataError
from recsys.schema import EventKind

_LIKES = (
    *("up", "thumb up", "thumbs up", "like", "liked", "positive", "good", "great", "excellent", "love", "loved", "yes"),
    *("true", "👍", "❤"),
)
_DISLIKES = (
    *(
        "down",
        "thumb down",
        "thumbs down",
        "dislike",
        "disliked",
        "negative",
        "bad",
        "poor",
        "terrible",
        "hate",
        "hated",
    ),
    *("no", "false", "👎"),
)
_NEUTRAL = ("neutral", "ok", "okay", "average", "none", "unrated", "not rated", "no opinion")
_WORDS = {**dict.fromkeys(_LIKES, 1.0), **dict.fromkeys(_DISLIKES, -1.0), **dict.fromkeys(_NEUTRAL, 0.0)}
RATING_CURE = "write a number such as 3.5, or one of like, thumbs up, good, neutral, bad, thumbs down, dislike"
_LARGEST = ((5.0, 4.0), (10.0, 8.0), (100.0, 80.0))
"""Ends of common scales, each with its first like: four fifths."""
_ABOVE_ZERO = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class RatingScale:
    """Scale of the ratings of an import.

    Attributes:
        text: the scale in words, such as "scale up to 5".
        like_from: lowest rating that is a like.
        dislike_below: ratings below it are dislikes; those between are views.
    """

    text: str
    like_from: float
    dislike_below: float

    @classmethod
    def from_ratings(cls, ratings: NDArray[np.float32], threshold: float | Literal["auto"], path: Path) -> RatingScale:
        """Find the scale of ratings `(N,)`, NaN if unknown, unless the settings have a threshold.

        Raises DataError if the numbers belong to no known scale.
        """
        values = np.unique(ratings[~np.isnan(ratings)])
        if threshold != "auto":
            return cls("by rating_threshold in the settings", threshold, threshold)
        if not len(values):
            return cls("without any rating", 1.0, 1.0)
        low, high = float(values[0]), float(values[-1])
        if low < 0:
            if low < -1 or high > 1:
                raise _unknown_scale(path, low, high, float(values[min(1, len(values) - 1)]))
            return cls("scale from -1 to 1", _ABOVE_ZERO, 0.0)
        if high <= 1:
            if np.isin(values, (0.0, 1.0)).all():
                return cls("scale of 0 and 1", 1.0, 1.0)
            return cls("fractions up to 1", 0.5, 0.5)
        for largest, like_from in _LARGEST:
            if high <= largest:
                return cls(f"scale up to {largest:g}", like_from, like_from)
        raise _unknown_scale(path, low, high, float(values[min(1, len(values) - 1)]))

    def kinds(self, ratings: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return the kind of each rating as an index into `EventKind`; ratings between like and dislike are views."""
        order = tuple(EventKind)
        like, dislike, view = (order.index(kind) for kind in (EventKind.LIKE, EventKind.DISLIKE, EventKind.VIEW))
        return np.where(ratings >= self.like_from, like, np.where(ratings < self.dislike_below, dislike, view)).astype(
            np.int8
        )

    def describe(
        self, ratings: NDArray[np.float32], earlier: NDArray[np.float32], path: Path, column: str
    ) -> tuple[str, ...]:
        """Return sentences for the report: scale, likes, dislikes, examples.

        Args:
            ratings: ratings of this import, `(N,)`.
            earlier: ratings that the project has already, on the same scale.
            path: the file.
            column: the file's column of ratings.

        Raises:
            DataError: no rating is a like, neither of this import nor earlier.
        """
        known = ratings[~np.isnan(ratings)]
        if not len(known):
            return ()
        likes, dislikes = known >= self.like_from, known < self.dislike_below
        count, low, high = int(likes.sum()), known.min(), known.max()
        if not count and not (earlier >= self.like_from).any():
            raise DataError(
                f"{path}: no rating is a like: column {column!r} has {low:g} to {high:g}, and likes begin at "
                f"{self.like_from:g} ({self.text}). Set the first like under [events] in recsys.toml, e.g. "
                f"rating_threshold = {_suggestion(known):g}"
            )
        first = "above 0" if self.like_from == _ABOVE_ZERO else f"from {self.like_from:g} up"
        others = f"the others dislikes ({int(dislikes.sum()):,})"
        between = len(known) - count - int(dislikes.sum())
        if between:
            others = f"below 0 dislikes ({int(dislikes.sum()):,}), at 0 views ({between:,})"
        examples = ", ".join(
            f"{value:g} {'is a like' if value >= self.like_from else 'is not'}" for value in _examples(known)
        )
        sentences = [
            f"no event column: ratings {first} are likes ({count:,}), {others}; {column!r} has {low:g} to {high:g}, "
            f"{self.text}; e.g. {examples}"
        ]
        if count == len(known):
            sentences.append(
                f"warning: each rating is a like, from {low:g} to {high:g}; if some are not, set rating_threshold "
                "under [events] in recsys.toml, and import again"
            )
        zeros = int((known == 0).sum())
        if zeros and self.dislike_below > 0:
            sentences.append(
                f"ratings of 0 ({zeros:,}) count as dislikes, which lists leave out; if 0 means not rated, or "
                "shown and not clicked, remove these rows"
            )
        return tuple(sentences)


def parse_words(column: pa.StringArray) -> NDArray[np.float64] | None:
    """Parse words such as "thumbs up" as 1, 0 or -1 `(N,)`, NaN if empty; None if the column has anything else."""
    encoded = column.dictionary_encode()
    # Emoji may have a skin color or a mark of presentation behind them.
    words = [
        re.sub(r"[\s_-]+", " ", re.sub("[\ufe0f\U0001f3fb-\U0001f3ff]", "", word)).strip().lower()
        for word in encoded.dictionary.to_pylist()
    ]
    if not any(words) or not all(word in _WORDS or not word for word in words):
        return None
    values = np.array([_WORDS.get(word, np.nan) for word in words], dtype=np.float64)
    return np.asarray(values[encoded.indices.to_numpy()])


def _suggestion(known: NDArray[np.float32]) -> float:
    """Return a threshold that splits the file: the highest rating, or the middle of more than two."""
    values = np.unique(known)
    return float(values[-1] if len(values) < 3 else values[int(np.ceil(0.75 * (len(values) - 1)))])


def _examples(known: NDArray[np.float32]) -> list[float]:
    """Return up to three different ratings of the file: lowest, median, highest."""
    values = np.unique(known)
    return (
        [float(value) for value in dict.fromkeys((values[0], values[len(values) // 2], values[-1]))]
        if len(values)
        else []
    )


def _unknown_scale(path: Path, low: float, high: float, above: float) -> DataError:
    """Return the error about ratings that fit no scale; `above` is the second lowest one."""
    hint = f"; if {low:g} means not rated, leave these rows out instead" if low < 0 <= above else ""
    if low >= 0:
        hint = "; if they are counts, such as plays, rename them: `--column YOURS=quantity`"
    return DataError(
        f"{path}: ratings from {low:g} to {high:g} belong to no scale that is known (-1 to 1, up to 1, 5, 10 or 100): "
        "name the lowest rating that is a like under [events] in recsys.toml, e.g. "
        f"rating_threshold = {(low + 3 * high) / 4:.6g}{hint}"
    )
