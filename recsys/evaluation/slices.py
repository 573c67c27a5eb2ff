"""Slices of a test that a mean hides: cold items, users with few events, head and tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.dataset.splits import Holdout
from recsys.evaluation.metrics import ACCURACY
from recsys.evaluation.protocol import Result
from recsys.evaluation.significance import Values
from recsys.schema import BoolArray

FEW_EVENTS = 5
HEAD_SHARE = 0.2
"""The short head: this share of the items that anybody touched, the most popular (Abdollahpouri et al. 2019)."""


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Subset of users (U,) or of relevant items (I,) whose values count. Rankings stay those of the whole catalog."""

    name: str
    users: BoolArray | None = None
    items: BoolArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sliced:
    """Slice of a result.

    `places` (n,) of its users in the result, their number of relevant items, and their (n,) values by metric. n may be
    0.
    """

    places: BoolArray
    relevant_items: int
    per_user: dict[str, Values]

    def __len__(self) -> int:
        return int(self.places.sum())


def standard_slices(holdout: Holdout) -> tuple[Slice, ...]:
    """Return the slices: cold items, users with few events, head items and tail items.

    Cold items have no event in train; users with few events have 5 or fewer in the history.

    The head are the most popular fifth of the items with events in train, ties by row; the tail are the others of them.
    """
    touches = np.bincount(holdout.train.items, minlength=len(holdout.items))
    known = np.bincount(holdout.history.users, minlength=holdout.history.shape[0])
    warm = int(np.count_nonzero(touches))
    head = np.zeros(len(touches), dtype=np.bool_)
    head[np.argsort(-touches, kind="stable")[: max(1, round(HEAD_SHARE * warm))]] = True
    head &= touches > 0
    return (
        Slice("cold items", items=touches == 0),
        Slice(f"users with {FEW_EVENTS} events or fewer", users=known <= FEW_EVENTS),
        Slice("head items", items=head),
        Slice("tail items", items=(touches > 0) & ~head),
    )


def slice_result(result: Result, part: Slice) -> Sliced:
    """Compute the accuracy metrics of one slice.

    A user counts in a slice of items if one of them is relevant to the user.
    """
    relevant = result.relevant
    if part.items is not None:
        kept = np.where(part.items[relevant.indices], relevant.data, 0.0)
        # A copy: dropping zeros writes into the indices, which would be the result's own.
        relevant = csr_matrix((kept, relevant.indices, relevant.indptr), shape=relevant.shape, copy=True)
        relevant.eliminate_zeros()
    places = np.diff(relevant.indptr) > 0
    if part.users is not None:
        places &= part.users[result.users]
    wanted = relevant[np.flatnonzero(places)]
    values = {name: metric(result.rows[places], wanted) for name, metric in ACCURACY.items()}
    return Sliced(places, int(wanted.nnz), values)
