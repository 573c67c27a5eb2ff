from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsys.dataset.importers import ImportMode, ImportOptions, import_data
from recsys.dataset.project import Project
from recsys.errors import BadRowsError, DataError
from recsys.schema import ITEM_COLUMNS

Write = Callable[[str, str | bytes], Path]


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), "red").save(path)


def problems(project: Project, path: Path) -> list[tuple[int | None, str | None]]:
    with pytest.raises(BadRowsError) as caught:
        import_data(project, items=path)
    return [(problem.row, problem.field) for problem in caught.value.problems]


def test_absent_columns_take_their_defaults(project: Project, write: Write) -> None:
    import_data(project, items=write("i.csv", "sku\nb\na\n"))
    frame = project.load_items()
    assert tuple(frame.columns) == ITEM_COLUMNS
    assert frame["item_id"].tolist() == ["a", "b"]
    assert (frame[["title", "category", "image"]] == "").all(axis=None)
    assert frame["price"].isna().all()
    assert frame["price"].dtype == np.float64
    assert frame["available"].tolist() == [True, True]


def test_values_and_attributes_are_typed(project: Project, write: Write) -> None:
    import_data(
        project,
        items=write("i.csv", "item_id;title;price;in stock;year;size\n2; T ;12.5;no;1999;07\n1;;;;2001;XL\n"),
    )
    rows = project.load_items().to_dict("records")
    assert rows[1] == {
        "item_id": "2", "title": "T", "category": "", "price": 12.5, "available": False, "image": "",
        "year": 1999, "size": "07",
    }  # fmt: skip
    assert rows[0]["available"] is True


def test_the_three_formats_agree(project: Project, write: Write, tmp_path: Path) -> None:
    csv = write("i.csv", "item_id,title,price,in_stock,year\n7,Boot,2.5,false,1999\n8,Shoe,,true,2001\n")
    atomic = write(
        "i.item",
        "item_id:token\ttitle:token_seq\tprice:float\tin_stock:token\tyear:float\n"
        "7\tBoot\t2.5\tfalse\t1999\n8\tShoe\t\ttrue\t2001\n",
    )
    parquet = tmp_path / "i.parquet"
    pd.DataFrame(
        {
            "item_id": [7, 8],
            "title": ["Boot", "Shoe"],
            "price": [2.5, np.nan],
            "in_stock": [False, True],
            "year": [1999, 2001],
        }
    ).to_parquet(parquet)
    frames = []
    for path in (csv, atomic, parquet):
        import_data(project, items=path)
        frames.append(project.load_items())
    pd.testing.assert_frame_equal(frames[0], frames[1])
    pd.testing.assert_frame_equal(frames[0], frames[2])


def test_every_bad_field_is_reported_at_its_line(project: Project, write: Write) -> None:
    path = write(
        "i.csv",
        'item_id,title,price,available\n1,"a\nb",1,yes\n2,x,abc,yes\n,x,1,yes\n3,x,-1,maybe\n1,again,1,no\n4,x\n',
    )
    found = problems(project, path)
    assert found == [
        (4, "price"), (5, "item_id"), (6, "price"), (6, "available"), (7, "item_id"), (8, None),
    ]  # fmt: skip
    assert not project.data.exists()


def test_a_repeated_id_names_the_first_line(project: Project, write: Write) -> None:
    with pytest.raises(BadRowsError, match=r"row 4.*'1' is already on row 2"):
        import_data(project, items=write("i.csv", "item_id\n1\n2\n1\n"))


def test_images_are_looked_for_beside_the_file_and_checked(project: Project, write: Write, tmp_path: Path) -> None:
    picture(tmp_path / "images/1.png")
    write("images/text.png", "no picture")
    (tmp_path / "images/cut.png").write_bytes((tmp_path / "images/1.png").read_bytes()[:50])
    path = write(
        "i.csv",
        "id,img\n1,images/1.png\n2,images/none.png\n3,images/text.png\n4,\n5,images/cut.png\n6,http://a.b/c.png\n",
    )
    assert problems(project, path) == [(3, "img"), (4, "img"), (6, "img"), (7, "img")]
    report = import_data(project, items=path, options=ImportOptions(skip_bad=True))
    frame = project.load_items()
    assert frame["item_id"].tolist() == ["1", "4"]
    assert project.resolve_image(frame["image"][0]) == tmp_path / "images/1.png"
    assert (report.images, report.rejected) == (1, {"items": 4})


