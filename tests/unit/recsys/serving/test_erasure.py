"""Erasure: nothing of a person is left in any file or page, others are as they were, and nothing undoes it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Table, insert, select

from recsys.bundle.store import CURRENT, current_version, load_bundle, save_bundle
from recsys.dataset.importers import ImportOptions, import_data
from recsys.dataset.project import Project
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import Basis, UserId
from recsys.serving.erasure import erase_user, purge
from recsys.storage.artifacts import exclusive_lock
from recsys.storage.database import Database
from recsys.storage.live.erasures import USER_TABLES, ErasureStore, user_hash
from recsys.storage.tables import ERASURES, EVENTS, EXPOSURES, FEEDBACK, IDEMPOTENCY, RENDERS, TASTES
from recsys.training.build import build

PERSON, OTHER = UserId("wilhelmina.of-the-lake@example.org"), UserId("ottokar")
NO_STATE = UserId("never seen")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with two bundles, of which both know the person, and with rejects that name them."""
    folder = tmp_path_factory.mktemp("erasure")
    draw = np.random.default_rng(0)
    items = "item_id,title\n" + "".join(f"i{n:02d},Item {n}\n" for n in range(30))
    people = [PERSON, OTHER, *(f"u{n:02d}" for n in range(40))]
    rows = [
        f"{person},i{item:02d},like,{1_700_000_000 + 86_400 * step + number}\n"
        for number, person in enumerate(people)
        for step, item in enumerate(draw.permutation(30)[:8])
    ]
    bad = [f"{PERSON},nothing,like,1700000000\n", f"{OTHER},nothing,like,1700000000\n", f"{PERSON},i01,like\n"]
    (folder / "items.csv").write_text(items)
    (folder / "events.csv").write_text("user_id,item_id,event,timestamp\n" + "".join(rows + bad))
    (folder / "users.csv").write_text("user_id,country\n" + "".join(f"{person},SE\n" for person in people))
    project = Project.init(folder / "shop", "shop")
    import_data(
        project,
        items=folder / "items.csv",
        interactions=folder / "events.csv",
        users=folder / "users.csv",
        options=ImportOptions(skip_bad=True),
    )
    first = build(project, lambda: 100)
    bundle = load_bundle(project.bundles, project.root)
    save_bundle(replace(bundle, trend=bundle.trend / 2), project.bundles, 200)
    assert current_version(project.bundles) != first
    return project.root


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Project:
    shutil.copytree(built, tmp_path / "shop")
    return Project.open(tmp_path / "shop")


@pytest.fixture
def live(shop: Project) -> Iterator[Database]:
    database = Database.open(shop.database_url)
    yield database
    database.close()


def fill(database: Database) -> None:
    """Rows of both people in every table; enough of others' that pages split and merge."""
    with database.writing() as connection:
        for n in range(300):
            user = (PERSON, OTHER, f"u{n % 40:02d}")[n % 3]
            text = {"event_id": f"e{n}", "request_id": f"r{n}", "feedback_id": f"f{n}", "user_id": user}
            shown = {"items": "[]", "propensities": "[]", "pictures": "[]", "arms": "{}"}
            verdict = {"item_id": "i01", "action": "x", "strength": 0.3, "propensity": 0.5, "satisfied": True}
            answer = {"status": 200, "media_type": "text/plain", "body": f"all about {user}".encode()}
            rows: Mapping[Table, dict[str, object]] = {
                EVENTS: {"item_id": "i01", "event": "like", "timestamp": n, "received_at": n},
                FEEDBACK: {**verdict, "model_version": "v", "timestamp": n},
                EXPOSURES: {**shown, "model_version": "v", "timestamp": n},
                RENDERS: {"style_id": "", "license": "", "engine": "e", "strength": 1.0, "sha256": "0", "timestamp": n},
                IDEMPOTENCY: {**answer, "key": n.to_bytes(32), "fingerprint": bytes(32), "created_at": n},
            }
            for table, row in rows.items():
                columns = {name: value for name, value in text.items() if name in table.c}
                connection.execute(insert(table).values({**columns, **row}))
        for user in (PERSON, OTHER):
            taste = {"user_id": user, "styles": f'["{user}"]', "strength": None, "reset_seq": None, "changed_at": 1}
            connection.execute(insert(TASTES).values(taste))


