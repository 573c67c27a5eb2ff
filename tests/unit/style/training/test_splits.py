"""Splits of images depend only on their content."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from style.training.splits import FEWEST_TO_SPLIT, Split, Splits, split_from_hash


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number:03d}.jpg" for number in range(200)]
    for number, path in enumerate(paths):
        path.write_bytes(f"picture {number}".encode())
    return paths


def split_by_name(splits: Splits) -> dict[str, Split]:
    return {path.name: split for split in Split for path in getattr(splits, split.value)}


def test_added_files_move_no_other(files: list[Path]) -> None:
    few, many = split_by_name(Splits.from_files(files[:100])), split_by_name(Splits.from_files(files))
    assert {name: many[name] for name in few} == few


def test_names_and_order_do_not_matter(files: list[Path], tmp_path: Path) -> None:
    before = Splits.from_files(files)
    renamed = [path.rename(tmp_path / f"x{index}.png") for index, path in enumerate(reversed(files))]
    after = Splits.from_files(renamed)
    assert after.digest() == before.digest()
    assert [len(after.train), len(after.validation), len(after.test)] == [
        len(before.train),
        len(before.validation),
        len(before.test),
    ]


def test_the_shares_are_about_8_1_1(files: list[Path]) -> None:
    held = Counter(split_by_name(Splits.from_files(files)).values())
    assert held.total() == len(files)
    assert abs(held[Split.TRAIN] - 160) < 20
    assert min(held.values()) > 8


def test_a_copy_counts_once(files: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(files[0].read_bytes())
    assert len(Splits.from_files([*files, copy])) == len(files)


@pytest.mark.parametrize("count", range(FEWEST_TO_SPLIT, 24))
def test_no_split_is_empty_and_none_overlap(files: list[Path], count: int) -> None:
    splits = Splits.from_files(files[:count])
    shown = [*splits.train, *splits.validation, *splits.test]
    assert min(len(splits.train), len(splits.validation), len(splits.test)) >= 1
    assert len(shown) == len(set(shown)) == count
    assert splits.train != splits.test


def test_too_few_to_split_are_in_every_split(files: list[Path]) -> None:
    splits = Splits.from_files(files[:3])
    assert splits.train == splits.test
    assert len(splits.train) == len(splits.test) == 3


def test_the_ends_of_the_hashes() -> None:
    assert split_from_hash("0" * 64) is Split.TRAIN
    assert split_from_hash("f" * 64) is Split.TEST
    assert split_from_hash("d" * 64) is Split.VALIDATION
