from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from recsys.dataset.importers import import_data
from recsys.dataset.importers.file_names import FileFinder
from recsys.dataset.project import Project

NFD = unicodedata.normalize("NFD", "münze.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Images").mkdir()
    for name in ("a.jpg", "b c.jpg", NFD, "D.JPG", "e%20f.jpg", "twin.jpg", "TWIN.jpg"):
        (tmp_path / "Images" / name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Images/a.jpg", "a.jpg"),
        ("images\\a.jpg", "a.jpg"),
        (".\\Images\\a.jpg", "a.jpg"),
        ("Images/b%20c.jpg", "b c.jpg"),
        ("Images/münze.jpg", NFD),
        ("images/d.jpg", "D.JPG"),
        ("Images/e%20f.jpg", "e%20f.jpg"),
        ("Images/TWIN.jpg", "TWIN.jpg"),
    ],
)
def test_names_of_other_systems_find_their_file(folder: Path, name: str, file: str) -> None:
    found = FileFinder(folder).find(name)
    assert found.exists()
    assert found.name == file


def test_a_name_that_fits_two_files_or_none_stays_as_it_is(folder: Path) -> None:
    finder = FileFinder(folder)
    assert finder.find("Images/Twin.jpg") == folder / "Images" / "Twin.jpg"
    assert finder.find("gone/x.jpg") == folder / "gone" / "x.jpg"
    assert finder.describe() == ()


def test_an_import_names_what_it_took_for_what(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "shop", "shop")
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg")
    (tmp_path / "i.csv").write_text("item_id,image\n1,.\\A.jpg\n2,a.jpg\n")
    report = import_data(project, items=tmp_path / "i.csv")
    assert [Path(name).name for name in project.load_items()["image"]] == ["a.jpg", "a.jpg"]
    assert "1 names of files differ from the files in case, slashes or letters (.\\A.jpg -> a.jpg)" in str(report)
