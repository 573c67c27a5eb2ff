"""Profiles for users with a history, with a few clicks, with a chosen style, or with nothing, all of one type."""

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
from recsys.profiles.taste import Taste, TasteModel, evidence_weights
from recsys.schema import Basis, FloatArray, IntArray, ItemId, UserId, UserRow


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Facts about the user or session behind one request.

    Attributes:
        liked: (n,) rows of liked items.
        weights: (n,) how much each liked item counts as evidence of taste, above 0.
        interacted: (m,) rows of all items with at least one interaction.
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
        interacted: (U, I) an entry for each pair with at least one interaction.
        space: Style space of the items.
        taste: Model that derives a taste from likes and factors.
    """

    user_ids: UserIdentifiers
    item_ids: ItemIdentifiers
    factors: AlsModel
    neighbors: ItemItemModel
    recent: csr_matrix
    interacted: csr_matrix
    space: StyleSpace
    taste: TasteModel

    def profile(
        self,
        user_id: UserId | None = None,
        session: Mapping[ItemId, float] | None = None,
        chosen: Sequence[FloatArray] = (),
        *,
        ignore_style_history: bool = False,
    ) -> Profile:
        """Build the profile of a user or an anonymous session.

        Args:
            user_id: An unknown user has no history, like None.
            session: Events of this session, item id to weight.
            chosen: Style vectors (128,) that the user chose; they replace the taste from events.
            ignore_style_history: Derive the taste from this session only; everything else still uses the history.

        Raises:
            UnknownIdError: If the catalog does not have an item of the session.
        """
        row = self.user_ids.row(user_id) if user_id is not None and user_id in self.user_ids else None
        events = self._session_row(session) if session else None
        return self.profile_of_row(row, events, chosen, ignore_style_history=ignore_style_history)

    def profile_of_row(
        self,
        row: UserRow | None,
        session: csr_matrix | None = None,
        chosen: Sequence[FloatArray] = (),
        *,
        ignore_style_history: bool = False,
    ) -> Profile:
        """Build the profile of a user's row (None: no history) with a session's events (1, I); see `profile`."""
        if row is None:
            events, interacted = self._session_row({}), np.zeros(0, dtype=np.int64)
        else:
            events, interacted = self.factors.history[row], _entries(self.interacted, row)[0].astype(np.int64)
        trained = row is not None
        if session is not None and session.nnz:
            trained = False
            events = csr_matrix(events + session)
            interacted = np.union1d(interacted, session.indices)
            recent = csr_matrix((self._session_row({}) if row is None else self.recent[row]) + session)
            liked, weights = _likes(recent.indices, recent.data)
        else:
            liked, weights = _likes(*_entries(self.recent, row))
        factors = None
        if len(liked):
            # Trained factors hold for a history without new events; otherwise events are folded in.
            factors = np.asarray(self.factors.user_factors[row] if trained else self.factors.fold_in(events)[0])
        if ignore_style_history:
            taste_items, taste = self._session_taste(session, chosen)
        else:
            taste_items, taste = liked, self._taste(liked, weights, factors, chosen)
        basis = Basis.STYLES if chosen else Basis.POPULAR
        if len(liked):
            basis = Basis.SESSION if row is None else Basis.HISTORY
        return Profile(
            liked=liked,
            weights=weights,
            interacted=interacted,
            events=events,
            factors=factors,
            neighbors=self.neighbors.evidence(events)[0] if len(liked) else None,
            taste=taste,
            basis=basis,
            taste_items=taste_items,
        )

    def _session_taste(self, session: csr_matrix | None, chosen: Sequence[FloatArray]) -> tuple[IntArray, Taste]:
        """Return the liked items of this session and their taste, as for a user without a history."""
        events = self._session_row({}) if session is None else session
        liked, weights = _likes(events.indices, events.data)
        factors = np.asarray(self.factors.fold_in(events)[0]) if len(liked) else None
        return liked, self._taste(liked, weights, factors, chosen)

    def _session_row(self, session: Mapping[ItemId, float]) -> csr_matrix:
        rows = self.item_ids.rows(list(session))
        weights = np.array(list(session.values()), dtype=np.float32)
        return csr_matrix((weights, (np.zeros_like(rows), rows)), shape=(1, len(self.item_ids)))

    def _taste(
        self, liked: IntArray, weights: FloatArray, factors: FloatArray | None, chosen: Sequence[FloatArray]
    ) -> Taste:
        if chosen:
            directions = np.stack([self.space.to_direction(style) for style in chosen])
            return Taste(directions, np.full(len(chosen), 1.0 / len(chosen), dtype=np.float32))
        return self.taste.taste(self.space, liked, weights, factors)


def _entries(matrix: csr_matrix, row: UserRow | None) -> tuple[NDArray[np.int32], FloatArray]:
    """Return the columns and data of one row, nothing for None: views, since slicing would build a matrix."""
    entries = slice(0, 0) if row is None else slice(matrix.indptr[row], matrix.indptr[row + 1])
    return np.asarray(matrix.indices[entries]), np.asarray(matrix.data[entries])


def _likes(items: NDArray[np.int32], weights: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the item rows (n,) of events with positive weights, and their weights as evidence (n,)."""
    positive = weights > 0
    return items[positive].astype(np.int64), evidence_weights(weights[positive])
