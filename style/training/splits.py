"""Splits of images: for training, for validation (early stopping) and for tests (the card's results).

An image's split depends only on its content. Files that are added, renamed or moved change the split of no other
image, and copies of an image are in one split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Split(StrEnum):
    """Use of an image."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


SHARES: Mapping[Split, float] = {Split.TRAIN: 0.8, Split.VALIDATION: 0.1, Split.TEST: 0.1}
FEWEST_TO_SPLIT = 8
"""Fewer images than that are all in each split: a style of three images cannot spare one."""


@dataclass(frozen=True, slots=True)
class Splits:
    """Images by split, one file per content.

    Attributes:
        train: Images to train on.
        validation: Images for validation.
        test: Images for tests.
        sha256: Hash of each file's content.
    """

    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    test: tuple[Path, ...]
    sha256: Mapping[Path, str]

    def __len__(self) -> int:
        return len(self.sha256)

    def digest(self) -> str:
        """Return the SHA-256 over the sorted hashes of all images, which does not depend on file names."""
        return hashlib.sha256("\n".join(sorted(self.sha256.values())).encode()).hexdigest()

    @classmethod
    def from_files(cls, paths: Sequence[Path]) -> Splits:
        """Split images by content.

        About 8 in 10 of at least 8 images are trained on, and no split is empty.
        """
        first: dict[str, Path] = {}
        for path in sorted(paths):
            with path.open("rb") as file:
                first.setdefault(hashlib.file_digest(file, "sha256").hexdigest(), path)
        ordered = sorted(first)
        names = {first[key]: key for key in ordered}
        if len(ordered) < FEWEST_TO_SPLIT:
            everything = tuple(names)
            return cls(everything, everything, everything, names)
        # An empty split receives one image from the largest split; the choice depends only on the images.
        splits = {key: split_from_hash(key) for key in ordered}
        for split in Split:
            if split not in splits.values():
                assigned = list(splits.values())
                largest = max(Split, key=assigned.count)
                splits[[key for key in ordered if splits[key] is largest][-1]] = split
        files = {split: tuple(first[key] for key in ordered if splits[key] is split) for split in Split}
        return cls(files[Split.TRAIN], files[Split.VALIDATION], files[Split.TEST], names)


def split_from_hash(sha256: str) -> Split:
    """Return the split of an image with that hash; its first 64 bits are read as a number in [0, 1)."""
    number = int(sha256[:16], 16) / 2**64
    if number < SHARES[Split.TRAIN]:
        return Split.TRAIN
    return Split.VALIDATION if number < SHARES[Split.TRAIN] + SHARES[Split.VALIDATION] else Split.TEST
