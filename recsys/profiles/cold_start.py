"""Profiles for users with a history, with a few clicks, with a chosen style, or with nothing, all of one type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.config import EventSettings
from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.models.als import AlsModel
from recsys.models.item_item import ItemItemModel
from recsys.profiles.session import ItemState, share_left
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import Taste, TasteModel, evidence_weights
from recsys.schema import Basis, FloatArray, IntArray, ItemId, Kinds, UserId, UserRow


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Facts about the user or session behind one request.

    Attributes:
        liked: (n,) rows of liked items.
        weights: (n,) how much each liked item counts as evidence of taste, above 0.
        interacted: (m,) rows of all items with at least one event that stands, ascending.
        kinds: (m,) uint8 the kinds of these events, as `recsys.schema.Kinds`.
        events: (1, I) the event weights from which factors were folded in.
        factors: (F,) user factors; None without likes.
        neighbors: (I,) evidence for each item from co-liked items; None without likes.
        taste: The preferred style.
        basis: Kind of evidence behind the profile.
        taste_items: (t,) rows of the liked items behind the taste: all of `liked`, or only those of this session after
            the user has reset their taste.
    """

    liked: IntArray
    weights: FloatArray
    interacted: IntArray
    kinds: NDArray[np.uint8]
    events: csr_matrix
    factors: FloatArray | None
    neighbors: FloatArray | None
    taste: Taste
    basis: Basis
    taste_items: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Profiler:
    """Builds profiles from a trained bundle.

    Attributes:
        user_ids: Ids of the U users with a history.
        item_ids: Ids of the I items.
        factors: Factor model; its own events are not faded by age.
        neighbors: Item-item model.
        recent: (U, I) event weights faded by age, for taste.
        interacted: (U, I) uint8 the kinds of events of each pair with at least one, as `recsys.schema.Kinds`.
        space: Style space of the items.
        taste: Model that derives a taste from likes and factors.
        weights: Weights of events, to take back parts of a history.
    """

    user_ids: UserIdentifiers
    item_ids: ItemIdentifiers
    factors: AlsModel
    neighbors: ItemItemModel
    recent: csr_matrix
    interacted: csr_matrix
    space: StyleSpace
    taste: TasteModel
    weights: EventSettings

    def profile(
        self,
        user_id: UserId | None = None,
        session: Mapping[ItemId, ItemState] | None = None,
        chosen: Sequence[FloatArray] = (),
        *,
        ignore_style_history: bool = False,
        merged: Sequence[UserId] = (),
    ) -> Profile:
        """Build the profile of a user or an anonymous session.

        Args:
            user_id: An unknown user has no history, like None.
            merged: Other ids of the same person, such as that of the visitor before the login.
            session: Items of this session with their states.
            chosen: Style vectors (128,) that the user chose; they replace the taste from events.
            ignore_style_history: Derive the taste from this session only; everything else still uses the history.

        Raises:
            UnknownIdError: If the catalog does not have an item of the session.
        """
        ids = [] if user_id is None else [one for one in (user_id, *merged) if one in self.user_ids]
        rows = [self.user_ids.row(one) for one in ids]
        return self._profile_of_rows(rows, session, chosen, ignore_style_history=ignore_style_history)

    def profile_of_row(self, row: UserRow) -> Profile:
        """Build the profile of a user's row."""
        return self._profile_of_rows([row], None, (), ignore_style_history=False)

    def _profile_of_rows(
        self,
        rows: Sequence[UserRow],
        session: Mapping[ItemId, ItemState] | None,
        chosen: Sequence[FloatArray],
        *,
        ignore_style_history: bool,
    ) -> Profile:
        """Build the profile of the rows of one person, mostly one, none without a history; see `profile`."""
        row = rows[0] if len(rows) == 1 else None
        events = self._history(self.factors.history, rows)
        interacted, kinds = self._kinds(rows)
        if session:
            states = dict(zip(self.item_ids.rows(list(session)).tolist(), session.values(), strict=True))
            before = {column: Kinds(kind) for column, kind in zip(interacted.tolist(), kinds.tolist(), strict=True)}
            events = self._with_session(events, before, states)
            recent = self._with_session(self._history(self.recent, rows), before, states)
            liked, weights = _likes(recent.indices, recent.data)
            interacted, kinds = _merge_kinds(interacted, kinds, states)
        elif len(rows) > 1:
            recent = self._history(self.recent, rows)
            liked, weights = _likes(recent.indices, recent.data)
        else:
            liked, weights = _likes(*_entries(self.recent, row))
        factors = None
        if len(liked):
            # Trained factors hold for a history without new events; otherwise events are folded in.
            trained = self.factors.user_factors[row] if row is not None and not session else None
            factors = np.asarray(self.factors.fold_in(events)[0] if trained is None else trained)
        if ignore_style_history:
            taste_items, taste = self._session_taste(session, chosen)
        else:
            taste_items, taste = liked, self._taste(liked, weights, factors, chosen)
        basis = Basis.STYLES if chosen else Basis.POPULAR
        if len(liked):
            basis = Basis.HISTORY if rows else Basis.SESSION
        return Profile(
            liked=liked,
            weights=weights,
            interacted=interacted,
            kinds=kinds,
            events=events,
            factors=factors,
            neighbors=self.neighbors.evidence(events)[0] if len(liked) else None,
            taste=taste,
            basis=basis,
            taste_items=taste_items,
        )

    def _session_taste(
        self, session: Mapping[ItemId, ItemState] | None, chosen: Sequence[FloatArray]
    ) -> tuple[IntArray, Taste]:
        """Return the liked items of this session and their taste, as for a user without a history."""
        states = session or {}
        rows = self.item_ids.rows(list(states)).tolist()
        weights = {row: state.weight for row, state in zip(rows, states.values(), strict=True) if state.weight}
        events = self._row(weights)
        liked, evidence = _likes(events.indices, events.data)
        factors = np.asarray(self.factors.fold_in(events)[0]) if len(liked) else None
        return liked, self._taste(liked, evidence, factors, chosen)

    def _history(self, matrix: csr_matrix, rows: Sequence[UserRow]) -> csr_matrix:
        """Return the sum (1, I) of some rows of a matrix of weights (U, I)."""
        if len(rows) == 1:
            return matrix[rows[0]]
        return csr_matrix(sum((matrix[row] for row in rows), self._row({})))

    def _kinds(self, rows: Sequence[UserRow]) -> tuple[IntArray, NDArray[np.uint8]]:
        """Return item rows (m,), ascending, and the kinds of their events (m,), of some rows of users together."""
        entries = [_entries(self.interacted, row) for row in rows]
        if len(entries) == 1:
            return entries[0][0].astype(np.int64), entries[0][1].astype(np.uint8)
        columns = np.concatenate([np.zeros(0, dtype=np.int64), *(each for each, _ in entries)])
        items, positions = np.unique(columns, return_inverse=True)
        kinds = np.zeros(len(items), dtype=np.uint8)
        np.bitwise_or.at(kinds, positions, np.concatenate([np.zeros(0, np.uint8), *(bits for _, bits in entries)]))
        return items.astype(np.int64), kinds

    def _row(self, weights: Mapping[int, float]) -> csr_matrix:
        """Return weights by item row as a matrix (1, I)."""
        columns = np.array(list(weights), dtype=np.int64)
        values = np.array(list(weights.values()), dtype=np.float32)
        return csr_matrix((values, (np.zeros_like(columns), columns)), shape=(1, len(self.item_ids)))

    def _with_session(
        self, history: csr_matrix, before: Mapping[int, Kinds], states: Mapping[int, ItemState]
    ) -> csr_matrix:
        """Return the weights of a history (1, I) after a session: less what it takes back, plus what it adds."""
        added = {row: state.weight for row, state in states.items() if state.weight}
        changed: dict[int, float] = {}
        for row, state in states.items():
            earlier = before.get(row, Kinds.NONE)
            if state.kinds & Kinds.DISLIKE:
                # A dislike replaces everything before it.
                changed[row] = 0.0
            elif earlier & state.undone:
                changed[row] = share_left(earlier, state.undone, self.weights)
            elif earlier & Kinds.DISLIKE:
                # A dislike that stands is not outweighed by views.
                added.pop(row, None)
        if changed:
            factors = np.array([changed.get(row, 1.0) for row in history.indices.tolist()], dtype=np.float32)
            history = csr_matrix((history.data * factors, history.indices, history.indptr), shape=history.shape)
        return csr_matrix(history + self._row(added))

    def _taste(
        self, liked: IntArray, weights: FloatArray, factors: FloatArray | None, chosen: Sequence[FloatArray]
    ) -> Taste:
        if chosen:
            directions = np.stack([self.space.to_direction(style) for style in chosen])
            return Taste(directions, np.full(len(chosen), 1.0 / len(chosen), dtype=np.float32))
        return self.taste.taste(self.space, liked, weights, factors)


