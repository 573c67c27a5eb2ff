from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from style.errors import LibraryError
from style.library import read_library

HEADER = "style_id,title,image,scenes,artist,license,source\n"


def library(folder: Path, *rows: str, header: str = HEADER) -> Path:
    Image.new("RGB", (16, 16)).save(folder / "a.png")
    (folder / "styles.csv").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_references_are_read_in_order(tmp_path: Path) -> None:
    found = read_library(library(tmp_path, "moss,Moss,a.png,spring|sale,Ann,CC0,own", "rust,,a.png,,,CC0,"))
    assert [(r.style_id, r.title, r.scenes) for r in found] == [
        ("moss", "Moss", ("spring", "sale")),
        ("rust", "rust", ()),
    ]


def test_the_column_may_be_called_licence(tmp_path: Path) -> None:
    row = "moss,Moss,a.png,,,CC BY 4.0 Licence,own"
    (british,) = read_library(library(tmp_path, row, header=HEADER.replace("license", "licence")))
    assert british.license == "CC BY 4.0 Licence"


def test_no_library_is_an_empty_one(tmp_path: Path) -> None:
    assert read_library(tmp_path) == ()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["moss,Moss,a.png,,,,own"], "row 2, column 'license': is empty"),
        (["moss,Moss,b.png,,,CC0,own"], "row 2, column 'image': .*b.png does not exist"),
        (["moss,Moss,a.png,,,CC0,", "moss,Moss,a.png,,,CC0,"], "style_id 'moss' occurs twice"),
    ],
)
def test_wrong_records_are_named(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        read_library(library(tmp_path, *rows))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="column 'license' is missing"):
        read_library(library(tmp_path, header=HEADER.replace("license,", "")))


@pytest.mark.parametrize("mark", [";", "\t"])
@pytest.mark.parametrize("named", ["", "sep={}\r\n"])
def test_spreadsheets_write_other_delimiters(tmp_path: Path, mark: str, named: str) -> None:
    library(tmp_path)
    text = (
        HEADER.replace(",", mark)
        + mark.join(["moss", '"Moss, green"', "a.png", "spring|sale", "Ann", "CC0", "own"])
        + "\n"
    )
    (tmp_path / "styles.csv").write_text(named.format(mark) + text, encoding="utf-8-sig", newline="")
    (found,) = read_library(tmp_path)
    assert (found.style_id, found.title, found.scenes, found.license) == (
        "moss",
        "Moss, green",
        ("spring", "sale"),
        "CC0",
    )


def test_a_library_in_another_encoding_says_so(tmp_path: Path) -> None:
    library(tmp_path)
    (tmp_path / "styles.csv").write_bytes((HEADER + "gr,Grün,a.png,,,CC0,\n").encode("cp1252"))
    with pytest.raises(LibraryError, match="not UTF-8; save it as CSV in UTF-8"):
        read_library(tmp_path)
