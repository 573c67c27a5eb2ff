"""One profile for everybody: people with a history, with a few clicks, with a chosen style, or with nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.models.als import AlsModel
from recsys.models.item_item import ItemItemModel
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import Taste, TasteModel, event_say
from recsys.schema import Basis, FloatArray, IntArray, ItemId, UserId, UserRow


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What one request knows of a person.

    `liked` (n,) item rows with their say (n,) > 0, `touched` (m,) all item rows ever touched, `events` (1, I) the
    weights that factors were folded in from, `factors` (F,) and `neighbors` (I,), what the likes say for each item by
    what else the same people like; both None where there are no likes. `told` (t,) are the liked items that the taste
    is drawn from: all of them, or, once it was reset, those of this session.
    """

    liked: IntArray
    say: FloatArray
    touched: IntArray
    events: csr_matrix
    factors: FloatArray | None
    neighbors: FloatArray | None
    taste: Taste
    basis: Basis
    told: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Profiler:
    """Makes profiles from what was learned.

    `recent` (U, I) are event weights faded by age, for taste; `events` of the factor model are not faded; `seen`
    (U, I) stores an entry wherever a user touched an item in any way.
    """

    user_ids: UserIdentifiers
    item_ids: ItemIdentifiers
    factors: AlsModel
    neighbors: ItemItemModel
    recent: csr_matrix
    seen: csr_matrix
    space: StyleSpace
    taste: TasteModel

    def profile(
        self,
        user_id: UserId | None = None,
        session: Mapping[ItemId, float] | None = None,
        chosen: Sequence[FloatArray] = (),
        *,
        fresh_taste: bool = False,
    ) -> Profile:
        """The profile of a user, with the events of this session, item id to weight, and chosen style vectors.

        An unknown user is one without a history. Chosen styles are the taste, whatever was touched. `fresh_taste`: of
        the taste, the history says nothing, but of all else. Raises UnknownIdError for an item of the session that the
        catalog does not have.
        """
        row = self.user_ids.row(user_id) if user_id is not None and user_id in self.user_ids else None
        return self.of_row(row, self._session_row(session) if session else None, chosen, fresh_taste=fresh_taste)

    def of_row(
        self,
        row: UserRow | None,
        session: csr_matrix | None = None,
        chosen: Sequence[FloatArray] = (),
        *,
        fresh_taste: bool = False,
    ) -> Profile:
        """The same for a user's row (None: nobody known) and a session's events (1, I)."""
        events, touched = self._history(row)
        if session is not None and session.nnz:
            events = csr_matrix(events + session)
            touched = np.union1d(touched, session.indices)
            recent = csr_matrix((self._session_row({}) if row is None else self.recent[row]) + session)
            liked, say = _likes(recent.indices, recent.data)
        else:
            liked, say = _likes(*_entries(self.recent, row))
        factors = self._factors(row, events, fresh=session is not None and session.nnz > 0) if len(liked) else None
        told, taste = (
            self._fresh_taste(session, chosen) if fresh_taste else (liked, self._taste(liked, say, factors, chosen))
        )
        return Profile(
            liked=liked,
            say=say,
            touched=touched,
            events=events,
            factors=factors,
            neighbors=self.neighbors.evidence(events)[0] if len(liked) else None,
            taste=taste,
            basis=_basis(row is not None and len(liked) > 0, len(liked) > 0, bool(chosen)),
            told=told,
        )

    def _fresh_taste(self, session: csr_matrix | None, chosen: Sequence[FloatArray]) -> tuple[IntArray, Taste]:
        """As of somebody who has done nothing but what is in this session."""
        events = self._session_row({}) if session is None else session
        liked, say = _likes(events.indices, events.data)
        factors = np.asarray(self.factors.fold_in(events)[0]) if len(liked) else None
        return liked, self._taste(liked, say, factors, chosen)

    def _history(self, row: UserRow | None) -> tuple[csr_matrix, IntArray]:
        """Events (1, I), and the rows of all items touched."""
        if row is None:
            return self._session_row({}), np.zeros(0, dtype=np.int64)
        return self.factors.viewed[row], _entries(self.seen, row)[0].astype(np.int64)

    def _session_row(self, session: Mapping[ItemId, float]) -> csr_matrix:
        rows = self.item_ids.rows(list(session))
        weights = np.array(list(session.values()), dtype=np.float32)
        return csr_matrix((weights, (np.zeros_like(rows), rows)), shape=(1, len(self.item_ids)))

    def _factors(self, row: UserRow | None, events: csr_matrix, *, fresh: bool) -> FloatArray:
        if row is not None and not fresh:
            return np.asarray(self.factors.user_factors[row])
        return np.asarray(self.factors.fold_in(events)[0])

    def _taste(
        self, liked: IntArray, say: FloatArray, factors: FloatArray | None, chosen: Sequence[FloatArray]
    ) -> Taste:
        if chosen:
            directions = np.stack([self.space.to_direction(style) for style in chosen])
            return Taste(directions, np.full(len(chosen), 1.0 / len(chosen), dtype=np.float32))
        return self.taste.taste(self.space, liked, say, factors)


def _entries(matrix: csr_matrix, row: UserRow | None) -> tuple[NDArray[np.int32], FloatArray]:
    """Columns and data of one row, none of no row: views, where slicing makes a matrix."""
    places = slice(0, 0) if row is None else slice(matrix.indptr[row], matrix.indptr[row + 1])
    return np.asarray(matrix.indices[places]), np.asarray(matrix.data[places])


def _likes(items: NDArray[np.int32], weights: FloatArray) -> tuple[IntArray, FloatArray]:
    """The item rows (n,) of events of positive weights, and their say (n,)."""
    positive = weights > 0
    return items[positive].astype(np.int64), event_say(weights[positive])


def _basis(history: bool, likes: bool, chosen: bool) -> Basis:
    if history:
        return Basis.HISTORY
    if likes:
        return Basis.SESSION
    return Basis.STYLES if chosen else Basis.POPULAR
