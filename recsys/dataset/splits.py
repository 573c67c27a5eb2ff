"""What is learned from and what is asked: splits by time, and the other protocols that results are published under.

`split_by_time`, `rolling_splits` and `leave_last` cut events in two. A `Holdout` says the rest, too: who is asked, what
is known of them then, and what may be recommended; `hold_out` makes one by any `SplitMethod`. Draws depend on ids and
the seed alone, so neither the order of rows nor who else is in the data changes a split.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.dataset.interactions import Interactions
from recsys.errors import DataError
from recsys.rng import derive_seed
from recsys.schema import USER_ID, BoolArray, IntArray

PART = "part"
"""Column of imported interactions that came in two files: one of `Part`."""


class Part(StrEnum):
    """The parts of a split that came with the data."""

    TRAIN = "train"
    TEST = "test"


class SplitMethod(StrEnum):
    """How events are held out.

    TIME: one moment for all; nothing later is learned from, so it is what a shop meets. LEAVE_LAST: the last events of
    each person; others' later events are in the train (Ji et al. 2023). RANDOM: a share of each person's items,
    whenever they were (NGCF, LightGCN); the past is told by the future. STRONG: people of whom nothing is learned, part
    of whose items is folded in when they are asked (Liang et al. 2018). COLD_ITEMS: items of which nothing is learned.
    PREDEFINED: the train and test files that came with the data.
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
    """One moment for all users: train is before it, test from it on; it leaves about `test_share` to test.

    Events of one second are never parted. `known_users_only` drops test events of users without any in train.
    Raises DataError where all events have one time, ValueError where `test_share` is not within (0, 1).
    """
    if not 0.0 < test_share < 1.0:
        raise ValueError(f"test_share {test_share}: must lie between 0 and 1")
    times = np.unique(interactions.timestamps)
    if len(times) < 2:
        raise DataError("all interactions have the same time; import timestamps to split by time, or split at random")
    place = int(len(interactions) * (1.0 - test_share))
    # Train keeps at least the first second, even where that one holds most events.
    moment = max(int(interactions.timestamps[place]), int(times[1]))
    train, test = interactions.before(moment), interactions.after(moment)
    if known_users_only:
        test = test.select(np.isin(test.users, train.users))
    return Split(train, test)


def rolling_splits(interactions: Interactions, share: float, rounds: int) -> list[Split]:
    """Several splits by time, earliest first: each tests on about `share` of the events that follow its train.

    The test of one is in the train of the next; test events of users without any in train are dropped. Rounds that
    the times do not allow (all events at once, nothing left to train on) are left out, so there may be none.
    Raises ValueError where `share` is not positive or `rounds` of it leave nothing to train on.
    """
    if share <= 0 or share * rounds >= 1:
        raise ValueError(f"share {share} in {rounds} rounds: needs to be positive and leave something to train on")
    if not len(interactions):
        return []
    last = len(interactions) - 1
    places = [min(last, round(len(interactions) * (1.0 - share * left))) for left in range(rounds, 0, -1)]
    moments = [int(interactions.timestamps[place]) for place in places] + [int(interactions.timestamps[last]) + 1]
    splits = []
    for start, end in pairwise(moments):
        train, test = interactions.before(start), interactions.after(start).before(end)
        test = test.select(np.isin(test.users, train.users))
        if len(train) and len(test):
            splits.append(Split(train, test))
    return splits


