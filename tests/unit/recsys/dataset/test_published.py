"""Two files as a project that goes when it has been looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.dataset.importers import FileFormat
from recsys.dataset.published import published_split
from recsys.dataset.splits import SPLIT_PART
from recsys.errors import BadRowsError


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("user_id,product_id,rating\na,x,5\nb,y,2\n")
    test.write_text("user_id,product_id,rating\na,y,4\nb,z,5\n")
    return train, test


def test_both_parts_and_the_items_of_both_are_there_and_go(files: tuple[Path, Path]) -> None:
    with published_split(*files) as project:
        frame = project.load_interactions()
        assert frame.groupby(SPLIT_PART)["item_id"].agg(list).to_dict() == {"train": ["x", "y"], "test": ["y", "z"]}
        assert project.load_items()["item_id"].tolist() == ["x", "y", "z"]
    assert not project.root.exists()


def test_the_folder_goes_after_an_error_too(files: tuple[Path, Path]) -> None:
    with pytest.raises(KeyboardInterrupt), published_split(*files, FileFormat.CSV) as project:
        raise KeyboardInterrupt
    assert not project.root.exists()


def test_blank_ids_are_named_and_are_no_item(files: tuple[Path, Path]) -> None:
    files[1].write_text("user_id,product_id\na,\nb,z\n")
    with pytest.raises(BadRowsError, match="row 2, column 'product_id': empty id"), published_split(*files):
        pass