def left_of(database: Database, user: str) -> int:
    with database.reading() as connection:
        return sum(len(connection.execute(select(t.c.user_id).where(t.c.user_id == user)).all()) for t in USER_TABLES)


def holding(root: Path, text: str) -> list[str]:
    """The files under a folder whose bytes, or whose tables' cells, hold a text."""
    found = []
    for path in root.rglob("*"):
        if path.is_file():
            cells = pd.read_parquet(path).astype(str).to_csv() if path.suffix == ".parquet" else ""
            if text.encode() in path.read_bytes() or text in cells:
                found.append(path.relative_to(root).as_posix())
    return sorted(found)


def test_nothing_of_the_person_is_left_anywhere(shop: Project, live: Database) -> None:
    fill(live)
    before = holding(shop.root, PERSON)
    assert sum(name.endswith("users.parquet") for name in before) == 3
    assert {"data/interactions.parquet", "live/live.db-wal"} <= set(before)
    assert any(name.startswith("rejects/") for name in before)
    versions = {folder.name for folder in shop.bundles.iterdir() if folder.is_dir()}
    report = erase_user(shop, live, PERSON, lambda: 5)
    assert report.counts == {
        "events": 100,
        "tastes": 1,
        "feedback": 100,
        "exposures": 100,
        "renders": 100,
        "idempotency": 100,
        "interactions": 8,
        "users": 1,
        "rejects": 2,
        "bundles": 2,
    }
    assert not report.pending
    assert holding(shop.root, PERSON) == []
    assert ErasureStore(live).hashes() == frozenset()
    assert versions.isdisjoint(folder.name for folder in shop.bundles.iterdir())
    assert len(list(shop.bundles.iterdir())) == 3


def test_the_person_is_unknown_and_others_are_as_they_were(shop: Project, live: Database) -> None:
    fill(live)
    interactions, users = shop.load_interactions(), shop.load_users()
    before = load_bundle(shop.bundles, shop.root)
    erase_user(shop, live, PERSON)
    after = load_bundle(shop.bundles, shop.root)
    assert after.metrics == before.metrics
    old, new = Recommender(before), Recommender(after)
    assert old.recommend(Request(user_id=PERSON)).basis is Basis.HISTORY
    unknown = new.recommend(Request(user_id=PERSON))
    assert unknown == new.recommend(Request(user_id=NO_STATE))
    assert unknown.basis is Basis.POPULAR
    for user in (name for name in before.user_ids.values if name != PERSON):
        assert (
            new.recommend(Request(user_id=user)).recommendations == old.recommend(Request(user_id=user)).recommendations
        )
    for kept, whole in ((shop.load_interactions(), interactions), (shop.load_users(), users)):
        pd.testing.assert_frame_equal(kept, whole[whole["user_id"] != PERSON].reset_index(drop=True))
    assert left_of(live, OTHER) == 501
    assert any(OTHER in path.read_text() for path in shop.rejects.iterdir())


def test_no_row_of_the_bundle_is_theirs(shop: Project, live: Database) -> None:
    before = load_bundle(shop.bundles, shop.root)
    row = before.user_ids.row(PERSON)
    erase_user(shop, live, PERSON)
    after = load_bundle(shop.bundles, shop.root)
    matrices = [
        (each.recent, each.interacted, each.factors.history, each.neighbors.history) for each in (before, after)
    ]
    for old, new in zip(*matrices, strict=True):
        expected = np.delete(old.toarray(), row, axis=0)
        np.testing.assert_array_equal(new.toarray(), expected)
    factors = before.factors.user_factors[row]
    assert not np.isclose(after.factors.user_factors, factors).all(axis=1).any()
    assert PERSON not in after.user_ids
    assert len(after.user_ids) == len(before.user_ids) - 1


def test_while_somebody_builds_it_is_pending_and_finished_later(shop: Project, live: Database) -> None:
    fill(live)
    with exclusive_lock(shop.root):
        report = erase_user(shop, live, PERSON, lambda: 5)
        assert report.pending
        assert left_of(live, PERSON) == 0
        assert purge(shop, live).pending
    assert ErasureStore(live).hashes() == {user_hash(PERSON)}
    # What the build publishes now was read before the erasure.
    save_bundle(load_bundle(shop.bundles, shop.root), shop.bundles, 300)
    assert PERSON in load_bundle(shop.bundles, shop.root).user_ids
    report = purge(shop, live)
    assert not report.pending
    assert report.counts["interactions"] == 8
    assert holding(shop.root, PERSON) == []
    assert purge(shop, live).counts == {}


