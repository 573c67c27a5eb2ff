from __future__ import annotations

import threading

import pandas as pd
import pytest

from recsys.config import EventSettings
from recsys.errors import StorageError
from recsys.schema import INTERACTION_COLUMNS, EventKind, ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore, StoredEvent


@pytest.fixture
def store(database: Database) -> EventStore:
    return EventStore(database)


def event(
    event_id: str, user: str = "anna", item: str = "mug", kind: EventKind = EventKind.CLICK, timestamp: int = 100
) -> Event:
    return Event(event_id, UserId(user), ItemId(item), kind, timestamp)


def test_what_is_stored_comes_back_whole(store: EventStore) -> None:
    plain = event("a" * 128, user="Ünï ' \" \\ 👗", item="; DROP TABLE events --")
    full = Event("b", plain.user_id, ItemId("i"), EventKind.PURCHASE, 2**40, 9.5, 0.25, "r1", 3)
    assert store.append([plain, full], received_at=7) == [True, True]
    first, second = store.user_events(plain.user_id)
    assert [type(found) for found in (first, second)] == [StoredEvent] * 2
    for found, sent in ((first, plain), (second, full)):
        assert {name: getattr(found, name) for name in Event.__slots__} == {
            name: getattr(sent, name) for name in Event.__slots__
        }
    assert isinstance(second.event, EventKind)
    assert second.seq > first.seq > 0
    assert store.database.rows("SELECT received_at FROM events", ()) == [(7,), (7,)]


def test_an_event_counts_once(store: EventStore) -> None:
    assert store.append([event("a"), event("b"), event("a", user="bert")], 1) == [True, True, False]
    assert store.append([event("c"), event("b", item="other"), event("c")], 2) == [True, False, False]
    assert store.append([event("a"), event("b"), event("c")], 3) == [False, False, False]
    assert [(e.event_id, e.item_id) for e in store.user_events(UserId("anna"))] == [
        ("a", "mug"),
        ("b", "mug"),
        ("c", "mug"),
    ]
    assert store.user_events(UserId("bert")) == []


def test_nothing_is_stored_of_nothing(store: EventStore) -> None:
    assert store.append([], 1) == []
    assert (store.last_seq(), store.last_user_seq(UserId("anna")), store.user_events(UserId("anna"))) == (0, 0, [])
    frame = store.frame(EventSettings())
    assert tuple(frame.columns) == INTERACTION_COLUMNS
    assert len(frame) == 0


@pytest.mark.parametrize("count", [1, 100, 1_000, 5_000])
def test_batches_of_any_size_keep_their_order(store: EventStore, count: int) -> None:
    ids = [f"{(n * 7919) % count:05d}" for n in range(count)]
    assert store.append([event(each) for each in ids], 1) == [True] * count
    stored = store.user_events(UserId("anna"), limit=count)
    assert [each.event_id for each in stored] == ids
    assert store.last_seq() == stored[-1].seq


def test_all_of_a_batch_or_none(store: EventStore) -> None:
    broken = [event("a"), Event("b", UserId("anna"), None, EventKind.CLICK, 1)]  # type: ignore[arg-type]
    with pytest.raises(StorageError) as caught:
        store.append(broken, 1)
    assert "anna" not in str(caught.value)
    assert store.last_seq() == 0
    assert store.append([event("a")], 1) == [True]


def test_a_person_s_events_are_the_latest_the_newest_last(store: EventStore) -> None:
    store.append([event(f"a{n}") for n in range(5)] + [event("b", user="bert")] + [event("a5")], 1)
    anna, bert = UserId("anna"), UserId("bert")
    whole = store.user_events(anna)
    assert [each.event_id for each in whole] == ["a0", "a1", "a2", "a3", "a4", "a5"]
    assert [each.event_id for each in store.user_events(anna, limit=2)] == ["a4", "a5"]
    assert store.user_events(anna, after=whole[3].seq) == whole[4:]
    assert store.user_events(anna, after=whole[-1].seq) == []
    assert store.last_user_seq(anna) == whole[-1].seq == store.last_seq()
    assert store.last_user_seq(bert) == whole[-1].seq - 1
    assert store.last_user_seq(UserId("carl")) == 0