def leave_last(interactions: Interactions, events: int = 1) -> Split:
    """The last `events` events of each user are test, the earlier ones train.

    Users with no more than `events` stay in train whole. Among events of one second the order is by item row.
    Raises ValueError where `events` is not positive.
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
    """One task: all parts are over the same users U and items I.

    train: what models may learn from. history: what is known of those asked when they are asked; `train` itself, but
    under strong generalization what is folded in. test: what they did, to be predicted. users: (Q,) their rows,
    ascending. items: (I,) True for what may be recommended.
    """

    train: Interactions
    history: Interactions
    test: Interactions
    users: IntArray
    items: BoolArray

    @property
    def folds_in(self) -> bool:
        """Whether those asked are strangers to the train, so that models have to fold them in."""
        return self.history is not self.train

    @property
    def in_time(self) -> bool:
        """Whether all that is asked for came after all that may be learned from."""
        train, test = self.train.timestamps, self.test.timestamps
        return len(train) == 0 or int(train.max()) < int(test.min())


def usual_method(frame: pd.DataFrame) -> SplitMethod:
    """PREDEFINED for interactions that came with a test file, else TIME."""
    return SplitMethod.PREDEFINED if PART in frame else SplitMethod.TIME


def hold_out(
    frame: pd.DataFrame,
    item_ids: ItemIdentifiers,
    method: SplitMethod,
    *,
    share: float = 0.2,
    events: int = 1,
    seed: int = 0,
) -> Holdout:
    """Hold out by `method` from interactions as `Project.load_interactions` gives them.

    `share` of events (TIME), of each person's items (RANDOM, STRONG), of people (STRONG) or of items (COLD_ITEMS) is
    held out; `events` per person for LEAVE_LAST. Raises DataError where the data do not allow it, ValueError for a
    `share` outside (0, 1) or fewer than one of `events`.
    """
    if method is SplitMethod.PREDEFINED:
        return predefined(frame, item_ids)
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
    """About `share` of each user's items are test, at random; users with one item stay in train.

    All events of a user with an item go the same way. The number is rounded to the nearest, half up, and leaves at
    least one item in train. Source: Wang et al. 2019 (NGCF), where the share is 0.2. Raises like `hold_out`.
    """
    return weak_generalization(_random_pairs(interactions, share, seed))


def strong_generalization(interactions: Interactions, people: float = 0.2, share: float = 0.2, *, seed: int) -> Holdout:
    """A share of `people` is not learned from; of their items `share` (at least one) is asked for, the rest folded in.

    Held out are users with at least two items, as one has to be folded in and one asked for.
    Source: Marlin 2004; Liang et al. 2018 (Mult-VAE), where share is 0.2. Raises like `hold_out`.
    """
    _check_share(people)
    pairs = _pairs(interactions)
    eligible = np.flatnonzero(np.bincount(pairs.users, minlength=interactions.shape[0]) >= 2)
    count = min(max(1, round(people * len(eligible))), len(eligible) - 1)
    if count < 1:
        raise DataError("strong generalization needs two users with two items each: one to learn from, one to ask")
    draws = _draws(interactions.user_ids, seed, "held-out users")
    held = eligible[np.argsort(draws[eligible], kind="stable")[:count]]
    others = np.isin(interactions.users, held)
    folded, test = _random_pairs(interactions.select(others), share, seed, least=1)
    train = interactions.select(~others)
    return Holdout(train, folded, test, np.unique(test.users), np.ones(interactions.shape[1], dtype=np.bool_))


def cold_items(interactions: Interactions, share: float = 0.2, *, seed: int, among_all: bool = False) -> Holdout:
    """A share of the items that have events is taken out of train whole; these are what is asked for.

    By default only they may be recommended, so that content is what tells them apart; with `among_all` they compete
    with all others. Users without any event in train are not asked. Source: Volkovs et al. 2017 (DropoutNet).
    Raises like `hold_out`.
    """
    _check_share(share)
    touched = np.unique(interactions.items)
    count = min(max(1, round(share * len(touched))), len(touched) - 1)
    if count < 1:
        raise DataError("holding items out needs at least two items with events")
    draws = _draws(interactions.item_ids, seed, "cold items")
    cold = np.zeros(interactions.shape[1], dtype=np.bool_)
    cold[touched[np.argsort(draws[touched], kind="stable")[:count]]] = True
    held = cold[interactions.items]
    train, test = interactions.select(~held), interactions.select(held)
    known = test.select(np.isin(test.users, train.users))
    return weak_generalization(Split(train, known), np.ones_like(cold) if among_all else cold)


def predefined(frame: pd.DataFrame, item_ids: ItemIdentifiers) -> Holdout:
    """The train and test files that were imported together; raises DataError where there was no test file."""
    if PART not in frame:
        raise DataError("these interactions came without a test file; `recsys import --test-interactions` takes one")
    user_ids = UserIdentifiers.of("user", frame[USER_ID].unique())
    parts = (Interactions.from_frame(frame[frame[PART] == part], item_ids, user_ids) for part in Part)
    return weak_generalization(Split(*parts))


def weak_generalization(split: Split, items: BoolArray | None = None) -> Holdout:
    """Those asked are known from the train; `items` (I,) default to all. Raises DataError where nothing is asked."""
    if not len(split.test):
        raise DataError("this split holds out nothing: there are too few events for it")
    allowed = np.ones(split.train.shape[1], dtype=np.bool_) if items is None else items
    return Holdout(split.train, split.train, split.test, np.unique(split.test.users), allowed)


class _Pairs(NamedTuple):
    """The distinct (user, item) of N events; `of_event` (N,) says which is whose."""

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
    draws = _mixed(
        _draws(interactions.user_ids, seed, "user")[pairs.users],
        _draws(interactions.item_ids, seed, "item")[pairs.items],
    )
    order = np.lexsort((pairs.items, draws, pairs.users))
    place = np.empty(len(order), dtype=np.int64)
    starts = np.searchsorted(pairs.users, pairs.users)  # pairs are sorted by user
    place[order] = np.arange(len(order)) - starts[order]
    totals = np.bincount(pairs.users, minlength=interactions.shape[0])
    wanted = np.minimum(np.maximum(np.floor(share * totals + 0.5), least), totals - 1)
    held = (place < wanted[pairs.users])[pairs.of_event]
    return Split(interactions.select(~held), interactions.select(held))


def _draws(ids: UserIdentifiers | ItemIdentifiers, seed: int, purpose: str) -> NDArray[np.uint64]:
    """A number at random for each id, (N,), that no other id has a part in: SipHash keyed by seed and purpose."""
    key = f"{derive_seed(seed, 'split', purpose):016x}"
    return np.asarray(pd.util.hash_array(ids.values, hash_key=key, categorize=False), dtype=np.uint64)


def _mixed(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Two draws as one, by the finalizer of SplitMix64 (Steele et al. 2014); arithmetic is modulo 2^64."""
    mixed = one + other * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _check_share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError(f"share {share}: must lie between 0 and 1")
