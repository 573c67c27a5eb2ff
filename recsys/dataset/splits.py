"""Splits into train and test: by time, and by the other protocols that results are published with.

`split_by_time`, `rolling_splits` and `leave_last` divide events. A `Holdout` is a whole task: it also has the test
users, their history, and the items that may be recommended; `hold_out` builds one by any `SplitMethod`. Draws depend
only on ids and the seed: neither the order of rows nor other ids in the data change a split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys.dataset.activity import event_shares
from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.dataset.interactions import Interactions
from recsys.errors import DataError
from recsys.rng import derive_seed
from recsys.schema import USER_ID, BoolArray, IntArray

SPLIT_PART = "part"
"""Column of interactions that were imported from two files: one of `SplitPart`."""


class SplitPart(StrEnum):
    """Part of a split that came with the data."""

    TRAIN = "train"
    TEST = "test"


class SplitMethod(StrEnum):
    """Method that selects the test events.

    TIME: test events follow one moment for all users, as in a running shop. LEAVE_LAST: the last events of each user;
    other users' later events are in train (Ji et al. 2023). RANDOM: a share of each user's items at any time (NGCF,
    LightGCN); later events predict earlier ones. STRONG: users that are not in train; some of their items are folded
    in (Liang et al. 2018). COLD_ITEMS: items that are not in train. PREDEFINED: train and test files that came with
    the data.
    """

    TIME = "time"
    LEAVE_LAST = "leave-last"
    RANDOM = "random"
    STRONG = "strong"
    COLD_ITEMS = "cold-items"
    PREDEFINED = "predefined"


class Split(NamedTuple):
    """Two disjoint sets of events over the same identifiers."""

    train: Interactions
    test: Interactions


def split_by_time(interactions: Interactions, test_share: float = 0.2, *, known_users_only: bool = True) -> Split:
    """Split at one moment for all users: train is before it, test from it on.

    Events of one second are never separated.

    Args:
        interactions: all events.
        test_share: approximate share of events in test; see `recsys.dataset.activity.event_shares` for their weights.
        known_users_only: drop test events of users without events in train.

    Raises:
        DataError: all events have one time.
        ValueError: `test_share` is not within (0, 1).
    """
    if not 0.0 < test_share < 1.0:
        raise ValueError(f"test_share {test_share}: must lie between 0 and 1")
    times = np.unique(interactions.timestamps)
    if len(times) < 2:
        raise DataError("all interactions have the same time; import timestamps to split by time, or split at random")
    index = _positions(interactions, [1.0 - test_share])[0]
    # Train keeps at least the first second, even if that one holds most events.
    moment = max(int(interactions.timestamps[index]), int(times[1]))
    train, test = interactions.before(moment), interactions.after(moment)
    if known_users_only:
        test = test.select(np.isin(test.users, train.users))
    return Split(train, test)


def rolling_splits(interactions: Interactions, share: float, rounds: int) -> list[Split]:
    """Split by time several times, earliest first.

    Each split tests on the events that follow its train; its test is in the train of the next one. Test events of
    users without events in train are dropped. Rounds that the times do not allow (all events at once, nothing left to
    train on) are left out, so the list may be empty.

    Args:
        interactions: all events.
        share: approximate share of all events in each test; see `recsys.dataset.activity.event_shares` for their
            weights.
        rounds: number of splits.

    Raises:
        ValueError: `share` is not positive, or `rounds` of it leave nothing to train on.
    """
    if share <= 0 or share * rounds >= 1:
        raise ValueError(f"share {share} in {rounds} rounds: needs to be positive and leave something to train on")
    if not len(interactions):
        return []
    last = len(interactions) - 1
    starts = _positions(interactions, [1.0 - share * left for left in range(rounds, 0, -1)])
    moments = [int(interactions.timestamps[index]) for index in starts] + [int(interactions.timestamps[last]) + 1]
    splits = []
    for start, end in pairwise(moments):
        train, test = interactions.before(start), interactions.after(start).before(end)
        test = test.select(np.isin(test.users, train.users))
        if len(train) and len(test):
            splits.append(Split(train, test))
    return splits


def _positions(interactions: Interactions, parts: Sequence[float]) -> list[int]:
    """Return the indices of the events that come after each of these parts of the log, in (0, 1)."""
    shares = event_shares(interactions)
    before = np.cumsum(shares) - shares
    total = float(shares.sum())
    # Half a unit of rounding: if all events count 1, the index is the product rounded.
    found = np.searchsorted(before, [round(total * part) - 1e-6 for part in parts])
    return [min(len(shares) - 1, int(index)) for index in found]


def leave_last(interactions: Interactions, events: int = 1) -> Split:
    """Split each user's events: the last `events` are test, the earlier ones train.

    Users with no more than `events` stay in train. Events of one second are ordered by item row.
    Raises ValueError if `events` is not positive.
    """
    if events < 1:
        raise ValueError(f"events {events}: must be at least 1")
    # Events are in time order, so counting from the end gives each user's last ones.
    groups = pd.Series(interactions.users).groupby(interactions.users)
    from_end = groups.cumcount(ascending=False).to_numpy()
    total = groups.transform("size").to_numpy()
    last = (from_end < events) & (total > events)
    return Split(interactions.select(~last), interactions.select(last))


@dataclass(frozen=True, slots=True, eq=False)
class Holdout:
    """Evaluation task over U users and I items.

    Attributes:
        train: events that models learn from.
        history: events of the test users that are known when lists are requested. This is `train` itself, except under
            strong generalization: then it is the events that are folded in.
        test: events to be predicted.
        users: (Q,) rows of the test users, ascending.
        items: (I,) True for items that may be recommended.
    """

    train: Interactions
    history: Interactions
    test: Interactions
    users: IntArray
    items: BoolArray

    @property
    def folds_in(self) -> bool:
        """Return True if the test users are not in train, so that models have to fold them in."""
        return self.history is not self.train

    @property
    def in_time(self) -> bool:
        """Return True if all test events are later than all train events."""
        train, test = self.train.timestamps, self.test.timestamps
        return len(train) == 0 or int(train.max()) < int(test.min())


def default_split_method(frame: pd.DataFrame) -> SplitMethod:
    """Return PREDEFINED for interactions that came with a test file, else TIME."""
    return SplitMethod.PREDEFINED if SPLIT_PART in frame else SplitMethod.TIME


def hold_out(
    frame: pd.DataFrame,
    item_ids: ItemIdentifiers,
    method: SplitMethod,
    *,
    share: float = 0.2,
    events: int = 1,
    seed: int = 0,
) -> Holdout:
    """Build a holdout by any method.

    Args:
        frame: interactions as `Project.load_interactions` returns them.
        item_ids: items of the catalog.
        method: split method.
        share: share of events (TIME), of each user's items (RANDOM, STRONG), of users (STRONG) or of items
            (COLD_ITEMS) in test.
        events: test events per user for LEAVE_LAST.
        seed: seed of the draws.

    Raises:
        DataError: the data do not allow this split.
        ValueError: `share` is outside (0, 1), or `events` is below 1.
    """
    if method is SplitMethod.PREDEFINED:
        return predefined_split(frame, item_ids)
    whole = Interactions.from_frame(frame, item_ids)
    match method:
        case SplitMethod.TIME:
            return weak_generalization(split_by_time(whole, share))
        case SplitMethod.LEAVE_LAST:
            return weak_generalization(leave_last(whole, events))
        case SplitMethod.RANDOM:
            return random_per_user(whole, share, seed=seed)
        case SplitMethod.STRONG:
            return strong_generalization(whole, share, share, seed=seed)
        case SplitMethod.COLD_ITEMS:
            return cold_items(whole, share, seed=seed)


def random_per_user(interactions: Interactions, share: float = 0.2, *, seed: int) -> Holdout:
    """Hold out about `share` of each user's items at random; users with one item stay in train.

    All events of a user with an item are in the same part. The number of items is rounded to the nearest, half up,
    and leaves at least one in train. Source: Wang et al. 2019 (NGCF), share 0.2. Raises like `hold_out`.
    """
    return weak_generalization(_random_pairs(interactions, share, seed))


def strong_generalization(
    interactions: Interactions, user_share: float = 0.2, share: float = 0.2, *, seed: int
) -> Holdout:
    """Hold out whole users: some of their items are folded in, the others are test.

    Only users with at least two items are held out: one item is folded in and one is test.
    Source: Marlin 2004; Liang et al. 2018 (Mult-VAE), share 0.2. Raises like `hold_out`.

    Args:
        interactions: all events.
        user_share: share of users that are held out.
        share: share of their items in test, at least one item.
        seed: seed of the draws.
    """
    _check_share(user_share)
    pairs = _pairs(interactions)
    eligible = np.flatnonzero(np.bincount(pairs.users, minlength=interactions.shape[0]) >= 2)
    count = min(max(1, round(user_share * len(eligible))), len(eligible) - 1)
    if count < 1:
        raise DataError("strong generalization needs two users with two items each: one for train, one for test")
    draws = _draws(interactions.user_ids, seed, "held-out users")
    held = eligible[np.argsort(draws[eligible], kind="stable")[:count]]
    others = np.isin(interactions.users, held)
    folded, test = _random_pairs(interactions.select(others), share, seed, least=1)
    train = interactions.select(~others)
    return Holdout(train, folded, test, np.unique(test.users), np.ones(interactions.shape[1], dtype=np.bool_))


def cold_items(interactions: Interactions, share: float = 0.2, *, seed: int, among_all: bool = False) -> Holdout:
    """Hold out items: all events of a share of the items are test.

    Users without events in train are left out. Source: Volkovs et al. 2017 (DropoutNet). Raises like `hold_out`.

    Args:
        interactions: all events.
        share: share of the items with events that are held out.
        seed: seed of the draws.
        among_all: let the held-out items compete with all others; default: only held-out items may be recommended,
            so that only content distinguishes them.
    """
    _check_share(share)
    with_events = np.unique(interactions.items)
    count = min(max(1, round(share * len(with_events))), len(with_events) - 1)
    if count < 1:
        raise DataError("holding items out needs at least two items with events")
    draws = _draws(interactions.item_ids, seed, "cold items")
    cold = np.zeros(interactions.shape[1], dtype=np.bool_)
    cold[with_events[np.argsort(draws[with_events], kind="stable")[:count]]] = True
    held = cold[interactions.items]
    train, test = interactions.select(~held), interactions.select(held)
    known = test.select(np.isin(test.users, train.users))
    return weak_generalization(Split(train, known), np.ones_like(cold) if among_all else cold)


def predefined_split(frame: pd.DataFrame, item_ids: ItemIdentifiers) -> Holdout:
    """Build a holdout from train and test files that were imported together. Raises DataError without a test file."""
    if SPLIT_PART not in frame:
        raise DataError("these interactions came without a test file; `recsys import --test-interactions` takes one")
    user_ids = UserIdentifiers.from_values("user", frame[USER_ID].unique())
    parts = (Interactions.from_frame(frame[frame[SPLIT_PART] == part], item_ids, user_ids) for part in SplitPart)
    return weak_generalization(Split(*parts))


def weak_generalization(split: Split, items: BoolArray | None = None) -> Holdout:
    """Build a holdout whose test users are in train; `items` (I,) default to all. Raises DataError without test."""
    if not len(split.test):
        raise DataError("this split holds out nothing: there are too few events for it")
    allowed = np.ones(split.train.shape[1], dtype=np.bool_) if items is None else items
    return Holdout(split.train, split.train, split.test, np.unique(split.test.users), allowed)


class _Pairs(NamedTuple):
    """Distinct (user, item) pairs of N events; `of_event` (N,) is the index of each event's pair."""

    users: IntArray
    items: IntArray
    of_event: IntArray


