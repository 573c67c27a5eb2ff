"""State of one user in one query: every request reads it, so it has to cost microseconds."""

from __future__ import annotations

import json
from typing import NamedTuple

from recsys.schema import UserId
from recsys.storage.database import Database
from recsys.storage.live.erasures import user_hash
from recsys.storage.live.merges import MergeStore

_QUERY = """
    SELECT
        (SELECT max(seq) FROM events WHERE user_id = ?),
        (SELECT max(seq) FROM feedback WHERE user_id = ?),
        tastes.styles, tastes.strength, tastes.reset_seq,
        EXISTS (SELECT 1 FROM erasures WHERE user_hash = ?),
        EXISTS (SELECT 1 FROM merges WHERE old_id = ? OR user_id = ?)
    FROM (SELECT 1) AS one LEFT JOIN tastes ON tastes.user_id = ?
"""


class UserState(NamedTuple):
    """Live data of a user, as far as answers depend on it; equal states give the same answers.

    Attributes:
        last_event: number of the newest event, 0 without any.
        last_rating: number of the newest rating, 0 without any.
        styles: chosen style references.
        strength: chosen strength of restyling; None if not chosen.
        reset_seq: events up to this number do not count for the taste; None if it was never reset.
        erased: True if the bundle's data of this user must not be used.
        ids: ids of the person, the one that remains first; empty if the user was never merged.
    """

    last_event: int
    last_rating: int
    styles: tuple[str, ...]
    strength: float | None
    reset_seq: int | None
    erased: bool
    ids: tuple[str, ...] = ()


def person_ids(user_id: str, state: UserState) -> tuple[UserId, ...]:
    """Return all ids of a person, the one that remains first."""
    return tuple(map(UserId, state.ids or (user_id,)))


NO_STATE = UserState(0, 0, (), None, None, erased=False)
"""State of a user without live data, or of a request without a user id."""


class UserStates:
    """Reads the state of users. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._merges = MergeStore(database)

    def read(self, user_id: str) -> UserState:
        """Read the current state. Raises StorageError."""
        state, merged = self._read_one(user_id)
        if not merged:
            return state
        ids = self._merges.ids(user_id)
        states = [self._read_one(one)[0] for one in ids]
        # What the user chose, else what the first of the visitors chose.
        chosen = next((one for one in states if one.styles or one.strength is not None), states[0])
        resets = [one.reset_seq for one in states if one.reset_seq is not None]
        return UserState(
            last_event=max(one.last_event for one in states),
            last_rating=max(one.last_rating for one in states),
            styles=chosen.styles,
            strength=chosen.strength,
            reset_seq=max(resets, default=None),
            erased=any(one.erased for one in states),
            ids=ids,
        )

    def _read_one(self, user_id: str) -> tuple[UserState, bool]:
        """Return the state of one id, and whether it was merged."""
        parameters = (user_id, user_id, user_hash(user_id), user_id, user_id, user_id)
        ((event, rating, styles, strength, reset, erased, merged),) = self._database.rows(_QUERY, parameters)
        chosen = tuple(json.loads(styles)) if styles else ()
        return UserState(event or 0, rating or 0, chosen, strength, reset, bool(erased)), bool(merged)
