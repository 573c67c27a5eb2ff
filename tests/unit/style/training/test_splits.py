"""A picture's part follows from its content alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from style.training.splits import FEWEST_TO_SPLIT, Part, Parts, part_of


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number:03d}.jpg" for number in range(200)]
    for number, path in enumerate(paths):
        path.write_bytes(f"picture {number}".encode())
    return paths


def part_by_name(parts: Parts) -> dict[str, Part]:
    return {path.name: part for part in Part for path in getattr(parts, part.value)}


def test_added_files_move_no_other(files: list[Path]) -> None:
    few, many = part_by_name(Parts.of(files[:100])), part_by_name(Parts.of(files))
    assert {name: many[name] for name in few} == few


def test_names_and_order_do_not_matter(files: list[Path], tmp_path: Path) -> None:
    before = Parts.of(files)
    renamed = [path.rename(tmp_path / f"x{index}.png") for index, path in enumerate(reversed(files))]
    after = Parts.of(renamed)
    assert after.digest() == before.digest()
    assert [len(after.train), len(after.validation), len(after.test)] == [
        len(before.train),
        len(before.validation),
        len(before.test),
    ]


def test_the_shares_are_about_8_1_1(files: list[Path]) -> None:
    held = Counter(part_by_name(Parts.of(files)).values())
    assert held.total() == len(files)
    assert abs(held[Part.TRAIN] - 160) < 20
    assert min(held.values()) > 8


def test_a_copy_counts_once(files: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(files[0].read_bytes())
    assert len(Parts.of([*files, copy])) == len(files)


@pytest.mark.parametrize("count", range(FEWEST_TO_SPLIT, 24))
def test_no_part_is_empty_and_none_overlap(files: list[Path], count: int) -> None:
    parts = Parts.of(files[:count])
    shown = [*parts.train, *parts.validation, *parts.test]
    assert min(len(parts.train), len(parts.validation), len(parts.test)) >= 1
    assert len(shown) == len(set(shown)) == count
    assert not parts.shared


def test_too_few_to_split_are_in_every_part(files: list[Path]) -> None:
    parts = Parts.of(files[:3])
    assert parts.shared
    assert len(parts.train) == len(parts.test) == 3


def test_the_ends_of_the_hashes() -> None:
    assert part_of("0" * 64) is Part.TRAIN
    assert part_of("f" * 64) is Part.TEST
    assert part_of("d" * 64) is Part.VALIDATION
