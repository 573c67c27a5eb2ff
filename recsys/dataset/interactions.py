"""Interactions as dense arrays, and the user-item matrix that models are fitted to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.clock import SECONDS_PER_DAY
from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.schema import (
    EVENT,
    ITEM_ID,
    TIMESTAMP,
    USER_ID,
    WEIGHT,
    BoolArray,
    EventKind,
    FloatArray,
    IntArray,
    Kinds,
)

KINDS = tuple(EventKind)
_WEEK = 7 * SECONDS_PER_DAY
_LIKE, _DISLIKE = KINDS.index(EventKind.LIKE), KINDS.index(EventKind.DISLIKE)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Interactions:
    """N events among U users and I items, sorted by (timestamp, user, item, kind).

    Attributes:
        user_ids: U users.
        item_ids: I items.
        users: `(N,)` int64 rows of `user_ids`.
        items: `(N,)` int64 rows of `item_ids`.
        kinds: `(N,)` int8 indices into `EventKind`.
        weights: `(N,)` float32, negative for dislikes.
        timestamps: `(N,)` int64 seconds since 1970 UTC.
    """

    user_ids: UserIdentifiers
    item_ids: ItemIdentifiers
    users: IntArray
    items: IntArray
    kinds: NDArray[np.int8]
    weights: FloatArray
    timestamps: IntArray

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, item_ids: ItemIdentifiers, user_ids: UserIdentifiers | None = None
    ) -> Interactions:
        """Build from a frame with `recsys.schema.INTERACTION_COLUMNS`, in any order.

        `user_ids` default to the frame's users, sorted. Raises UnknownIdError for an id that is not in them.
        """
        if user_ids is None:
            user_ids = UserIdentifiers.from_values("user", frame[USER_ID].unique())
        users, items = user_ids.rows(frame[USER_ID]), item_ids.rows(frame[ITEM_ID])
        kinds = pd.Index([kind.value for kind in KINDS]).get_indexer(pd.Index(frame[EVENT])).astype(np.int8)
        timestamps = frame[TIMESTAMP].to_numpy(dtype=np.int64)
        order = np.lexsort((kinds, items, users, timestamps))
        weights = frame[WEIGHT].to_numpy(dtype=np.float32)
        return cls(user_ids, item_ids, users[order], items[order], kinds[order], weights[order], timestamps[order])

    def __len__(self) -> int:
        return len(self.users)

    @property
    def shape(self) -> tuple[int, int]:
        """Return (U, I)."""
        return len(self.user_ids), len(self.item_ids)

    @property
    def present(self) -> int:
        """Return the time from which ages are counted, in seconds since 1970 UTC; 0 without events.

        This is the latest event of a user that is followed, in this order of users, by two others within a week: one
        wrong time in the future must not make all other events old. Without such a user it is the latest event.
        """
        if not len(self):
            return 0
        latest = np.zeros(self.shape[0], dtype=np.int64)
        latest[self.users] = self.timestamps  # in time order, so that the last one stays
        latest = np.sort(latest[np.unique(self.users)])[::-1]
        together = latest[:-2] - latest[2:] <= _WEEK
        return int(latest[:-2][together][0] if together.any() else latest[0])

    def select(self, which: BoolArray) -> Interactions:
        """Return the events for which `which` `(N,)` is True, over the same identifiers."""
        return replace(
            self,
            users=self.users[which],
            items=self.items[which],
            kinds=self.kinds[which],
            weights=self.weights[which],
            timestamps=self.timestamps[which],
        )

    def before(self, time: int) -> Interactions:
        """Return the events earlier than `time`, in seconds since 1970 UTC."""
        return self.select(self.timestamps < time)

    def after(self, time: int) -> Interactions:
        """Return the events at `time` or later; together with `before(time)`, these are all events."""
        return self.select(self.timestamps >= time)

    def matrix(self, *, half_life_days: float | None = None, now: int | None = None) -> csr_matrix[np.float32]:
        """Return the preference of each user for each item, `(U, I)` float32 sparse.

        An entry is the sum of the pair's positive weights. If the pair's latest like or dislike is a dislike, it is
        that dislike's weight instead (at the same second the dislike counts as the later one). Sums of 0 are not
        stored.

        Args:
            half_life_days: a weight halves per half-life between its event and `now`; None: no decay.
            now: seconds since 1970 UTC; default: `present`.
        """
        weights = self.weights.astype(np.float64)
        if half_life_days is not None and len(self):
            reference = self.present if now is None else now
            age_days = np.maximum(reference - self.timestamps, 0) / SECONDS_PER_DAY
            weights *= 0.5 ** (age_days / half_life_days)
        # A pair's key is user * I + item, so that unique and divmod work on one integer.
        pairs, inverse = np.unique(self.users * self.shape[1] + self.items, return_inverse=True)
        sums = np.bincount(inverse, weights=np.maximum(weights, 0.0), minlength=len(pairs))
        latest = self._latest_opinions(inverse, len(pairs))
        disliked = (latest >= 0) & (self.kinds[latest] == _DISLIKE)
        sums[disliked] = weights[latest[disliked]]
        stored = sums != 0.0
        rows, columns = np.divmod(pairs[stored], self.shape[1])
        return csr_matrix((sums[stored].astype(np.float32), (rows, columns)), shape=self.shape)

    def interaction_mask(self) -> csr_matrix[np.bool_]:
        """Return a mask of the items that each user has interacted with, `(U, I)` bool sparse."""
        pairs = np.unique(self.users * self.shape[1] + self.items)
        rows, columns = np.divmod(pairs, self.shape[1])
        return csr_matrix((np.ones(len(pairs), dtype=np.bool_), (rows, columns)), shape=self.shape)

    def kinds_matrix(self) -> csr_matrix[np.uint8]:
        """Return the kinds of events that stand for each user and item, `(U, I)` uint8 sparse, as `Kinds`.

        Of like and dislike, the latest stands.
        """
        pairs, inverse = np.unique(self.users * self.shape[1] + self.items, return_inverse=True)
        kinds = np.zeros(len(pairs), dtype=np.uint8)
        np.bitwise_or.at(kinds, inverse, (1 << self.kinds.astype(np.uint8)).astype(np.uint8))
        latest = self._latest_opinions(inverse, len(pairs))
        # Without an opinion the index is -1, and both bits are 0 anyway.
        disliked = self.kinds[latest] == _DISLIKE if len(self) else np.zeros(0, dtype=np.bool_)
        kinds &= np.where(disliked, ~np.uint8(Kinds.LIKE), ~np.uint8(Kinds.DISLIKE))
        rows, columns = np.divmod(pairs, self.shape[1])
        return csr_matrix((kinds, (rows, columns)), shape=self.shape)

    def _latest_opinions(self, inverse: NDArray[np.intp], pairs: int) -> IntArray:
        latest = np.full(pairs, -1, dtype=np.int64)
        opinions = np.flatnonzero((self.kinds == _LIKE) | (self.kinds == _DISLIKE))
        # Events are in time order and a dislike sorts after a like, so the last of a pair is its latest.
        np.maximum.at(latest, inverse[opinions], opinions)
        return latest


def drop_unknown_items(frame: pd.DataFrame, item_ids: ItemIdentifiers) -> pd.DataFrame:
    """Drop events with items that the catalog does not have: they were deleted, or are newer than it."""
    known = item_ids.find(frame[ITEM_ID]) >= 0
    return frame if known.all() else frame[known].reset_index(drop=True)
