"""Live events join what was imported, wherever a project's interactions are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.bundle.store import load_bundle
from recsys.dataset.importers import ImportMode, ImportOptions, import_data
from recsys.dataset.project import DATABASE_FILE, Project
from recsys.errors import ProjectError, StorageError
from recsys.schema import INTERACTION_COLUMNS, EventKind, ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore
from recsys.training.build import build

IMPORTED = (
    "user_id,item_id,event,timestamp\nanna,a,view,1700000100\nbert,b,purchase,1700000200\ncarl,c,like,1700000300\n"
)


@pytest.fixture
def shop(project: Project, tmp_path: Path) -> Project:
    (tmp_path / "items.csv").write_text("item_id,title\n" + "".join(f"{item},{item}\n" for item in "abcd"))
    (tmp_path / "events.csv").write_text(IMPORTED)
    import_data(project, items=tmp_path / "items.csv", interactions=tmp_path / "events.csv")
    return project


@contextmanager
def opened_events(project: Project) -> Iterator[EventStore]:
    database = Database.open(project.database_url)
    yield EventStore(database)
    database.close()


def send(project: Project, events: Sequence[tuple[str, str, EventKind, int]]) -> int:
    with opened_events(project) as store:
        before = store.last_seq()
        store.append(
            [Event(f"{before}-{n}", UserId(user), ItemId(item), *rest) for n, (user, item, *rest) in enumerate(events)],
            received_at=0,
        )
        return store.last_seq()


def test_without_live_data_no_database_is_made(shop: Project) -> None:
    assert not shop.has_live_data
    assert shop.last_event() == 0
    pd.testing.assert_frame_equal(shop.load_interactions(), shop.load_imported_interactions())
    build(shop)
    assert not shop.live.exists()


def test_live_events_come_with_the_imported_ones_by_time(shop: Project) -> None:
    send(shop, [("dora", "d", EventKind.CART, 1_700_000_150), ("anna", "a", EventKind.CLICK, 1_700_000_300)])
    frame = shop.load_interactions()
    assert list(frame["user_id"]) == ["anna", "dora", "bert", "anna", "carl"]
    assert list(frame["weight"]) == [1.0, 5.0, 10.0, 2.0, 5.0]
    assert tuple(frame.columns) == INTERACTION_COLUMNS
    assert (frame.dtypes == shop.load_imported_interactions().dtypes).all()
    assert len(shop.load_imported_interactions()) == 3


def test_live_events_of_unknown_items_are_left_out(shop: Project) -> None:
    send(shop, [("dora", "unknown", EventKind.CART, 1_700_000_150), ("dora", "d", EventKind.CART, 1_700_000_150)])
    assert list(shop.load_interactions()["item_id"]) == ["a", "d", "b", "c"]


def test_live_events_alone_will_do(project: Project, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id\na\nb\n")
    import_data(project, items=tmp_path / "items.csv")
    with pytest.raises(ProjectError, match="recsys import"):
        project.load_interactions()
    last = send(project, [("anna", "b", EventKind.LIKE, 1_700_000_001)])
    assert list(project.load_interactions()["user_id"]) == ["anna"]
    assert project.load_interactions(through=last - 1).empty
    build(project)
    bundle = load_bundle(project.bundles, project.root)
    assert list(bundle.user_ids.ids(np.arange(1))) == ["anna"]


def test_an_import_does_not_take_live_events_in(shop: Project, tmp_path: Path) -> None:
    send(shop, [("dora", "d", EventKind.CART, 1_700_000_150)])
    (tmp_path / "more.csv").write_text("user_id,item_id,event,timestamp\nemil,a,view,1700000400\n")
    import_data(shop, interactions=tmp_path / "more.csv", options=ImportOptions(mode=ImportMode.APPEND))
    assert list(shop.load_imported_interactions()["user_id"]) == ["anna", "bert", "carl", "emil"]
    assert len(shop.load_interactions()) == 5


def test_live_events_are_to_be_learned_from_in_a_split_that_came_with_the_data(project: Project) -> None:
    project.data.mkdir()
    columns = {"item_id": ["a"], "title": [""], "category": [""], "price": [1.0], "available": [True], "image": [""]}
    pd.DataFrame(columns).to_parquet(project.items_file)
    imported = {"user_id": ["u"], "item_id": ["a"], "event": ["view"], "weight": np.ones(1, np.float32)}
    pd.DataFrame(imported | {"timestamp": [1_700_000_005], "part": ["test"]}).to_parquet(project.interactions_file)
    send(project, [("v", "a", EventKind.VIEW, 1_700_000_009)])
    assert list(project.load_interactions()["part"]) == ["test", "train"]


def test_a_bundle_says_which_events_it_contains(shop: Project) -> None:
    last = send(shop, [("dora", "d", EventKind.CART, 1_700_000_150), ("emil", "d", EventKind.CART, 1_700_000_150)])
    build(shop)
    send(shop, [("late", "d", EventKind.CART, 1_700_000_150)])
    bundle = load_bundle(shop.bundles, shop.root)
    assert bundle.events_through == last == 2
    assert {"dora", "emil"} <= set(bundle.user_ids.ids(np.arange(len(bundle.user_ids))))
    build(shop)
    assert load_bundle(shop.bundles, shop.root).events_through == last + 1


def test_events_that_arrive_during_a_build_wait_for_the_next(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    last = send(shop, [("dora", "d", EventKind.CART, 1_700_000_150)])
    load = Project.load_interactions

    def arriving(project: Project, through: int | None = None) -> pd.DataFrame:
        send(project, [("late", "d", EventKind.CART, 1_700_000_150)])
        return load(project, through)

    monkeypatch.setattr(Project, "load_interactions", arriving)
    build(shop)
    bundle = load_bundle(shop.bundles, shop.root)
    assert bundle.events_through == last
    assert "late" not in set(bundle.user_ids.ids(np.arange(len(bundle.user_ids))))
    assert shop.last_event() == last + 1


def test_a_bundle_says_which_events_it_has(shop: Project) -> None:
    send(shop, [("dora", "d", EventKind.CART, 1_700_000_150)])
    build(shop)
    assert load_bundle(shop.bundles, shop.root).events_through == 1


def test_a_database_that_cannot_be_read_is_said_so(shop: Project) -> None:
    shop.live.mkdir()
    (shop.live / DATABASE_FILE).write_text("no database " * 1_000)
    with pytest.raises(StorageError, match="not a database"):
        shop.load_interactions()
