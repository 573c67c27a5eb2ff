"""Images of an items file: find them and check that they can be decoded."""

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

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_THREADS = 8


def locate_image(image: str, root: Path) -> Path:
    """Return the absolute path of an `image` value; relative ones start at `root`. Links are not followed."""
    return Path(os.path.abspath(root / image))  # noqa: PTH100  Path.resolve would follow links


def find_images(folder: Path) -> dict[str, str]:
    """Find images anywhere below a folder: file name without suffix -> path relative to the folder.

    If several have one name, the first path in alphabetical order is used. Raises DataError if there is no folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of images")
    paths = (Path(base) / name for base, _, names in os.walk(folder) for name in names)
    images = sorted(path.relative_to(folder) for path in paths if path.suffix.lower() in IMAGE_SUFFIXES)
    # In reverse, so that the first path overwrites the later ones.
    return {path.stem: path.as_posix() for path in reversed(images)}


def check_image_files(check: RowCheck, root: Path) -> None:
    """Decode every image that the file names, in threads, and flag the rows whose image cannot be decoded."""
    column = check.column(IMAGE)
    if column is None:
        return
    images = np.array(column.to_pylist(), dtype=object)
    names = sorted(set(images) - {""})
    defects = {}
    with ThreadPoolExecutor(_THREADS) as pool, stage("images", len(names), "image") as counting:
        results = pool.map(_defect, names, (locate_image(name, root) for name in names))
        for name, defect in zip(names, results, strict=True):
            defects[name] = defect
            counting.advance()
    bad = np.array([bool(defects.get(image)) for image in images], dtype=np.bool_)
    check.flag(bad, IMAGE, lambda image: f"{defects[image]}; name an image that can be read, or leave the field empty")


def _defect(name: str, path: Path) -> str | None:
    if "://" in name:
        return f"{name} is a web address; the import fetches nothing, so download the image first"
    try:
        check_image(path)
    except ImageError as error:
        return str(error)
    return None
