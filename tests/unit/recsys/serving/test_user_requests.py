"""A person's events and choices as a request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.config import EventSettings, TasteSettings
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.schema import EventKind, ItemId, UserId
from recsys.serving.user_requests import UserRequests
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore
from recsys.storage.live.user_state import NO_STATE

KIM = UserId("kim")
NOW = 1_795_000_000


@pytest.fixture
def events(tmp_path: Path) -> Iterator[EventStore]:
    """A cart of p0001 (seq 1), a click on p0002 (seq 2), and a like of an item that is gone (seq 3)."""
    database = Database.open(f"sqlite:///{tmp_path / 'live.db'}")
    store = EventStore(database)
    said = [("p0001", EventKind.CART), ("p0002", EventKind.CLICK), ("gone", EventKind.LIKE)]
    store.append([Event(f"e{n}", KIM, ItemId(item), kind, NOW) for n, (item, kind) in enumerate(said)], NOW)
    yield store
    database.close()


def _request(events: EventStore, recommender: Recommender, reset: int | None, wish: Request) -> Request:
    persons = UserRequests(events, EventSettings(), TasteSettings(), clock=lambda: NOW)
    return persons.build(KIM, NO_STATE._replace(last_event=3, reset_seq=reset), recommender, wish)


def test_live_events_are_weights(events: EventStore, recommender: Recommender) -> None:
    found = _request(events, recommender, None, Request())
    assert found.items == {"p0001": 5.0, "p0002": 2.0}
    assert not found.ignore_style_history
    assert found.filters == Filters()


def test_what_came_before_a_reset_is_no_taste_but_stays_seen(events: EventStore, recommender: Recommender) -> None:
    """Also where no bundle has taken those events in yet."""
    found = _request(events, recommender, 1, Request(filters=Filters(exclude=frozenset({ItemId("p0009")}))))
    assert recommender.bundle.events_through == 0
    assert found.items == {"p0002": 2.0}
    assert found.ignore_style_history
    assert found.filters.exclude == {"p0009"}
    profile = recommender.profile(found)
    assert recommender.catalog.row(ItemId("p0001")) in profile.interacted
    assert recommender.catalog.row(ItemId("p0001")) not in profile.liked


def test_what_was_seen_may_be_asked_for_after_a_reset(events: EventStore, recommender: Recommender) -> None:
    found = _request(events, recommender, 3, Request(filters=Filters(seen=True)))
    assert found.items == {}
    assert found.filters.exclude == frozenset()
