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


def test_an_image_that_cannot_be_used_costs_itself_and_is_named(project: Project, write: Write, tmp_path: Path) -> None:
    picture(tmp_path / "images/1.png")
    write("images/text.png", "no picture")
    write("images/empty.jpg", "")
    (tmp_path / "images/folder.jpg").mkdir()
    (tmp_path / "images/cut.png").write_bytes((tmp_path / "images/1.png").read_bytes()[:50])
    Image.new("RGB", (1, 1)).save(tmp_path / "images/tiny.png")
    names = ["1.png", "none.png", "text.png", "empty.jpg", "folder.jpg", "cut.png", "tiny.png"]
    rows = [f"{index},images/{name}\n" for index, name in enumerate(names)]
    path = write("i.csv", "id,img\n" + "".join(rows) + '7,\n8,"data:image/png;base64,AAAA"\n')
    report = import_data(project, items=path)
    frame = project.load_items()
    assert frame["item_id"].tolist() == list("012345678")
    assert project.resolve_image(frame["image"][0]) == tmp_path / "images/1.png"
    assert (frame["image"][1:] == "").all()
    assert (report.images, report.rejected) == (1, {})
    (note,) = report.notes
    assert note.startswith("7 of 8 images cannot be used, and their items are imported without: ")
    assert "i.csv, row 3, column 'img'" in note
    assert "none.png: no such file" in note
    listed = report.rejects[0].read_text().splitlines()
    assert len(listed) == 1 + 7
    assert "save it as a file" in listed[-1]


def test_a_column_of_images_may_be_empty(project: Project, write: Write) -> None:
    full, empty = write("a.csv", "item_id,title\na,Red\n"), write("b.csv", "item_id,image,title\na,,\nb,,Blue\n")
    for files in ([empty], [full, empty]):
        report = import_data(project, items=files)
        assert project.load_items()["image"].tolist() == ["", ""]
        assert str(report).startswith("items         2 (0 with an image)")


@pytest.mark.parametrize("check_images", [True, False])
def test_addresses_of_images_stay_with_their_items(project: Project, write: Write, check_images: bool) -> None:
    path = write(
        "i.csv",
        'id,image,image_urls\n1,https://a.b/c.jpg,https://a.b/d.jpg\n2,"http://a.b/1,2.jpg, //a.b/3.jpg",\n3,,\n'
        "4,s3://bucket/x y.jpg,\n",
    )
    report = import_data(project, items=path, options=ImportOptions(check_images=check_images))
    frame = project.load_items()
    assert frame["image_urls"][:3].tolist() == [
        "https://a.b/c.jpg https://a.b/d.jpg", "http://a.b/1,2.jpg //a.b/3.jpg", "",
    ]  # fmt: skip
    assert (frame["image"][:3] == "").all()
    assert any("2, such as https://a.b/c.jpg" in note and "recsys images fetch" in note for note in report.notes)


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


APPEND = ImportOptions(mode=ImportMode.APPEND)


def test_append_adds_items_and_changes_those_it_knows(project: Project, write: Write) -> None:
    import_data(project, items=write("a.csv", "item_id,title,size\n1,One,S\n2,Two,M\n"))
    report = import_data(project, items=write("b.csv", "item_id,title,size\n2,New,3\n3,Three,4\n"), options=APPEND)
    frame = project.load_items()
    assert frame["item_id"].tolist() == ["1", "2", "3"]
    assert frame["title"].tolist() == ["One", "New", "Three"]
    assert frame["size"].tolist() == ["S", "3", "4"]
    assert report.rows == {"items": 3}
    assert report.notes == ("items: 1 updated (columns title, size), 1 new",)


def test_a_price_list_changes_prices_alone(project: Project, write: Write, tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    full = "item_id,title,category,price,available,image,year\n1,One,lamp,5,no,1.png,1999\n2,Two,mug,6,yes,,2001\n"
    import_data(project, items=write("a.csv", full))
    before = project.load_items()
    report = import_data(project, items=write("p.csv", "item_id,price\n1,99\n"), options=APPEND)
    after = project.load_items()
    assert after["price"].tolist() == [99.0, 6.0]
    pd.testing.assert_frame_equal(after.drop(columns="price"), before.drop(columns="price"))
    assert report.notes == ("items: 1 updated (columns price), 0 new",)


def test_an_empty_cell_clears_and_a_missing_column_keeps(project: Project, write: Write) -> None:
    import_data(project, items=write("a.csv", "item_id,title,price,size\n1,One,5,S\n2,Two,6,M\n"))
    titles, sizes = write("t.csv", "item_id,title,price\n1,,\n"), write("s.csv", "item_id,size\n2,\n")
    import_data(project, items=[titles, sizes], options=APPEND)
    frame = project.load_items()
    assert frame["title"].tolist() == ["", "Two"]
    assert frame["price"].isna().tolist() == [True, False]
    assert frame["size"].tolist() == ["S", ""]


def test_users_are_changed_by_column_too(project: Project, write: Write) -> None:
    import_data(project, users=write("u.csv", "user_id,city,age\na,Rom,31\nb,Oslo,44\n"))
    report = import_data(project, users=write("v.csv", "user_id,age\na,32\nc,20\n"), options=APPEND)
    frame = project.load_users()
    assert frame["city"].tolist() == ["Rom", "Oslo", ""]
    assert frame["age"].tolist() == [32, 44, 20]
    assert report.notes == ("users: 1 updated (columns age), 1 new",)


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
        ("i.bin", "x", "unknown file format; use one of .csv"),
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


def test_lists_of_parquet_are_joined_and_nested_columns_left_out(project: Project, tmp_path: Path) -> None:
    frame = pd.DataFrame({"item_id": ["1"], "categories": [["a", "b"]], "offers": [[{"price": 1}]], "dims": [{"w": 1}]})
    frame.to_parquet(tmp_path / "i.parquet")
    report = import_data(project, items=tmp_path / "i.parquet")
    assert project.load_items()["category"].tolist() == ["a|b"]
    assert list(project.load_items()) == ["item_id", "title", "category", "price", "available", "image"]
    assert "left out, since their values are nested: offers, dims" in str(report)


def test_a_missing_file_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        import_data(project, items=tmp_path / "gone.csv")