def test_a_reader_of_the_database_delays_it(shop: Project, live: Database) -> None:
    fill(live)
    reader = Database.open(shop.database_url)
    with reader.reading() as connection:
        connection.execute(select(EVENTS)).first()
        assert erase_user(shop, live, PERSON).pending
    reader.close()
    assert not purge(shop, live).pending
    assert holding(shop.root, PERSON) == []


def test_erasing_somebody_unknown_or_twice_is_harmless(shop: Project, live: Database) -> None:
    version = current_version(shop.bundles)
    # A row of the rejects could not be split into fields: it may be anybody's.
    assert {name: n for name, n in erase_user(shop, live, NO_STATE).counts.items() if n} == {"rejects": 1}
    assert not any(erase_user(shop, live, NO_STATE).counts.values())
    assert current_version(shop.bundles) == version


def test_what_killed_writers_left_behind_goes_too(shop: Project, live: Database) -> None:
    staged = shop.bundles / ".next.staging-0123456789abcdef"
    shutil.copytree(shop.bundles / current_version(shop.bundles), staged)
    shutil.copytree(staged, shop.bundles / "next")
    shutil.copytree(shop.data, shop.root / ".data.staging-0123456789abcdef")
    (shop.rejects / ".interactions-1.csv.0123.tmp").write_text(PERSON)
    assert not erase_user(shop, live, PERSON).pending
    assert holding(shop.root, PERSON) == []


def test_a_bundle_that_cannot_be_cleared_is_deleted(shop: Project, live: Database) -> None:
    current = current_version(shop.bundles)
    old = next(folder for folder in shop.bundles.iterdir() if folder.is_dir() and folder.name != current)
    (old / "trend.npy").write_bytes(b"damaged")
    assert erase_user(shop, live, PERSON).counts["bundles"] == 2
    assert sorted(path.name for path in shop.bundles.iterdir()) == sorted([current_version(shop.bundles), CURRENT])
    assert holding(shop.root, PERSON) == []


def test_a_project_that_has_nothing_yet(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "new", "shop")
    database = Database.open(project.database_url)
    report = erase_user(project, database, PERSON)
    assert (sum(report.counts.values()), report.pending) == (0, False)
    database.close()


def test_rows_go_from_every_kind_of_database(database: Database) -> None:
    fill(database)
    counts = ErasureStore(database).erase([PERSON], 5)
    assert counts == {"events": 100, "tastes": 1, "feedback": 100, "exposures": 100, "renders": 100, "idempotency": 100}
    assert (left_of(database, PERSON), left_of(database, OTHER)) == (0, 501)
    ErasureStore(database).erase([PERSON], 6)
    ErasureStore(database).erase([OTHER], 6)
    assert ErasureStore(database).hashes() == {user_hash(PERSON), user_hash(OTHER)}
    ErasureStore(database).clear([user_hash(PERSON)])
    assert ErasureStore(database).hashes() == {user_hash(OTHER)}
    with database.reading() as connection:
        assert [row.created_at for row in connection.execute(select(ERASURES))] == [6]


@pytest.mark.parametrize(
    "line",
    [
        f"7,{PERSON},3",
        f"{PERSON}::12::5::978300760",
        f"{PERSON} 3 4 5",
        f'{{"rating": 5, "user_id": "{PERSON}"}}',
        f'"{PERSON}","unfinished',
        f"a|b|{PERSON}",
        f"{PERSON}\t1\t2",
    ],
)
def test_rejected_lines_of_every_format_are_found(shop: Project, live: Database, line: str) -> None:
    quoted = line.replace('"', '""')
    file = shop.rejects / "interactions-x.csv"
    file.write_text(f'file,row,field,message,raw\nf.csv,2,timestamp,wrong,"{quoted}"\nf.csv,3,event,wrong,"{OTHER}"\n')
    erase_user(shop, live, PERSON)
    assert file.read_text() == f"file,row,field,message,raw\nf.csv,3,event,wrong,{OTHER}\n"
