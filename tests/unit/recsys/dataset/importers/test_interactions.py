from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.dataset.event_words import SYNONYMS
from recsys.dataset.importers import ImportMode, ImportOptions, import_data
from recsys.dataset.project import Project
from recsys.errors import BadRowsError, DataError
from recsys.schema import INTERACTION_COLUMNS, EventKind

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def shop(project: Project, write: Write) -> Project:
    import_data(project, items=write("items.csv", "item_id\n1\n2\n3\n"))
    return project


def test_events_weights_and_times(shop: Project, write: Write) -> None:
    path = write(
        "e.csv",
        "userId,itemId,action,time\nb,2,Add-To-Cart,20200102\na,1,view,2020-01-01T01:00:00+01:00\n"
        "a,1,buy,1577836800000\n",
    )
    report = import_data(shop, interactions=path)
    frame = shop.load_interactions()
    assert tuple(frame.columns) == INTERACTION_COLUMNS
    assert frame.astype(object).to_numpy().tolist() == [
        ["a", "1", "purchase", 10.0, 1577836800],
        ["a", "1", "view", 1.0, 1577836800],
        ["b", "2", "cart", 5.0, 1577923200],
    ]
    assert str(frame["weight"].dtype) == "float32"
    assert report.events == {"purchase": 1, "view": 1, "cart": 1}
    assert report.period == (1577836800, 1577923200)


@pytest.mark.parametrize("kind", EventKind)
def test_each_kind_and_its_synonyms(shop: Project, write: Write, kind: EventKind) -> None:
    words = (kind.value, kind.value.upper(), *SYNONYMS[kind])
    rows = "".join(f"u,1,{word},{1_700_000_000 + second}\n" for second, word in enumerate(words))
    import_data(shop, interactions=write("e.csv", "user_id,item_id,event,timestamp\n" + rows))
    frame = shop.load_interactions()
    assert len(frame) == len(words)
    assert set(frame["event"]) == {kind.value}
    assert set(frame["weight"]) == {shop.settings.events.weight(kind)}


def test_ratings_become_opinions_by_the_project_s_threshold(shop: Project, write: Write) -> None:
    (shop.root / "recsys.toml").write_text("[events]\nrating_threshold = 3.0\nlike = 2.5\n")
    path = write("e.csv", "user_id,item_id,stars,timestamp\nu,1,3,1700000001\nu,2,2.5,1700000002\n")
    report = import_data(Project.open(shop.root), interactions=path)
    frame = shop.load_interactions()
    assert frame["event"].tolist() == ["like", "dislike"]
    assert frame["weight"].tolist() == [2.5, -5.0]
    assert frame["rating"].tolist() == [3.0, 2.5]
    assert "ratings from 3 up are likes" in str(report)


def test_an_event_column_rules_and_its_ratings_may_be_empty(shop: Project, write: Write) -> None:
    path = write("e.csv", "user_id,item_id,event,rating,timestamp\nu,1,view,,1700000001\nu,2,like,1,1700000002\n")
    import_data(shop, interactions=path)
    frame = shop.load_interactions()
    assert frame["event"].tolist() == ["view", "like"]
    assert frame["rating"].isna().tolist() == [True, False]


def test_bare_pairs_are_clicks_without_a_time_and_the_report_says_so(shop: Project, write: Write) -> None:
    report = import_data(shop, interactions=write("e.csv", "user\titem\tsession\nu\t1\tx\n"))
    frame = shop.load_interactions()
    assert (frame["event"][0], frame["weight"][0], frame["timestamp"][0]) == ("click", 2.0, 0)
    assert report.period is None
    assert "every row is a click" in str(report)
    assert "all times are 0" in str(report)
    assert "columns not used: session" in str(report)


def test_given_weights_are_kept_and_their_sign_is_checked(shop: Project, write: Write) -> None:
    header = "user_id,item_id,event,weight,timestamp\n"
    import_data(shop, interactions=write("e.csv", header + "u,1,view,0.25,1700000001\nu,1,dislike,-7,1700000002\n"))
    assert shop.load_interactions()["weight"].tolist() == [0.25, -7.0]
    with pytest.raises(BadRowsError) as caught:
        import_data(
            shop,
            interactions=write(
                "e.csv",
                header
                + "u,1,view,-1,1700000001\nu,1,dislike,1,1700000002\nu,1,view,x,1700000003\nu,1,view,,1700000004\n",
            ),
        )
    assert [(p.row, p.field) for p in caught.value.problems] == [(row, "weight") for row in (2, 3, 4, 5)]


