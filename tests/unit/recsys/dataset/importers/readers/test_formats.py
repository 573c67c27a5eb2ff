"""Public data sets: small files of the right shape, their defects, and how they are recognized."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.dataset.importers import FileFormat, ImportOptions, ImportReport, import_data
from recsys.dataset.importers.readers.formats import EXPORTS, READERS, recognize
from recsys.dataset.project import Project
from recsys.dataset.splits import SPLIT_PART
from recsys.errors import BadRowsError, DataError

Write = Callable[[str, str | bytes], Path]
Row = Mapping[str, object]

FLAGS = "0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0"
UNKNOWN_GENRE = "1" + "|0" * 18
U_ITEM = (
    f"1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M/title-exact?Toy%20Story%20(1995)|{FLAGS}\n"
    f"2|Misérables, Les (1995)|01-Jan-1995||http://x|{UNKNOWN_GENRE}\n"
)
U_DATA = "196\t1\t3\t881250949\n186\t2\t5\t891717742\n"
U_USER = "186|24|M|technician|85711\n196|53|F|other|01234\n"


def items(project: Project) -> list[Row]:
    return project.load_items().to_dict("records")  # type: ignore[return-value]


def events(project: Project, *columns: str) -> list[tuple[object, ...]]:
    return list(project.load_interactions()[list(columns)].itertuples(index=False, name=None))


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), 90, dtype=np.uint8)).save(path)


def test_every_format_reads_something_and_a_public_data_set_has_interactions() -> None:
    assert set(READERS) | set(EXPORTS) == set(FileFormat)
    assert not set(READERS) & set(EXPORTS)
    assert all((*READERS.values(), *EXPORTS.values()))


def test_movielens_100k(project: Project, write: Write) -> None:
    report = import_data(
        project,
        items=write("u.item", U_ITEM.encode("latin-1")),
        interactions=write("u.data", U_DATA),
        users=write("u.user", U_USER),
    )
    assert report.rows == {"items": 2, "interactions": 2, "users": 2}
    assert [(row["title"], row["category"], row["release_date"]) for row in items(project)] == [
        ("Toy Story (1995)", "Animation|Children's|Comedy", "01-Jan-1995"),
        ("Misérables, Les (1995)", "", "01-Jan-1995"),
    ]
    assert events(project, "user_id", "item_id", "event", "rating", "timestamp") == [
        ("196", "1", "dislike", 3.0, 881250949),
        ("186", "2", "like", 5.0, 891717742),
    ]
    users = project.load_users()
    assert users["zip_code"].tolist() == ["85711", "01234"]
    assert users["age"].tolist() == [24, 53]


def test_movielens_1m(project: Project, write: Write) -> None:
    import_data(
        project,
        items=write("movies.dat", "1::Toy Story (1995)::Animation|Comedy\n2::Café: A|B::Drama\n".encode("latin-1")),
        interactions=write("ratings.dat", "1::2::5::978300760\n"),
        users=write("users.dat", "1::F::1::10::48067\n"),
    )
    assert [(row["title"], row["category"]) for row in items(project)] == [
        ("Toy Story (1995)", "Animation|Comedy"),
        ("Café: A|B", "Drama"),
    ]
    assert events(project, "user_id", "item_id", "rating", "timestamp") == [("1", "2", 5.0, 978300760)]
    assert project.load_users()["gender"].tolist() == ["F"]


def test_movielens_25m(project: Project, write: Write) -> None:
    import_data(
        project,
        items=write("movies.csv", 'movieId,title,genres\n1,"American, The (1995)",Drama\n2,B,(no genres listed)\n'),
        interactions=write("ratings.csv", "userId,movieId,rating,timestamp\n1,2,4.5,1147880044\n"),
    )
    assert [(row["title"], row["category"]) for row in items(project)] == [("American, The (1995)", "Drama"), ("B", "")]
    assert events(project, "item_id", "event", "rating") == [("2", "like", 4.5)]


def test_lightgcn_events_with_weights_and_their_test_file(project: Project, write: Write) -> None:
    report = import_data(
        project,
        interactions=write("data1.txt", "424\t4076\t993\n1671\t410\t146\n424\t7\t2\n"),
        test_interactions=write("test1.txt", "424\t410\t3\n1671\t410\t146\n"),
    )
    assert [row["item_id"] for row in items(project)] == ["4076", "410", "7"]
    # The pair that both files have is learned from, so it is not asked for.
    assert sorted(events(project, "user_id", "item_id", "weight", SPLIT_PART)) == [
        ("1671", "410", 146.0, "train"),
        ("424", "4076", 993.0, "train"),
        ("424", "410", 3.0, "test"),
        ("424", "7", 2.0, "train"),
    ]
    assert report.duplicates == 1
    assert any("3 items have an id and no other data" in note for note in report.notes)
    assert any("2 events are the test part" in note for note in report.notes)


def test_lightgcn_lists_in_which_a_user_may_have_nothing(project: Project, write: Write) -> None:
    import_data(
        project, interactions=write("train.txt", "0 12 3 \n1\n2 3\n"), test_interactions=write("t.txt", "0 5\n")
    )
    assert sorted(events(project, "user_id", "item_id", SPLIT_PART)) == [
        ("0", "12", "train"), ("0", "3", "train"), ("0", "5", "test"), ("2", "3", "train"),
    ]  # fmt: skip


def test_a_catalog_that_is_given_is_the_one_that_counts(project: Project, write: Write) -> None:
    catalog = write("i.csv", "item_id,title\n3,Three\n")
    with pytest.raises(BadRowsError, match=r"train.txt, row 1, column 'item_id': item '12' is not in the catalog"):
        import_data(project, items=catalog, interactions=write("train.txt", "0 12 3\n1 5\n"))


def review(**changes: object) -> str:
    whole = {"user_id": "AE", "parent_asin": "B1", "asin": "B0", "rating": 5.0, "timestamp": 1_588_687_728_923}
    return json.dumps({**whole, "text": "x", **changes}) + "\n"


def product(**changes: object) -> str:
    whole = {"parent_asin": "B1", "title": "Mug", "main_category": "Home", "price": 12.5, "store": "S", "images": []}
    return json.dumps({**whole, **changes}) + "\n"


@pytest.mark.parametrize("packed", [False, True])
def test_amazon_reviews_2023(project: Project, write: Write, packed: bool) -> None:
    urls = [{"thumb": "http://a/t.jpg", "large": "http://a/l.jpg", "hi_res": None}, {"thumb": "http://b/t.jpg"}]
    meta = (
        product(images=urls)
        + product(parent_asin="B2", price="from 1,012.99", title=None)
        + product(
            parent_asin="B3",
            price="—",
            images={"hi_res": [None], "large": ["http://c/l.jpg"], "thumb": ["http://c/t.jpg"]},
        )
    )
    reviews = review() + review(user_id="AF", rating=2.0, timestamp=1_588_687_728_001)

    def file(name: str, text: str) -> Path:
        return write(name + ".gz", gzip.compress(text.encode())) if packed else write(name, text)

    import_data(project, items=file("meta.jsonl", meta), interactions=file("reviews.jsonl", reviews))
    found = items(project)
    assert [row["item_id"] for row in found] == ["B1", "B2", "B3"]
    assert [row["image_urls"] for row in found] == ["http://a/l.jpg http://b/t.jpg", "", "http://c/l.jpg"]
    assert [row["image"] for row in found] == ["", "", ""]
    assert [row["title"] for row in found] == ["Mug", "", "Mug"]
    np.testing.assert_array_equal([row["price"] for row in found], [12.5, 1012.99, np.nan])
    assert events(project, "user_id", "item_id", "event", "timestamp") == [
        ("AE", "B1", "like", 1_588_687_728),
        ("AF", "B1", "dislike", 1_588_687_728),
    ]


def test_amazon_pictures_are_found_by_the_product_s_id(project: Project, write: Write, tmp_path: Path) -> None:
    picture(tmp_path / "pictures" / "deep" / "B1.jpg")
    import_data(
        project,
        items=write("meta.jsonl", product() + product(parent_asin="B2")),
        options=ImportOptions(images=tmp_path / "pictures"),
    )
    assert [Path(str(row["image"])).name for row in items(project)] == ["B1.jpg", ""]


ARTICLES = (
    "article_id,product_code,prod_name,product_type_no,product_type_name,detail_desc\n"
    '0108775015,0108775,Strap top,253,Vest top,"Jersey top, narrow"\n'
    "0110065001,0110065,OP T-shirt,306,Bra,\n"
)
TRANSACTIONS = (
    "t_dat,customer_id,article_id,price,sales_channel_id\n"
    "2018-09-20,000058a1,0108775015,0.0508,2\n2018-09-21,000058a1,0110065001,0.0305,1\n"
)


def test_hm(project: Project, write: Write, tmp_path: Path) -> None:
    picture(tmp_path / "images" / "010" / "0108775015.jpg")
    report = import_data(
        project,
        items=write("articles.csv", ARTICLES),
        interactions=write("transactions_train.csv", TRANSACTIONS),
        users=write("customers.csv", "customer_id,FN,club_member_status,age\n000058a1,,ACTIVE,49\n"),
    )
    first, second = items(project)
    assert (first["item_id"], first["title"], first["category"]) == ("0108775015", "Strap top", "Vest top")
    assert first["product_code"] == "0108775"
    assert project.resolve_image(str(first["image"])) == tmp_path / "images" / "010" / "0108775015.jpg"
    assert second["image"] == ""
    assert events(project, "user_id", "item_id", "event", "timestamp") == [
        ("000058a1", "0108775015", "purchase", 1_537_401_600),
        ("000058a1", "0110065001", "purchase", 1_537_488_000),
    ]
    assert report.images == 1


def test_hm_pictures_elsewhere(project: Project, write: Write, tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "011" / "0110065001.jpg")
    import_data(project, items=write("articles.csv", ARTICLES), options=ImportOptions(images=tmp_path / "elsewhere"))
    assert [bool(row["image"]) for row in items(project)] == [False, True]
    with pytest.raises(DataError, match="no such folder of images"):
        import_data(project, items=write("articles.csv", ARTICLES), options=ImportOptions(images=tmp_path / "gone"))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "item_id,title\n", FileFormat.CSV),
        ("a.txt", "user_id\titem_id\n", FileFormat.CSV),
        ("a.csv", "", FileFormat.CSV),
        ("ml.item", "item_id:token\ttitle:token_seq\n", FileFormat.RECBOLE),
        ("u.item", U_ITEM, FileFormat.MOVIELENS),
        ("u.user", U_USER, FileFormat.MOVIELENS),
        ("u1.base", U_DATA, FileFormat.MOVIELENS),
        ("ratings.dat", "1::2::5::978300760\n", FileFormat.MOVIELENS),
        ("ratings.csv", "userId,movieId,rating,timestamp\n", FileFormat.MOVIELENS),
        ("train.txt", "0 12 33\n", FileFormat.LIGHTGCN),
        ("data1.txt", "0\t12\t33\n", FileFormat.LIGHTGCN),
        ("x.jsonl.gz", gzip.compress(b'{"parent_asin": "B1"}', mtime=0), FileFormat.AMAZON_REVIEWS),
        ("transactions_train.csv", TRANSACTIONS, FileFormat.HM),
        ("articles.csv", ARTICLES, FileFormat.HM),
        ("x.parquet", b"PAR1", FileFormat.PARQUET),
    ],
)
def test_formats_are_recognized(write: Write, name: str, content: str | bytes, expected: FileFormat) -> None:
    assert recognize(write(name, content)) is expected


def test_an_unknown_format_lists_the_known(write: Write) -> None:
    with pytest.raises(DataError, match=f"name the format: {', '.join(FileFormat)}"):
        recognize(write("a.bin", b"\x00\x01"))


def test_a_format_may_be_named(project: Project, write: Write) -> None:
    file = write("odd.bin", "0 12 3\n")
    import_data(project, interactions=file, options=ImportOptions(file_format=FileFormat.LIGHTGCN))
    assert len(project.load_interactions()) == 2
    with pytest.raises(DataError, match="the format lightgcn has no items; it has interactions"):
        import_data(project, items=file, options=ImportOptions(file_format=FileFormat.LIGHTGCN))


def test_a_test_file_needs_a_train_file(project: Project, write: Write) -> None:
    with pytest.raises(DataError, match="needs the train interactions beside it"):
        import_data(project, items=write("i.csv", "item_id\n1\n"), test_interactions=write("t.txt", "0 1\n"))


BAD = [
    ("u.data", U_DATA + "1\t2\t3\n", 3, None, "3 fields"),
    ("u.data", U_DATA + "1\t2\tgood\t881250949\n", 3, "rating", "'good' is not a number"),
    ("ratings.dat", "1::2::5::978300760\n1::2::5\n", 2, None, "3 fields"),
    ("ratings.dat", "1::2::5::978300760\n1::2::5::soon\n", 2, "timestamp", "'soon' is not a time"),
    ("train.txt", "0 1 2\n1 2 x 1\n", 2, "item_id", "'x' is not an id"),
    ("data1.txt", "0\t1\t2\n\n0\t2\n", 3, None, "2 fields, but the first line has 3"),
    ("data1.txt", "0\t1\t22\n-1\t2\t1\n", 2, "user_id", "'-1' is not an id"),
    ("data1.txt", "0\t1\t2\n1\t2\tmany\n", 2, "weight", "'many' is not a number"),
    ("r.jsonl", review(parent_asin="1") + "{\n", 2, None, "not valid JSON"),
    ("r.jsonl", review(parent_asin="1") + "[]\n", 2, None, "not a JSON object"),
    ("r.jsonl", review(parent_asin="1") + review(rating=None), 2, "rating", "without 'rating'"),
    ("r.jsonl", review(parent_asin="1") + review(parent_asin="1", timestamp="x"), 2, "timestamp", "'x' is not a time"),
    ("t.csv", TRANSACTIONS.replace("2018-09-21", "yesterday"), 3, "t_dat", "'yesterday' is not a time"),
]


@pytest.mark.parametrize(("name", "content", "row", "field", "message"), BAD)
def test_defects_name_file_line_and_field_and_nothing_is_imported(
    project: Project, write: Write, name: str, content: str, row: int, field: str | None, message: str
) -> None:
    catalog = write("i.csv", "item_id\n1\n2\n0108775015\n0110065001\n")
    with pytest.raises(BadRowsError) as caught:
        import_data(project, items=catalog, interactions=write(name, content))
    assert [(p.file.name, p.row, p.field) for p in caught.value.problems] == [(name, row, field)]
    assert message in str(caught.value)
    assert not project.items_file.exists()
    report = import_data(
        project, items=catalog, interactions=project.root.parent / name, options=ImportOptions(skip_bad=True)
    )
    assert report.rejected == {"interactions": 1}
    assert len(project.load_interactions()) >= 1


@pytest.mark.parametrize(
    ("content", "field", "message"),
    [
        (product(price="ask us"), "price", "'ask us' is not a number"),
        (product(parent_asin=""), "parent_asin", "without 'parent_asin'"),
        (product() + product(), "item_id", "already on row 1"),
    ],
)
def test_defects_of_amazon_products(project: Project, write: Write, content: str, field: str, message: str) -> None:
    with pytest.raises(BadRowsError, match=message) as caught:
        import_data(project, items=write("meta.jsonl", content))
    assert caught.value.problems[0].field == field


def test_a_defect_of_the_test_file_is_its_own(project: Project, write: Write) -> None:
    with pytest.raises(BadRowsError, match=r"test.txt, row 2, column 'item_id': 'y' is not an id"):
        import_data(
            project, interactions=write("train.txt", "0 1\n"), test_interactions=write("test.txt", "0 2\n1 y\n")
        )


def test_a_damaged_archive_says_where(project: Project, write: Write) -> None:
    whole = gzip.compress("".join(review(rating=n % 5, text=str(hash(n))) for n in range(5_000)).encode())
    with pytest.raises(DataError, match=r"r.jsonl.gz: damaged after line \d+"):
        import_data(project, items=write("i.csv", "item_id\n1\n"), interactions=write("r.jsonl.gz", whole[:-2_000]))
    with pytest.raises(DataError, match="damaged"):
        import_data(project, interactions=write("s.jsonl.gz", b"no archive at all"))


def test_half_a_surrogate_pair_does_not_stop_an_import(project: Project, write: Write) -> None:
    import_data(project, items=write("meta.jsonl", '{"parent_asin": "B1", "title": "a\\ud800b"}\n'))
    assert items(project)[0]["title"] == "a?b"


SHARED = Path(__file__).parents[6].parent / "shared" / "data"


@pytest.mark.realdata
@pytest.mark.skipif(not SHARED.exists(), reason=f"real data sets are not at {SHARED}")
@pytest.mark.parametrize(
    ("folder", "train", "test", "items_", "train_events", "test_events"),
    [
        ("lastfm", "data1.txt", "test1.txt", 4_489, 42_135, 10_533),
        ("amazon-cds", "train.txt", "test.txt", 35_648, 604_475, 172_951),
    ],
)
def test_published_splits(
    project: Project, folder: str, train: str, test: str, items_: int, train_events: int, test_events: int
) -> None:
    path = SHARED / folder
    report: ImportReport = import_data(project, interactions=path / train, test_interactions=path / test)
    counts = project.load_interactions()[SPLIT_PART].value_counts()
    assert (len(project.load_items()), counts["train"], counts["test"]) == (items_, train_events, test_events)
    assert report.duplicates == 0
