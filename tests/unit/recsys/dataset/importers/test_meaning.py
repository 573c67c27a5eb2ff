"""Meanings of rows: scales of ratings, repeats, quantities, and events that take others back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.dataset.importers import ImportMode, ImportOptions, import_data
from recsys.dataset.project import Project
from recsys.errors import BadRowsError, DataError

Write = Callable[[str, str | bytes], Path]
T = 1_700_000_001
APPEND = ImportOptions(mode=ImportMode.APPEND)


@pytest.fixture
def shop(project: Project, write: Write) -> Project:
    import_data(project, items=write("items.csv", "item_id\na\nb\nc\n"))
    return project


def _events(shop: Project) -> list[tuple[str, str, str, float]]:
    frame = shop.load_interactions()
    columns = (frame[name] for name in ("user_id", "item_id", "event", "weight"))
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("column", "values", "events"),
    [
        ("rating", (1, 0, 1), "like dislike like"),
        ("rating", (-1, 1, 0), "dislike like view"),
        ("rating", (-0.4, 0.01, 0.9), "dislike like like"),
        ("score", (0.93, 0.2, 0.5), "like dislike like"),
        ("stars", (5, 3.5, 4), "like dislike like"),
        ("rating", (10, 7, 8), "like dislike like"),
        ("rating", (79, 80, 100), "dislike like like"),
        ("rating", ("thumbs_up", "thumbs_down", "Thumbs Up"), "like dislike like"),
        ("vote", ("positive", "neutral", "negative"), "like view dislike"),
        ("label", (0, 0, 1), "dislike dislike like"),
    ],
)
def test_scales_are_found(shop: Project, write: Write, column: str, values: tuple[object, ...], events: str) -> None:
    rows = "".join(f"u,{item},{value},{T + n}\n" for n, (item, value) in enumerate(zip("abc", values, strict=True)))
    report = str(import_data(shop, interactions=write("e.csv", f"user_id,item_id,{column},timestamp\n{rows}")))
    assert shop.load_interactions()["event"].tolist() == events.split()
    likes, dislikes = events.split().count("like"), events.split().count("dislike")
    assert f"are likes ({likes})" in report
    assert f"dislikes ({dislikes})" in report
    assert f"'{column}'" in report


def test_a_label_of_recbole_is_read_with_its_typed_header(shop: Project, write: Write) -> None:
    text = "user_id:token\titem_id:token\tlabel:float\n1\ta\t1\n1\tb\t0\n2\tc\t0\n"
    import_data(shop, interactions=write("x.inter", text))
    assert shop.load_interactions()["event"].tolist() == ["like", "dislike", "dislike"]


@pytest.mark.parametrize(("values", "cure"), [((1, 2, 1), "rating_threshold = 2"), ((0, 0, 0), "rating_threshold = 0")])
def test_ratings_without_a_like_are_an_error_with_the_cure(
    shop: Project, write: Write, values: tuple[int, ...], cure: str
) -> None:
    rows = "".join(f"u,{item},{value}\n" for item, value in zip("abc", values, strict=True))
    with pytest.raises(DataError, match=f"no rating is a like.*'rating'.*{cure}"):
        import_data(shop, interactions=write("e.csv", "user_id,item_id,rating\n" + rows))
    assert not shop.interactions_file.exists()


@pytest.mark.parametrize("values", [(3, 4, 4312), (-10, 3, 8)])
def test_an_unknown_scale_asks_for_the_threshold(shop: Project, write: Write, values: tuple[int, ...]) -> None:
    rows = "".join(f"u,{item},{value}\n" for item, value in zip("abc", values, strict=True))
    path = write("e.csv", "user_id,item_id,rating\n" + rows)
    with pytest.raises(DataError, match=r"no scale that is known.*rating_threshold = "):
        import_data(shop, interactions=path)
    (shop.root / "recsys.toml").write_text("[events]\nrating_threshold = 4\n")
    import_data(Project.open(shop.root), interactions=path)
    assert "dislike" in shop.load_interactions()["event"].tolist()


def test_ratings_that_are_all_likes_get_a_warning(shop: Project, write: Write) -> None:
    report = import_data(shop, interactions=write("e.csv", "user_id,item_id,rating\nu,a,1\nv,a,1\n"))
    assert "warning: each rating is a like" in str(report)


def test_later_files_of_a_log_keep_its_scale(shop: Project, write: Write) -> None:
    import_data(shop, interactions=write("e.csv", f"user_id,item_id,rating,timestamp\nu,a,5,{T}\nu,b,2,{T + 1}\n"))
    import_data(shop, interactions=write("f.csv", f"user_id,item_id,rating,timestamp\nv,a,1,{T + 2}\n"), options=APPEND)
    assert shop.load_interactions()["event"].tolist() == ["like", "dislike", "dislike"]


@pytest.mark.parametrize("time", ["", ",2024-05-31", ",2024-05-31T02:00:00+02:00"])
def test_repeats_without_a_time_of_day_count_and_the_same_file_twice_adds_nothing(
    shop: Project, write: Write, time: str
) -> None:
    header = "user_id,item_id,event" + (",timestamp" if time else "")
    path = write("e.csv", f"{header}\n" + f"u,a,purchase{time}\n" * 3 + f"v,b,purchase{time}\n")
    report = import_data(shop, interactions=path)
    assert _events(shop) == [("u", "a", "purchase", 10.0)] * 3 + [("v", "b", "purchase", 10.0)]
    assert "2 rows repeat others" in str(report)
    assert report.duplicates == 0
    assert import_data(shop, interactions=path, options=APPEND).duplicates == 4
    assert len(_events(shop)) == 4


def test_an_event_id_counts_once_whatever_the_times(shop: Project, write: Write) -> None:
    header = "event_id,user_id,item_id,event,timestamp\n"
    rows = "e1,u,a,purchase,2024-05-31\ne2,u,a,purchase,2024-05-31\ne1,u,a,purchase,2024-05-31\n"
    assert import_data(shop, interactions=write("e.csv", header + rows)).duplicates == 1
    assert len(_events(shop)) == 2
    more = "e2,u,a,purchase,2024-06-01\ne3,u,a,purchase,2024-05-31\n"
    assert import_data(shop, interactions=write("f.csv", header + more), options=APPEND).duplicates == 1
    assert len(_events(shop)) == 3


def test_quantities_are_bounded_weights_and_negative_ones_are_returns(shop: Project, write: Write) -> None:
    header = "user_id,item_id,event,quantity,timestamp\n"
    lines = ("u,a,purchase,3", "u,b,purchase,5000", "u,c,cart,", "v,a,purchase,3", "v,a,purchase,-1", "v,b,like,7")
    rows = "".join(f"{line},{T + n}\n" for n, line in enumerate(lines))
    report = import_data(shop, interactions=write("e.csv", header + rows))
    assert _events(shop) == [
        ("u", "a", "purchase", 30.0),
        ("u", "b", "purchase", 100.0),
        ("u", "c", "cart", 5.0),
        ("v", "a", "purchase", 20.0),
        ("v", "b", "like", 5.0),
    ]
    assert "up to 10 times" in str(report)
    with pytest.raises(BadRowsError, match="quantity"):
        import_data(shop, interactions=write("e.csv", header + f"u,a,purchase,0,{T}\n"))


def test_undo_events_take_back_the_matching_earlier_event(shop: Project, write: Write) -> None:
    header = "user_id,item_id,event,timestamp\n"
    lines = (
        *("u,a,cart,10", "u,a,remove_from_cart,11"),  # nothing is left
        *("u,b,purchase,10", "u,b,purchase,12", "u,b,Refund,13"),  # one purchase is left
        *("u,c,like,10", "u,c,like,11", "u,c,unlike,12"),
        *("v,a,follow,10", "v,a,unfollow,11", "v,a,follow,12"),
        *("v,b,dislike,10", "v,b,unhide,11"),
        *("v,c,unsubscribe,10", "v,c,view,11"),  # takes nothing back
    )
    rows = "".join(f"{line[:-2]}{T + int(line[-2:])}\n" for line in lines)
    report = str(import_data(shop, interactions=write("e.csv", header + rows)))
    assert _events(shop) == [("u", "b", "purchase", 10.0), ("v", "c", "view", 1.0), ("v", "a", "like", 5.0)]
    assert "6 events were taken back" in report
    assert "1 undo events had nothing to take back and were left out, e.g. unlike of user 'v', item 'c'" in report
    import_data(shop, interactions=write("f.csv", header + f"u,b,cancel_order,{T + 99}\n"), options=APPEND)
    assert [event[:2] for event in _events(shop)] == [("v", "c"), ("v", "a")]


@pytest.mark.parametrize("time", [f",{T}", ""])
@pytest.mark.parametrize("last", ["like", "dislike"])
def test_of_opinions_of_one_second_the_last_in_the_file_stands(
    shop: Project, write: Write, last: str, time: str
) -> None:
    first = "dislike" if last == "like" else "like"
    header = "user_id,item_id,event" + (",timestamp" if time else "")
    rows = f"u,a,{last}{time}\nu,a,{first}{time}\nu,a,{last}{time}\n"
    import_data(shop, interactions=write("e.csv", f"{header}\n{rows}"))
    assert {event[2] for event in _events(shop)} == {last}
    import_data(shop, interactions=write("f.csv", f"{header}\nu,a,{first}{time}\n"), options=APPEND)
    assert {event[2] for event in _events(shop)} == {first}


def test_events_that_were_all_taken_back_are_named(shop: Project, write: Write) -> None:
    rows = f"u,a,cart,{T}\nu,a,remove_from_cart,{T + 1}\nu,b,refund,{T + 2}\n"
    message = r"no event is left.*1 events were taken back.*refund of user 'u', item 'b'.*--append"
    with pytest.raises(DataError, match=message):
        import_data(shop, interactions=write("e.csv", "user_id,item_id,event,timestamp\n" + rows))


def test_aliases_join_visitors_and_users(shop: Project, write: Write) -> None:
    rows = f"v1,a,cart,{T}\nann,b,view,{T + 1}\nann,a,remove_from_cart,{T + 2}\nv2,c,view,{T + 3}\n"
    events = write("e.csv", "user_id,item_id,event,timestamp\n" + rows)
    aliases = write("aliases.csv", "anonymous_id,user_id\nv1,ann\nv2,v1\n")
    report = import_data(shop, interactions=events, aliases=aliases)
    assert report.rows["aliases"] == 2
    assert [event[:2] for event in _events(shop)] == [("ann", "b"), ("ann", "c")]
    import_data(shop, aliases=write("more.csv", "old_id,new_id\nv9,ben\n"), options=APPEND)
    assert shop.load_aliases()["user_id"].tolist() == ["ann", "ann", "ben"]
    with pytest.raises(BadRowsError, match=r"row 3.*'v1' has another user"):
        import_data(shop, aliases=write("two.csv", "old_id,new_id\nv1,ann\nv1,ben\n"))
    assert len(shop.load_aliases()) == 3
