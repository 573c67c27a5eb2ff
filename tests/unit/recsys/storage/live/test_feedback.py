"""Verdicts: kept once each, counted over everybody, erased by person."""

from __future__ import annotations

import threading
from dataclasses import replace

from recsys.storage.database import Database
from recsys.storage.live.feedback import FeedbackStore, Rating

GOOD = Rating("f1", "u1", "i1", "delft", 0.3, 0.25, True, "r1", "v1", 100)


def test_a_rating_sent_twice_counts_once(database: Database) -> None:
    store = FeedbackStore(database)
    assert store.append(GOOD)
    assert not store.append(replace(GOOD, satisfied=False))
    assert store.user_ratings("u1") == (GOOD,)


def test_sent_by_many_at_once_it_is_accepted_once(database: Database) -> None:
    store, accepted = FeedbackStore(database), list[bool]()
    threads = [threading.Thread(target=lambda: accepted.append(store.append(GOOD))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == [False] * 5 + [True]


def test_everybody_counts_by_action_and_strength(database: Database) -> None:
    store = FeedbackStore(database)
    assert store.counts() == {}
    ratings = [("u1", "delft", 0.3, True), ("u2", "delft", 0.3, False), ("u2", "delft", 0.6, False)]
    ratings += [("u3", "linen", 0.3, True), ("u1", "delft", 0.3, True)]
    for n, (user, action, strength, satisfied) in enumerate(ratings):
        changed = {"user_id": user, "action": action, "strength": strength, "satisfied": satisfied}
        store.append(replace(GOOD, feedback_id=f"f{n}", **changed))  # type: ignore[arg-type]
    assert store.counts() == {("delft", 0.3): (2, 3), ("delft", 0.6): (0, 1), ("linen", 0.3): (1, 1)}
    assert [rating.feedback_id for rating in store.user_ratings("u2")] == ["f1", "f2"]
    assert store.erase("u1") == 2
    assert store.counts() == {("delft", 0.3): (0, 1), ("delft", 0.6): (0, 1), ("linen", 0.3): (1, 1)}


def test_the_frame_has_every_column_even_when_empty(database: Database) -> None:
    store = FeedbackStore(database)
    kinds = {"strength": "float64", "propensity": "float64", "satisfied": "bool", "timestamp": "int64"}
    assert {name: str(store.frame().dtypes[name]) for name in kinds} == kinds
    store.append(GOOD)
    store.append(replace(GOOD, feedback_id="f2", request_id=None, satisfied=False))
    frame = store.frame()
    assert {name: str(frame.dtypes[name]) for name in kinds} == kinds
    assert Rating(*frame.iloc[0]) == GOOD
    assert frame["feedback_id"].tolist() == ["f1", "f2"]
    assert frame["request_id"].isna().tolist() == [False, True]
