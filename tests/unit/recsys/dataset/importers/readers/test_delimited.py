from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.dataset.importers.readers.delimited import DELIMITERS, read_atomic, read_delimited
from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError

FIELD = st.text(alphabet="ab,;\t\"'\n\ré ", max_size=8)


def rows(table: RawTable) -> list[tuple[str, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns.values()), strict=True))


def rejected_lines(table: RawTable) -> list[int | None]:
    return [reject.problem.row for reject in table.rejects]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=8), st.sampled_from(DELIMITERS), st.booleans())
def test_any_valid_csv_comes_back_with_its_line_numbers(
    tmp_path: Path, values: list[tuple[str, str, str]], delimiter: str, windows: bool
) -> None:
    text = io.StringIO()
    # Python's writer leaves a lone carriage return unquoted where lines end in \n, so there all is quoted.
    end, quoting = ("\r\n", csv.QUOTE_MINIMAL) if windows else ("\n", csv.QUOTE_ALL)
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(["x", "y", "z"])
    starts = []
    for row in values:
        starts.append(1 + len(re.findall(r"\r\n|\r|\n", text.getvalue())))
        writer.writerow(row)
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode())
    table = read_delimited(path)
    assert rows(table) == [tuple(value.strip() for value in row) for row in values]
    assert table.lines.tolist() == starts
    assert table.rejects == []


def test_bad_lines_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,title\n1,"two\nlines"\n2\n\n3,a,b\n4,ok\n')
    table = read_delimited(path)
    assert rows(table) == [("1", "two\nlines"), ("4", "ok")]
    assert table.lines.tolist() == [2, 7]
    assert rejected_lines(table) == [4, 6]
    assert [reject.raw for reject in table.rejects] == ["2", "3,a,b"]
    assert "1 fields where the header has 2" in table.rejects[0].problem.message


def test_a_stray_quote_costs_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = "".join(f"{number},ok\n" for number in range(20_000))
    path.write_text(f'id,title\n1,"never closed\n2,ok\n3,"closed" late\n{good}')
    table = read_delimited(path)
    assert rejected_lines(table) == [2, 4]
    assert len(table) == 20_001
    assert table.lines[:2].tolist() == [3, 5]
    assert table.lines[-1] == 20_004


def test_rows_beyond_one_chunk_keep_order_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id\n" + "".join(f"{number}\n" for number in range(70_000)))
    table = read_delimited(path)
    assert table.columns["id"].to_pylist() == [str(number) for number in range(70_000)]
    assert table.lines.tolist() == list(range(2, 70_002))


def test_atomic_files_do_not_quote_and_join_lists(tmp_path: Path) -> None:
    path = tmp_path / "a.item"
    path.write_text(
        "item_id:token\tmovie_title:token_seq\tclass:token_seq\tyear:token\tprice:float\n"
        '07\t"Quoted" and \'bare\n8\tToy Story\tAnimation Comedy\t1995\t2.5\n'.replace(
            "'bare\n", "'bare\tWar\t1990\t1\n"
        )
    )
    table = read_atomic(path)
    assert rows(table) == [
        ("07", '"Quoted" and \'bare', "War", "1990", "1"),
        ("8", "Toy Story", "Animation|Comedy", "1995", "2.5"),
    ]
    assert table.text_columns == {"item_id", "movie_title", "class", "year"}


@pytest.mark.parametrize("header", ["item_id\tx:float", "item_id:int", "a:token\ta:float"])
def test_atomic_headers_are_checked(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.item"
    path.write_text(header + "\n")
    with pytest.raises(DataError, match="header"):
        read_atomic(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        ("id,title\n1,é\n".encode() + b"2,\xe9\n", "line 3 is not UTF-8, though others are"),
        (b"id,title\n1,a\x81\n", "line 2 is neither UTF-8 nor Windows-1252.*--encoding"),
        ("id,title\n1,Красная кружка\n".encode("cp1251"), "as Windows-1252 it reads .*--encoding"),
        (b"id,title,title\n", "two columns are named 'title'"),
    ],
)
def test_defects_of_the_file_as_such(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_delimited(path)
