"""Full-ranking evaluation: every user's test items against the whole catalog.

Sampled negatives can turn the order of models around (Krichene and Rendle 2020). They are there to compare with tables
that were made so, only when asked for, and every name and table that comes of them says "sampled".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.dataset.splits import Holdout
from recsys.errors import DataError, RequestError
from recsys.evaluation.beyond_accuracy import coverage
from recsys.evaluation.metrics import ACCURACY
from recsys.evaluation.significance import Values
from recsys.models.base import Model, canonical, mask_viewed
from recsys.ranked import check_k, top_k
from recsys.rng import generator
from recsys.schema import BoolArray, FloatArray, IntArray

ScoreFunction = Callable[[IntArray], FloatArray]
"""Scores of all items for user rows: (Q,) to (Q, I)."""
Progress = Callable[[int], object]
"""Told how many more users are done."""

_LARGEST_BATCH = 512
_SCORES_HELD = 1 << 24
"""Scores held at once by default: 64 MB, and a few times that while they are ranked."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Result of an evaluation.

    k: length of the rankings. users: (Q,) the rows measured, in the order given. skipped: how many were left out
    because nothing in the test is relevant to them. rows: (Q, k) what each was shown. relevant: (Q, I) what they would
    have had to be shown. per_user: (Q,) values by metric name. coverage: share of the catalog shown to anybody.
    sampled: how many negatives each user's relevant items were ranked against; None, as it should be: all.
    """

    k: int
    users: IntArray
    skipped: int
    rows: IntArray
    relevant: csr_matrix
    per_user: Mapping[str, Values]
    coverage: float
    sampled: int | None = None

    @property
    def summary(self) -> dict[str, float]:
        """Means over users, named like "ndcg@10" (or "ndcg@10 (sampled 100)"), and "coverage@10"."""
        means = {name: float(values.mean()) for name, values in self.per_user.items()}
        return {at_k(name, self.k, self.sampled): value for name, value in {**means, "coverage": self.coverage}.items()}


def at_k(name: str, k: int, sampled: int | None = None) -> str:
    """Return a metric's name with its list length, and a note if it is sampled."""
    return f"{name}@{k}" if sampled is None else f"{name}@{k} (sampled {sampled})"


def evaluate(
    model: Model | ScoreFunction,
    train: csr_matrix,
    test: csr_matrix,
    users: IntArray | None = None,
    *,
    k: int = 10,
    filter_viewed: bool = True,
    batch: int | None = None,
    items: BoolArray | None = None,
    sampled: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Result:
    """Rank all items for each of `users` (Q,) (default: all rows) and compare with their test events.

    `train` and `test` are (U, I) signed event weights. Relevant items are the positive test entries. With
    `filter_viewed`, items stored in `train` are neither shown nor relevant: what may not be shown cannot be
    missed; nor are items outside `items` (I,), by default all.
    `batch` users are scored at once; by default as many as keep memory bounded, whatever the catalog's size.
    `sampled`: rank relevant items against this many others alone, drawn anew for each user from `seed`.
    `progress` is told of each batch, and of those skipped.
    Raises DataError if the shapes differ or no user has a relevant item, RequestError for `sampled` below 1.
    """
    check_k(k)
    if sampled is not None and sampled < 1:
        raise RequestError("sampled", f"must be at least 1, not {sampled}; leave it out to rank the whole catalog")
    if train.shape != test.shape:
        raise DataError(f"train {train.shape} and test {test.shape} must have the same users and items")
    asked = np.arange(train.shape[0]) if users is None else np.asarray(users, dtype=np.int64)
    viewed = canonical(train) if filter_viewed else None
    relevant = _relevant(canonical(test), viewed, items)
    measured = asked[np.diff(relevant.indptr)[asked] > 0]
    if len(measured) == 0:
        raise DataError(f"none of {len(asked)} users has a relevant item in the test: nothing can be measured")
    if items is not None and items.all():
        items = None
    done = progress or (lambda _: None)
    done(len(asked) - len(measured))
    score = model.scores if isinstance(model, Model) else model
    size = batch or max(1, min(_LARGEST_BATCH, _SCORES_HELD // train.shape[1]))
    ranked = []
    for part in np.split(measured, range(size, len(measured), size)):
        scores = np.array(score(part), dtype=np.float32)
        if viewed is not None:
            mask_viewed(scores, viewed[part])
        allowed = items if sampled is None else _candidates(scores, relevant[part], part, items, sampled, seed)
        ranked.append(top_k(scores, k, allowed).rows)
        done(len(part))
    rows, wanted = np.vstack(ranked), relevant[measured]
    return Result(
        k=k,
        users=measured,
        skipped=len(asked) - len(measured),
        rows=rows,
        relevant=wanted,
        per_user={name: metric(rows, wanted) for name, metric in ACCURACY.items()},
        coverage=coverage(rows, train.shape[1]),
        sampled=sampled,
    )


def evaluate_holdout(
    model: Model | ScoreFunction,
    holdout: Holdout,
    *,
    k: int = 10,
    sampled: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Result:
    """Ask a model that was fitted on `holdout.train` for what is held out; see `evaluate`.

    Whatever a user has touched in the history is neither shown nor relevant. Strangers to the train are folded in from
    their history; a score function has to do so itself.
    """
    return evaluate(
        scorer(model, holdout),
        holdout.history.interaction_mask().astype(np.float32),
        holdout.test.matrix(),
        holdout.users,
        k=k,
        items=holdout.items,
        sampled=sampled,
        seed=seed,
        progress=progress,
    )


def scorer(model: Model | ScoreFunction, holdout: Holdout) -> ScoreFunction:
    """Return the score function of a model for the users of a holdout.

    Users known to the model are scored by their rows, others are folded in from their history.
    """
    if not isinstance(model, Model):
        return model
    if not holdout.folds_in:
        return model.scores
    history, fold_in = holdout.history.matrix(), model.fold_in_scores
    return lambda users: fold_in(history[users])


def _relevant(test: csr_matrix, viewed: csr_matrix | None, items: BoolArray | None) -> csr_matrix:
    """1 where the test is positive and, if given, nothing is stored in `viewed` and the item is one of `items`."""
    relevant = csr_matrix(test > 0, dtype=np.float32)
    if viewed is not None:
        stored = csr_matrix((np.ones_like(viewed.data), viewed.indices, viewed.indptr), shape=viewed.shape)
        relevant = csr_matrix(relevant - relevant.multiply(stored))
    if items is not None:
        relevant.data[~items[relevant.indices]] = 0.0
    relevant.eliminate_zeros()
    return relevant


def _candidates(
    scores: FloatArray, relevant: csr_matrix, users: IntArray, items: BoolArray | None, sampled: int, seed: int
) -> BoolArray:
    """(Q, I): the relevant items of each user, and `sampled` others that may be shown, or as many as there are."""
    wanted = relevant.toarray() > 0
    others = (scores > -np.inf) & ~wanted
    if items is not None:
        others &= items
    for place, user in enumerate(users.tolist()):
        pool = np.flatnonzero(others[place])
        if len(pool) > sampled:
            drawn = generator(seed, "negatives", user).choice(pool, sampled, replace=False)
            others[place] = False
            others[place, drawn] = True
    return np.asarray(wanted | others)
