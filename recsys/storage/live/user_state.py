"""What is kept of one person, in one look: asked in every request, so it has to cost microseconds."""

from __future__ import annotations

import json
from typing import NamedTuple

from recsys.storage.database import Database
from recsys.storage.live.erasures import user_hash

_QUERY = """
    SELECT
        (SELECT max(seq) FROM events WHERE user_id = ?),
        (SELECT max(seq) FROM feedback WHERE user_id = ?),
        tastes.styles, tastes.strength, tastes.reset_seq,
        EXISTS (SELECT 1 FROM erasures WHERE user_hash = ?)
    FROM (SELECT 1) AS one LEFT JOIN tastes ON tastes.user_id = ?
"""


class PersonState(NamedTuple):
    """What live data say of a person; two that are equal give the same answers.

    `last_event` and `last_verdict`: the numbers of their newest event and verdict, 0 without any. `styles` and
    `strength`: what they chose. `reset_seq`: events up to it no longer say anything of their taste; None where it was
    never reset. `erased`: what a bundle knows of them must not be used.
    """

    last_event: int
    last_verdict: int
    styles: tuple[str, ...]
    strength: float | None
    reset_seq: int | None
    erased: bool


NOBODY = PersonState(0, 0, (), None, None, erased=False)
"""Somebody of whom nothing is kept, or without an account."""


class PersonStates:
    """Reads the state of persons. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, user_id: str) -> PersonState:
        """The state now. Raises StorageError."""
        parameters = (user_id, user_id, user_hash(user_id), user_id)
        ((event, verdict, styles, strength, reset, erased),) = self._database.rows(_QUERY, parameters)
        chosen = tuple(json.loads(styles)) if styles else ()
        return PersonState(event or 0, verdict or 0, chosen, strength, reset, bool(erased))