def test_every_kind_of_bad_row(shop: Project, write: Write) -> None:
    path = write(
        "e.csv",
        "user_id,item_id,kind,when\nu,9,view,1700000001\n,1,view,1700000001\nu,,view,1700000001\nu,1,stare,1700000001\nu,1,view,soon\nu,1,view,1700000001\nu,1\n",
    )
    with pytest.raises(BadRowsError) as caught:
        import_data(shop, interactions=path, options=ImportOptions(columns={"kind": "event", "when": "timestamp"}))
    found = [(p.row, p.field) for p in caught.value.problems]
    assert found == [(2, "item_id"), (3, "user_id"), (4, "item_id"), (5, "kind"), (6, "when"), (8, None)]
    assert "'stare' is not an event; use one of view, click, cart, purchase, like, dislike" in str(caught.value)
    report = import_data(
        shop, interactions=path, options=ImportOptions(columns={"kind": "event", "when": "timestamp"}, skip_bad=True)
    )
    assert (report.rows, report.rejected) == ({"interactions": 1}, {"interactions": 6})


def test_exact_repeats_are_dropped_whatever_their_order(shop: Project, write: Write) -> None:
    kinds = ("view,1,1700000005", "view,3,1700000005", "view,2,1700000005", "click,1,1700000005", "view,1,1700000006")
    rows = [f"u,1,{kind}\n" for kind in kinds]
    frames = []
    for order in (rows, rows[::-1]):
        path = write("e.csv", "user_id,item_id,event,weight,timestamp\n" + "".join(order))
        assert import_data(shop, interactions=path).duplicates == 2
        frames.append(shop.interactions_file.read_bytes())
        assert shop.load_interactions()["weight"].tolist() == [1.0, 3.0, 1.0]
    assert frames[0] == frames[1]


def test_append_adds_to_what_is_there(shop: Project, write: Write) -> None:
    header = "user_id,item_id,event,timestamp\n"
    import_data(shop, interactions=write("a.csv", header + "u,1,view,1700000001\nu,2,view,1700000003\n"))
    report = import_data(
        shop,
        interactions=write("b.csv", header + "u,1,view,1700000001\nu,3,view,1700000002\n"),
        options=ImportOptions(mode=ImportMode.APPEND),
    )
    assert shop.load_interactions()["item_id"].tolist() == ["1", "3", "2"]
    assert (report.rows, report.duplicates) == ({"interactions": 3}, 1)


def test_other_tables_stay(shop: Project, write: Write) -> None:
    before = shop.items_file.read_bytes()
    header = "user_id,item_id,event,timestamp\n"
    import_data(shop, interactions=write("a.csv", header + "u,1,view,1700000001\n"))
    import_data(shop, users=write("u.csv", "user,age\nv,30\nu,20\n"))
    assert shop.items_file.read_bytes() == before
    assert len(shop.load_interactions()) == 1
    assert shop.load_users().to_dict("records") == [{"user_id": "u", "age": 20}, {"user_id": "v", "age": 30}]


def test_repeated_users_are_bad_rows(shop: Project, write: Write) -> None:
    with pytest.raises(BadRowsError, match=r"row 3.*'u' is already on row 2"):
        import_data(shop, users=write("u.csv", "user_id,age\nu,20\nu,21\n"))


def test_a_catalog_that_orphans_interactions_is_refused_or_drops_them(shop: Project, write: Write) -> None:
    header = "user_id,item_id,event,timestamp\n"
    import_data(shop, interactions=write("a.csv", header + "u,1,view,1700000001\nu,2,view,1700000003\n"))
    smaller = write("items.csv", "item_id\n1\n")
    with pytest.raises(DataError, match=r"1 of the project's interactions.*'2'"):
        import_data(shop, items=smaller)
    assert len(shop.load_items()) == 3
    report = import_data(shop, items=smaller, options=ImportOptions(skip_bad=True))
    assert shop.load_interactions()["item_id"].tolist() == ["1"]
    assert "1 interactions were dropped" in str(report)


def test_interactions_need_items(project: Project, write: Write) -> None:
    with pytest.raises(DataError, match="import items first"):
        import_data(project, interactions=write("a.csv", "user_id,item_id\nu,1\n"))
