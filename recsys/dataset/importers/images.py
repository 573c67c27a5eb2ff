"""Pictures of an items file: where they are, and whether they can be decoded."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from recsys.dataset.importers.table import RowCheck
from recsys.errors import DataError
from recsys.progress import stage
from recsys.schema import IMAGE
from style.errors import ImageError
from style.images import check_image

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_THREADS = 8


def locate(image: str, root: Path) -> Path:
    """The absolute path of a file's `image`; relative ones start at `root`. Links are not followed."""
    return Path(os.path.abspath(root / image))  # noqa: PTH100  Path.resolve would follow links


def pictures_by_name(folder: Path) -> dict[str, str]:
    """Pictures anywhere below a folder: the name without its suffix to the path relative to the folder.

    Of several with one name the first path in alphabetical order stands. Raises DataError where there is no folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of pictures")
    paths = (Path(base) / name for base, _, names in os.walk(folder) for name in names)
    found = sorted(path.relative_to(folder) for path in paths if path.suffix.lower() in PICTURE_SUFFIXES)
    return {path.stem: path.as_posix() for path in reversed(found)}


def check_pictures(check: RowCheck, root: Path) -> None:
    """Decode every picture that the file names, in threads, and flag the rows whose picture cannot be."""
    column = check.column(IMAGE)
    if column is None:
        return
    images = np.array(column.to_pylist(), dtype=object)
    names = sorted(set(images) - {""})
    defects = {}
    with ThreadPoolExecutor(_THREADS) as pool, stage("images", len(names), "image") as counting:
        found = pool.map(_defect, names, (locate(name, root) for name in names))
        for name, defect in zip(names, found, strict=True):
            defects[name] = defect
            counting.advance()
    bad = np.array([bool(defects.get(image)) for image in images], dtype=np.bool_)
    check.flag(bad, IMAGE, lambda image: f"{defects[image]}; name a picture that can be read, or leave the field empty")


def _defect(name: str, path: Path) -> str | None:
    if "://" in name:
        return f"{name} is a web address, and nothing is fetched"
    try:
        check_image(path)
    except ImageError as error:
        return str(error)
    return None
