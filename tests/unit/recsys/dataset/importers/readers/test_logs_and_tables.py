"""Logs and general formats: GA4, REES46, ratings without a header, JSON, Excel, DataFrames, gzip, and encodings."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.importers import FileFormat, ImportOptions, import_data
from recsys.dataset.importers.readers.delimited import find_delimiter
from recsys.dataset.importers.readers.formats import recognize
from recsys.dataset.project import Project
from recsys.errors import BadRowsError, DataError, MissingExtraError

Write = Callable[[str, str | bytes], Path]
EVENING = 1_717_178_400


def rows(project: Project, *columns: str) -> list[tuple[object, ...]]:
    return list(project.load_interactions()[list(columns)].itertuples(index=False, name=None))


def items(project: Project, *columns: str) -> list[tuple[object, ...]]:
    return list(project.load_items()[list(columns)].itertuples(index=False, name=None))


GA4 = [
    {"event_timestamp": "1717178400123456", "event_name": "view_item", "user_pseudo_id": "1.2",
     "items": [{"item_id": "A", "item_name": "Cup", "item_category": "Home", "item_category2": "Cups", "price": 9.5}]},
    {"event_timestamp": 1717178401000000, "event_name": "purchase", "user_pseudo_id": "1.2", "user_id": "ann",
     "items": [{"item_id": "A", "quantity": 2}, {"item_id": "B", "item_name": "Bag", "quantity": 1}]},
    {"event_timestamp": 1717178402000000, "event_name": "page_view", "user_pseudo_id": "1.2", "items": []},
    {"event_timestamp": 1717178403000000, "event_name": "select_item", "user_pseudo_id": "1.2", "user_id": None,
     "items": [{"item_id": "(not set)", "item_name": "B"}]},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["lines", "array", "parquet"])
def test_google_analytics(project: Project, write: Write, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        path = tmp_path / "events.parquet"
        frame = pd.DataFrame(GA4)
        frame["event_timestamp"] = frame["event_timestamp"].astype("int64")
        frame.to_parquet(path)
    else:
        text = json.dumps(GA4) if kind == "array" else "".join(json.dumps(event) + "\n" for event in GA4)
        path = write("events.json", text)
    assert recognize(path) is FileFormat.GA4
    report = import_data(project, interactions=path)
    assert rows(project, "user_id", "item_id", "event", "timestamp") == [
        ("1.2", "A", "view", EVENING), ("ann", "A", "purchase", EVENING + 1), ("ann", "B", "purchase", EVENING + 1),
        ("1.2", "B", "click", EVENING + 3),
    ]  # fmt: skip
    assert items(project, "item_id", "title", "category") == [("A", "Cup", "Home > Cups"), ("B", "B", "")]
    assert "left out: page_view 1" in str(report)


REES46 = (
    "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    "2024-05-31 18:00:00 UTC,view,1004,2053,electronics.smartphone,acme,1081.98,513,s1\n"
    "2024-05-31 18:00:05 UTC,cart,1004,2053,electronics.smartphone,acme,1079.00,513,s1\n"
    "2024-05-31 18:00:09 UTC,purchase,0007,2054,,,5.05,514,s2\n"
)


def test_rees46_brings_its_catalog(project: Project, write: Write) -> None:
    log = write("2024-May.csv.gz", gzip.compress(REES46.encode()))
    assert recognize(log) is FileFormat.REES46
    import_data(project, interactions=log)
    found = [("0007", "", 5.05), ("1004", "electronics > smartphone", 1079.0)]
    assert items(project, "item_id", "category", "price") == found
    assert rows(project, "user_id", "item_id", "event", "timestamp") == [
        ("513", "1004", "view", EVENING), ("513", "1004", "cart", EVENING + 5),
        ("514", "0007", "purchase", EVENING + 9),
    ]  # fmt: skip
    import_data(project, items=log)
    assert items(project, "item_id", "category", "price") == found


@pytest.mark.parametrize("mark", [" ", ",", ";"])
def test_ratings_without_a_header(project: Project, write: Write, mark: str) -> None:
    lines = [
        ("196", "242", "3.5", str(EVENING)),
        ("ann", "302", "3", str(EVENING + 1)),
        ("196", "051", "5", str(EVENING + 2)),
    ]
    path = write("ratings.txt", "".join(mark.join(line) + "\n" for line in lines))
    assert recognize(path) is FileFormat.UIRT
    report = import_data(project, interactions=path)
    assert rows(project, "user_id", "item_id", "rating", "timestamp") == [
        ("196", "242", 3.5, EVENING), ("ann", "302", 3.0, EVENING + 1), ("196", "051", 5.0, EVENING + 2),
    ]  # fmt: skip
    assert "no header, taken for ratings: user_id 196, item_id 242, rating 3.5" in str(report)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 5 3\n1 7 4\n", FileFormat.UIRT),  # a user on two lines
        ("1 5 3.5\n2 7 4.0\n", FileFormat.UIRT),  # fractions
        ("u1,i1,3\nu2,i1,4\n", FileFormat.UIRT),
        ("1 5 30\n2 7 40\n", FileFormat.LIGHTGCN),
        ("1 5 3\n2 7\n", FileFormat.LIGHTGCN),
        ("1\t5\t993\n1\t7\t4\n", FileFormat.LIGHTGCN),
    ],
)
def test_ratings_and_lists_of_items_are_told_apart(write: Write, text: str, expected: FileFormat) -> None:
    assert recognize(write("a.txt", text)) is expected


@pytest.mark.parametrize("text", ["1 5 3\n2 7 4\n", "1\t5\t3\n2\t7\t4\n", "1 5 3 9\n2 7 4 9\n"])
def test_ratings_that_may_be_lists_are_refused_and_an_option_decides(project: Project, write: Write, text: str) -> None:
    path = write("a.txt", text)
    with pytest.raises(DataError, match=r"no line decides: say which with `--format uirt` or `--format lightgcn`"):
        import_data(project, interactions=path)
    import_data(project, interactions=path, options=ImportOptions(file_format=FileFormat.LIGHTGCN))
    assert "rating" not in project.load_interactions()


def test_json_with_columns_of_its_own(project: Project, write: Write) -> None:
    lines = [
        {"id": 7, "name": "Cup", "price": 1.299, "tags": ["a", "b"], "new": True, "code": "007", "offer": {"x": 1}},
        {"id": 8, "name": None, "price": None, "tags": [], "size": "M"},
    ]
    report = import_data(project, items=write("i.jsonl", "".join(json.dumps(line) + "\n" for line in lines)))
    found = project.load_items().to_dict("records")
    assert [(row["item_id"], row["title"], row["tags"], row["new"], row["code"], row["size"]) for row in found] == [
        ("7", "Cup", "a|b", "true", "007", ""), ("8", "", "", "", "", "M"),
    ]  # fmt: skip
    assert found[0]["price"] == 1.299
    assert "left out, since their values are nested: offer" in str(report)
    with pytest.raises(BadRowsError, match=r"row 2: not valid JSON"):
        import_data(project, items=write("i.ndjson", '{"id": 1}\n{"id"\n'))


def test_ids_keep_every_digit_or_are_refused(project: Project, write: Write, tmp_path: Path) -> None:
    frame = pd.DataFrame({"item_id": [4006381333931.0, 101.0], "title": ["A", "B"]})
    frame.to_parquet(tmp_path / "i.parquet")
    import_data(project, items=tmp_path / "i.parquet")
    assert items(project, "item_id") == [("101",), ("4006381333931",)]
    pd.DataFrame({"item_id": [1e20]}).to_parquet(tmp_path / "big.parquet")
    with pytest.raises(BadRowsError, match="lost digits on its way; export the column as text"):
        import_data(project, items=tmp_path / "big.parquet")
    import_data(project, items=write("i.csv", "item_id\n0004006381333931\n4006381333931\n"))
    assert items(project, "item_id") == [("0004006381333931",), ("4006381333931",)]
    with pytest.raises(BadRowsError, match=r"'4.00638E\+12' is a number that lost digits"):
        import_data(project, items=write("i.csv", "item_id\n4.00638E+12\n"))
    import_data(project, items=write("i.json", '[{"id": 12345678901234567890}, {"id": 7.0}]'))
    assert items(project, "item_id") == [("12345678901234567890",), ("7",)]


def test_composed_and_decomposed_letters_are_one_id(project: Project, write: Write) -> None:
    catalog = write("i.csv", "item_id\ncafe\u0301\n")
    import_data(project, items=catalog, interactions=write("e.csv", "user_id,item_id\nu,café\n"))
    assert items(project, "item_id") == [("café",)]
    assert rows(project, "item_id") == [("café",)]


def test_a_data_frame_is_imported_like_a_file(project: Project) -> None:
    catalog = pd.DataFrame(
        {"name": ["Cup", None], "price": [9.5, np.nan], "mixed": [1, "x"]}, index=pd.Index([7, 8], name="id")
    )
    log = pd.DataFrame(
        {
            "user": ["a", "b"],
            "item": [7, 8],
            "event": pd.Categorical(["view", "cart"]),
            "ts": pd.to_datetime(["2024-05-31 18:00"] * 2),
        }
    )
    report = import_data(project, items=catalog, interactions=log, users=pd.DataFrame({"user": ["a"], "age": [3]}))
    assert items(project, "item_id", "title", "mixed") == [("7", "Cup", "1"), ("8", "", "x")]
    assert rows(project, "user_id", "item_id", "event", "timestamp") == [
        ("a", "7", "view", EVENING),
        ("b", "8", "cart", EVENING),
    ]
    assert report.rows == {"items": 2, "interactions": 2, "users": 1}
    with pytest.raises(BadRowsError, match=r"DataFrame of items, row 2, column 'id': '7' is already on row 1"):
        import_data(project, items=pd.DataFrame({"id": [7, 7]}))


def test_excel(project: Project, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append([])
    sheet.append(["item_id", "title", "price", "since"])
    sheet.append([42, "Cup", 1299.5, pd.Timestamp("2024-05-31 18:00").to_pydatetime()])
    sheet.append([4006381333931, "Bag", None, None])
    sheet["A3"].number_format = "00000"
    workbook.create_sheet("more")
    workbook.save(tmp_path / "i.xlsx")
    report = import_data(project, items=tmp_path / "i.xlsx")
    assert items(project, "item_id", "title", "since") == [
        ("00042", "Cup", "2024-05-31T18:00:00"),
        ("4006381333931", "Bag", ""),
    ]
    assert "only the first sheet is read" in str(report)


def test_excel_without_its_extra_names_it(project: Project, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"style-recsys\[excel\]"):
        import_data(project, items=write("i.xlsx", b"PK"))


@pytest.mark.parametrize(
    ("encoding", "mark", "packed"),
    [("utf-8-sig", ",", False), ("utf-16", ";", True), ("utf-16-le", "\t", False), ("cp1252", "|", True)],
)
def test_encodings_delimiters_and_gzip(project: Project, write: Write, encoding: str, mark: str, packed: bool) -> None:
    text = (
        mark.join(["item_id", '"title, long; with | marks"', "name"])
        + "\r\n"
        + mark.join(["1", '"a,b;c|d"', "Größe €"])
        + "\r\n"
    )
    content = text.encode(encoding)
    report = import_data(
        project, items=write("i.csv.gz" if packed else "i.csv", gzip.compress(content) if packed else content)
    )
    assert items(project, "item_id", "title", "title, long; with | marks") == [("1", "Größe €", "a,b;c|d")]
    assert ("taken for Windows-1252 (Größe, €)" in str(report)) is (encoding == "cp1252")


def test_archives_and_old_workbooks_are_named(project: Project, write: Write) -> None:
    with pytest.raises(DataError, match="a ZIP archive; unpack it"):
        import_data(project, items=write("i.csv", b"PK\x03\x04rest"))
    with pytest.raises(DataError, match=r"old format \.xls; save it as \.xlsx or CSV"):
        import_data(project, items=write("i.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest"))


def test_pieces_in_stock_say_what_is_available_unless_another_column_does(project: Project, write: Write) -> None:
    import_data(project, items=write("i.csv", "id,stock\n1,5\n2,0\n3,-1\n"))
    assert items(project, "available") == [(True,), (False,), (False,)]
    import_data(project, items=write("i.csv", "id,stock,in_stock\n1,0,yes\n2,5,no\n"))
    assert items(project, "available", "stock") == [(True, 0), (False, 5)]


def test_an_encoding_can_be_named(project: Project, write: Write) -> None:
    path = write("i.csv", "item_id,title\n1,Красная кружка\n".encode("cp1251"))
    import_data(project, items=path, options=ImportOptions(encoding="cp1251"))
    assert items(project, "title") == [("Красная кружка",)]
    with pytest.raises(DataError, match="no such encoding"):
        import_data(project, items=path, options=ImportOptions(encoding="cp-nothing"))


def test_what_excel_and_mysql_add(project: Project, write: Write) -> None:
    import_data(project, items=write("i.csv", "sep=;\nitem_id;title\n1;a\n"))
    assert items(project, "item_id", "title") == [("1", "a")]
    import_data(project, items=write("z.csv", 'item_id,title\n"=""00123""",a\n'))
    assert items(project, "item_id") == [("00123",)]
    mysql = 'item_id,title,size\n1,"12\\" vinyl",\\N\n2,"a\\", b",3\n3,"x\\"",4\n4,C:\\dir,5\n'
    report = import_data(project, items=write("m.csv", mysql))
    assert items(project, "item_id", "title") == [("1", '12" vinyl'), ("2", 'a", b'), ("3", 'x"'), ("4", "C:\\dir")]
    assert "3 rows have quotes after a backslash" in str(report)


@pytest.mark.parametrize(
    ("sample", "mark"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2\n", ";"), ('"a,b,c";d\n1;2\n', ";"), ("id;title, long, x;p\n1;A;2\n", ";"),
        ("a b\n1 2\n", " "), ("only\n1\n", ","), ("first name\nx\n", ","),
        ("a|b|c\n1|x;y|2\n", "|"), ("a\tb c\n1\t2\n", "\t"),
    ],
)  # fmt: skip
def test_delimiters_are_found(sample: str, mark: str) -> None:
    assert find_delimiter(sample) == mark


def test_a_dry_run_shows_the_reading_and_changes_nothing(project: Project, write: Write) -> None:
    before = sorted(path.relative_to(project.root) for path in project.root.rglob("*"))
    catalog = write("i.csv", "id;Name;price\n1;Cup;1.299,00\n")
    report = import_data(project, items=catalog, options=ImportOptions(dry_run=True))
    text = str(report)
    assert "i.csv as csv: 1 rows; price, item_id <- 'id', title <- 'Name'" in text
    assert "1299.0" in text.split("first rows of items:")[1]
    assert sorted(path.relative_to(project.root) for path in project.root.rglob("*")) == before