def test_the_frame_has_the_columns_of_the_schema_in_the_order_of_arrival(store: EventStore) -> None:
    store.append(
        [
            event("1", "bert", "mug", EventKind.DISLIKE, 50),
            event("2", "anna", "b", EventKind.VIEW, 200),
            event("3", "Anna", "a", EventKind.PURCHASE, 200),
            event("4", "anna", "a", EventKind.LIKE, 200),
            event("5", "anna", "B", EventKind.CLICK, 200),
        ],
        1,
    )
    frame = store.frame(EventSettings(purchase=20.0))
    assert frame.to_dict("list") == {
        "user_id": ["bert", "anna", "Anna", "anna", "anna"],
        "item_id": ["mug", "b", "a", "a", "B"],
        "event": ["dislike", "view", "purchase", "like", "click"],
        "weight": [-5.0, 1.0, 20.0, 5.0, 2.0],
        "timestamp": [50, 200, 200, 200, 200],
    }
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "user_id": "str",
        "item_id": "str",
        "event": "str",
        "weight": "float32",
        "timestamp": "int64",
    }
    third = store.user_events(UserId("Anna"))[0].seq
    assert set(store.frame(EventSettings(), through=third)["user_id"]) == {"bert", "anna", "Anna"}
    assert len(store.frame(EventSettings(), through=third)) == 3
    assert store.frame(EventSettings(), through=0).empty


def test_erasure_takes_one_person_and_no_number_is_given_twice(store: EventStore) -> None:
    store.append([event("a", user="bert"), event("b"), event("c")], 1)
    last = store.last_seq()
    assert store.erase(UserId("anna")) == 2
    assert store.erase(UserId("anna")) == 0
    assert store.last_user_seq(UserId("anna")) == 0
    assert list(store.frame(EventSettings())["user_id"]) == ["bert"]
    store.append([event("d")], 1)
    assert store.last_seq() > last


def test_what_was_erased_is_not_left_in_the_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("erasure") / "live.db"
    database = Database.open(f"sqlite:///{path}")
    store = EventStore(database)
    store.append([event(f"e{n}", user="somebody-to-forget") for n in range(50)], 1)
    store.erase(UserId("somebody-to-forget"))
    database.close()  # the last one writes the log back
    assert b"somebody-to-forget" not in path.read_bytes()


def test_many_threads_at_once(store: EventStore) -> None:
    """Every thread sends the same events: each is accepted from exactly one of them."""
    threads, batches = 6, 10
    accepted: list[str] = []
    failed: list[Exception] = []

    def send() -> None:
        try:
            for batch in range(batches):
                events = [event(f"{batch}-{n}") for n in range(20)]
                answers = store.append(events, 1)
                accepted.extend(e.event_id for e, new in zip(events, answers, strict=True) if new)
                assert store.last_user_seq(UserId("anna")) >= store.user_events(UserId("anna"), limit=1)[0].seq - 200
        except Exception as error:
            failed.append(error)

    running = [threading.Thread(target=send) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert failed == []
    assert sorted(accepted) == sorted(f"{batch}-{n}" for batch in range(batches) for n in range(20))
    assert len(store.frame(EventSettings())) == batches * 20


def test_a_frame_joins_with_imported_ones(store: EventStore) -> None:
    store.append([event("a")], 1)
    imported = pd.DataFrame({"user_id": ["x"], "item_id": ["y"], "event": ["view"], "weight": [1], "timestamp": [1]})
    imported = imported.astype({"weight": "float32"})
    assert (pd.concat([imported, store.frame(EventSettings())]).dtypes == imported.dtypes).all()