def _pairs(interactions: Interactions) -> _Pairs:
    keys, of_event = np.unique(interactions.users * interactions.shape[1] + interactions.items, return_inverse=True)
    users, items = np.divmod(keys, interactions.shape[1])
    return _Pairs(users, items, of_event)


def _random_pairs(interactions: Interactions, share: float, seed: int, least: int = 0) -> Split:
    _check_share(share)
    pairs = _pairs(interactions)
    of_user = _draws(interactions.user_ids, seed, "user")[pairs.users]
    of_item = _draws(interactions.item_ids, seed, "item")[pairs.items]
    # Combine both draws by the finalizer of SplitMix64 (Steele et al. 2014); arithmetic is modulo 2^64.
    mixed = of_user + of_item * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    draws = mixed ^ (mixed >> np.uint64(31))
    # Within each user, pairs in the order of their draws; ties by item.
    order = np.lexsort((pairs.items, draws, pairs.users))
    rank = np.empty(len(order), dtype=np.int64)
    starts = np.searchsorted(pairs.users, pairs.users)  # pairs are sorted by user
    rank[order] = np.arange(len(order)) - starts[order]
    totals = np.bincount(pairs.users, minlength=interactions.shape[0])
    wanted = np.minimum(np.maximum(np.floor(share * totals + 0.5), least), totals - 1)
    held = (rank < wanted[pairs.users])[pairs.of_event]
    return Split(interactions.select(~held), interactions.select(held))


def _draws(ids: UserIdentifiers | ItemIdentifiers, seed: int, purpose: str) -> NDArray[np.uint64]:
    """Return a random number per id, (N,), that depends on no other id: SipHash keyed by seed and purpose."""
    key = f"{derive_seed(seed, 'split', purpose):016x}"
    return np.asarray(pd.util.hash_array(ids.values, hash_key=key, categorize=False), dtype=np.uint64)


def _check_share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError(f"share {share}: must lie between 0 and 1")
