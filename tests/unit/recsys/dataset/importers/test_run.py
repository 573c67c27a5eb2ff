from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.dataset.importers import ImportOptions, import_data
from recsys.dataset.project import Project
from recsys.errors import BadRowsError, DataError, ProjectError
from recsys.storage.artifacts import exclusive_lock

Write = Callable[[str, str | bytes], Path]
SHARED = Path(__file__).parents[5].parent / "shared" / "data"
ITEMS = "item_id,price\n1,5\n2,x\n3,7\n"
EVENTS = "user_id,item_id,event,timestamp\nu,1,view,1700000001\nu,2,view,1700000002\nu,9,view,1700000003\n"


def snapshot(root: Path) -> dict[str, bytes]:
    files = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_with_a_bad_row_nothing_changes_and_all_files_are_reported(project: Project, write: Write) -> None:
    import_data(project, items=write("old.csv", "item_id\n0\n"))
    before = snapshot(project.root)
    with pytest.raises(BadRowsError) as caught:
        import_data(project, items=write("items.csv", ITEMS), interactions=write("events.csv", EVENTS))
    # The view of item 2 is not blamed: item 2 exists, its own row is bad.
    assert [(p.file.name, p.row, p.field) for p in caught.value.problems] == [
        ("events.csv", 4, "item_id"),
        ("items.csv", 3, "price"),
    ]
    assert snapshot(project.root) == before


def test_skip_bad_imports_the_rest_and_keeps_the_bad_rows(project: Project, write: Write) -> None:
    items, events = write("items.csv", ITEMS), write("events.csv", EVENTS)
    report = import_data(project, items=items, interactions=events, options=ImportOptions(skip_bad=True))
    assert project.load_items()["item_id"].tolist() == ["1", "3"]
    assert project.load_interactions()["item_id"].tolist() == ["1"]
    assert report.rejected == {"items": 1, "interactions": 2}
    rows = [list(csv.DictReader(path.read_text().splitlines())) for path in report.rejects]
    assert [(r["file"], r["row"], r["field"], r["raw"]) for r in rows[0]] == [(str(items), "3", "price", "2,x")]
    assert [(r["row"], r["raw"]) for r in rows[1]] == [("3", "u,2,view,1700000002"), ("4", "u,9,view,1700000003")]
    assert "its own row is bad" in rows[1][0]["message"]
    assert "not in the catalog" in rows[1][1]["message"]


def test_the_same_import_writes_the_same_bytes(project: Project, write: Write) -> None:
    items, events = write("items.csv", ITEMS), write("events.csv", EVENTS)
    import_data(project, items=items, interactions=events, options=ImportOptions(skip_bad=True))
    first = snapshot(project.root)
    import_data(project, items=items, interactions=events, options=ImportOptions(skip_bad=True))
    assert snapshot(project.root) == first


def test_where_no_good_row_remains_nothing_changes(project: Project, write: Write) -> None:
    import_data(project, items=write("old.csv", "item_id\n0\n"))
    before = snapshot(project.root)
    with pytest.raises(DataError, match=r"no good row of items.*items.csv, row 2, column 'price'"):
        import_data(project, items=write("items.csv", "item_id,price\n1,x\n"), options=ImportOptions(skip_bad=True))
    assert snapshot(project.root) == before


def test_renames_of_columns_that_no_file_has(project: Project, write: Write) -> None:
    with pytest.raises(DataError, match=r"cannot rename column 'color': .* item_id, price"):
        import_data(project, items=write("items.csv", ITEMS), options=ImportOptions(columns={"color": "category"}))


def test_an_import_of_nothing(project: Project) -> None:
    with pytest.raises(DataError, match="nothing to import"):
        import_data(project)


def test_two_imports_at_once(project: Project, write: Write) -> None:
    with exclusive_lock(project.root), pytest.raises(ProjectError, match="another process"):
        import_data(project, items=write("items.csv", "item_id\n1\n"))


def test_the_report_reads_well(project: Project, write: Write) -> None:
    report = import_data(
        project,
        items=write("items.csv", ITEMS),
        interactions=write("events.csv", EVENTS),
        options=ImportOptions(skip_bad=True),
    )
    assert str(report).splitlines() == [
        "items         2 (0 with an image), 1 wrong rows left out",
        "interactions  1, 2 wrong rows left out",
        "events        view 1",
        "period        2023-11-14 to 2023-11-14",
        *(f"left out      {path}" for path in report.rejects),
    ]


@pytest.mark.realdata
@pytest.mark.skipif(not SHARED.exists(), reason=f"real data sets are not at {SHARED}")
def test_movielens_with_posters(project: Project) -> None:
    folder = SHARED / "ml-100k-posters"
    report = import_data(
        project,
        items=[folder / "ml-100k.item", folder / "items.csv"],
        interactions=folder / "ml-100k.inter",
        users=folder / "ml-100k.user",
    )
    assert report.rows == {"items": 1682, "interactions": 100_000, "users": 943}
    assert report.events == {"like": 55_375, "dislike": 44_625}
    assert (report.images, report.duplicates) == (1622, 0)
    film = project.load_items().set_index("item_id").loc["1"]
    assert (film["title"], film["category"]) == ("Toy Story", "Animation|Children's|Comedy")
