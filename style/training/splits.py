"""Pictures told apart into those trained on, those that say when to stop, and those that give the card's figures.

A picture's part follows from its content alone: files that are added, renamed or moved move no other one, and copies
of a picture are in one part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Part(StrEnum):
    """What a picture is for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


SHARES: Mapping[Part, float] = {Part.TRAIN: 0.8, Part.VALIDATION: 0.1, Part.TEST: 0.1}
FEWEST_TO_SPLIT = 8
"""Of fewer pictures than that, every part has all: a style of three pictures cannot spare one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Pictures by part, each file once by content; `sha256` names the content of each."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    test: tuple[Path, ...]
    sha256: Mapping[Path, str]

    @property
    def shared(self) -> bool:
        """Whether there were too few pictures to split, so that the three parts are the same."""
        return self.train == self.test

    def __len__(self) -> int:
        return len(self.sha256)

    def digest(self) -> str:
        """SHA-256 over the sorted hashes of all pictures: the same for the same pictures, whatever they are called."""
        return hashlib.sha256("\n".join(sorted(self.sha256.values())).encode()).hexdigest()

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Parts:
        """Split by content: of 8 pictures or more about 8 in 10 are trained on, and each part has at least one."""
        first: dict[str, Path] = {}
        for path in sorted(paths):
            first.setdefault(_sha256(path), path)
        ordered = sorted(first)
        names = {first[key]: key for key in ordered}
        if len(ordered) < FEWEST_TO_SPLIT:
            everything = tuple(names)
            return cls(everything, everything, everything, names)
        chosen = _chosen(ordered)
        found = {part: tuple(first[key] for key in ordered if chosen[key] is part) for part in Part}
        return cls(found[Part.TRAIN], found[Part.VALIDATION], found[Part.TEST], names)


def part_of(sha256: str) -> Part:
    """The part of a picture with that hash, of which the first 64 bits are read as a number in [0, 1)."""
    place = int(sha256[:16], 16) / 2**64
    if place < SHARES[Part.TRAIN]:
        return Part.TRAIN
    return Part.VALIDATION if place < SHARES[Part.TRAIN] + SHARES[Part.VALIDATION] else Part.TEST


def _chosen(ordered: Sequence[str]) -> dict[str, Part]:
    """The part of each hash; an empty part takes one from the fullest, always the same one of the same pictures."""
    chosen = {key: part_of(key) for key in ordered}
    for part in Part:
        if part not in chosen.values():
            held = list(chosen.values())
            fullest = max(Part, key=held.count)
            chosen[[key for key in ordered if chosen[key] is fullest][-1]] = part
    return chosen


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