def _merge_kinds(
    interacted: IntArray, kinds: NDArray[np.uint8], states: Mapping[int, ItemState]
) -> tuple[IntArray, NDArray[np.uint8]]:
    """Return the rows (m,) and kinds (m,) of a history after a session; items without events that stand are gone."""
    rows = np.union1d(interacted, np.array(list(states), dtype=np.int64))
    merged = np.zeros(len(rows), dtype=np.uint8)
    merged[np.searchsorted(rows, interacted)] = kinds
    for row, state in states.items():
        position = np.searchsorted(rows, row)
        merged[position] = (int(merged[position]) & ~int(state.undone)) | int(state.kinds)
    return rows[merged != 0], merged[merged != 0]


def _entries(matrix: csr_matrix, row: UserRow | None) -> tuple[NDArray[np.int32], FloatArray]:
    """Return the columns and data of one row, nothing for None: views, since slicing would build a matrix."""
    entries = slice(0, 0) if row is None else slice(matrix.indptr[row], matrix.indptr[row + 1])
    return np.asarray(matrix.indices[entries]), np.asarray(matrix.data[entries])


def _likes(items: NDArray[np.int32], weights: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the item rows (n,) of events with positive weights, and their weights as evidence (n,)."""
    positive = weights > 0
    return items[positive].astype(np.int64), evidence_weights(weights[positive])