def test_an_image_root_can_be_given_and_images_inside_the_project_move_with_it(project: Project, write: Write) -> None:
    picture(project.root / "pictures/1.png")
    import_data(
        project, items=write("i.csv", "id,image\n1,1.png\n"), options=ImportOptions(images=project.root / "pictures")
    )
    assert project.load_items()["image"].tolist() == ["pictures/1.png"]


def test_images_need_not_be_checked(project: Project, write: Write, tmp_path: Path) -> None:
    import_data(project, items=write("i.csv", "id,image\n1,none.png\n"), options=ImportOptions(check_images=False))
    assert project.load_items()["image"].tolist() == [str(tmp_path / "none.png")]


def test_two_sources_make_one_catalog(project: Project, write: Write) -> None:
    atomic = write("i.item", "item_id:token\ttitle:token_seq\tyear:token\n1\tOne\t1999\n2\t\t2000\n")
    csv = write("i.csv", "item_id,title,price,year\n2,Two,5,1\n1,Other,,2\n3,Three,7,3\n")
    import_data(project, items=[atomic, csv])
    frame = project.load_items()
    assert frame["title"].tolist() == ["One", "Two", "Three"]
    assert frame["price"].tolist()[1:] == [5.0, 7.0]
    assert frame["year"].tolist() == ["1999", "2000", "3"]
    assert frame["available"].tolist() == [True, True, True]


def test_append_adds_and_replaces_by_id(project: Project, write: Write) -> None:
    import_data(project, items=write("a.csv", "item_id,title,size\n1,One,S\n2,Two,M\n"))
    report = import_data(
        project,
        items=write("b.csv", "item_id,title,size\n2,New,3\n3,Three,4\n"),
        options=ImportOptions(mode=ImportMode.APPEND),
    )
    frame = project.load_items()
    assert frame["item_id"].tolist() == ["1", "2", "3"]
    assert frame["title"].tolist() == ["One", "New", "Three"]
    assert frame["size"].tolist() == ["S", "3", "4"]
    assert report.rows == {"items": 3}


def test_replace_forgets_what_was_there(project: Project, write: Write) -> None:
    import_data(project, items=write("a.csv", "item_id,size\n1,S\n"))
    import_data(project, items=write("b.csv", "item_id\n2\n"))
    frame = project.load_items()
    assert frame["item_id"].tolist() == ["2"]
    assert "size" not in frame


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("i.csv", "title\nx\n", "no column for 'item_id'.*first line must be a header, and has the columns title"),
        ("i.csv", "item_id\n", "a header but no rows"),
        ("i.xlsx", "x", "unknown file format; use one of .csv"),
        ("i.parquet", "x", "not a readable Parquet file"),
    ],
)
@pytest.mark.parametrize("skip_bad", [False, True])
def test_defects_of_the_file_are_never_skipped(
    project: Project, write: Write, name: str, content: str, message: str, skip_bad: bool
) -> None:
    with pytest.raises(DataError, match=message):
        import_data(project, items=write(name, content), options=ImportOptions(skip_bad=skip_bad))
    assert not project.data.exists()


def test_parquet_columns_of_nested_types_are_named(project: Project, tmp_path: Path) -> None:
    pd.DataFrame({"item_id": ["1"], "tags": [["a", "b"]]}).to_parquet(tmp_path / "i.parquet")
    with pytest.raises(DataError, match="column 'tags' is of type list"):
        import_data(project, items=tmp_path / "i.parquet")


def test_a_missing_file_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        import_data(project, items=tmp_path / "gone.csv")
