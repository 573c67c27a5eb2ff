"""Ids of one person: what leads where, and what readers see of it."""

from __future__ import annotations

import pytest

from recsys.errors import RequestError
from recsys.schema import EventKind, ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.live.erasures import ErasureStore
from recsys.storage.live.events import Event, EventStore
from recsys.storage.live.merges import MergeStore
from recsys.storage.live.tastes import TasteStore
from recsys.storage.live.user_state import NO_STATE, UserStates


@pytest.fixture
def store(database: Database) -> MergeStore:
    return MergeStore(database)


def test_old_ids_lead_to_the_user_who_remains(store: MergeStore) -> None:
    assert store.ids("ann") == ("ann",)
    assert store.merge("ann", ["v1", "v2"], 5) == [True, True]
    assert store.merge("ann", ["v2"], 6) == [False]
    # A visitor's id stands for the user, also as the one that remains, and chains become one step.
    assert store.merge("v1", ["v3"], 7) == [True]
    assert store.merge("anna", ["ann"], 8) == [True]
    assert store.ids("v3") == ("anna", "ann", "v1", "v2", "v3")
    assert store.mapping() == dict.fromkeys(("ann", "v1", "v2", "v3"), "anna")
    assert store.merge("v1", ["anna"], 9) == [False]


def test_two_users_stay_two(store: MergeStore) -> None:
    store.merge("ann", ["v1"], 5)
    with pytest.raises(RequestError, match="another user"):
        store.merge("ben", ["v0", "v1"], 6)
    assert store.mapping() == {"v1": "ann"}
    with pytest.raises(RequestError, match="own id"):
        store.merge("ann", ["ann"], 6)


def test_states_are_those_of_all_ids(database: Database, store: MergeStore) -> None:
    states, tastes, events = UserStates(database), TasteStore(database), EventStore(database)
    assert states.read("ann") == NO_STATE
    events.append([Event("e1", UserId("v1"), ItemId("a"), EventKind.VIEW, 1)], 1)
    tastes.put("v1", ["linen"], 0.3, 2)
    store.merge("ann", ["v1"], 5)
    assert states.read("ann") == states.read("v1")
    state = states.read("ann")
    assert (state.ids, state.last_event, state.styles) == (("ann", "v1"), 1, ("linen",))
    tastes.put("ann", ["oak"], None, 6)
    assert states.read("v1").styles == ("oak",)


def test_erasure_of_all_ids_deletes_the_merge_too(database: Database, store: MergeStore) -> None:
    store.merge("ann", ["v1"], 5)
    store.merge("ben", ["v2"], 5)
    ErasureStore(database).erase(store.ids("v1"), 9)
    assert store.mapping() == {"v2": "ben"}
    assert UserStates(database).read("v1").erased
    assert UserStates(database).read("ann").erased
    assert not UserStates(database).read("ben").erased


def test_imported_aliases_are_adopted_unless_their_ids_are_in_use(store: MergeStore) -> None:
    store.merge("ann", ["v1"], 5)
    assert store.adopt({"v1": "ben", "v2": "v1", "ann": "eve", "v3": "ben"}, 6) == 2
    assert store.mapping() == {"v1": "ann", "v2": "ann", "v3": "ben"}
    assert store.adopt({"v3": "ben"}, 7) == 0
