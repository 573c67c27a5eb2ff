"""Images of an items file: find them, check that they can be decoded, and keep addresses of those on the web.

An image that cannot be used costs itself alone: its item is imported without one, and the report names the image.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.dataset.importers.file_names import FileFinder
from recsys.dataset.importers.table import Reject, RowCheck
from recsys.dataset.importers.values import as_series
from recsys.dataset.project import Project
from recsys.errors import DataError, Problem
from recsys.progress import stage
from recsys.schema import IMAGE, IMAGE_URLS
from style.errors import ImageError
from style.images import check_image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".gif", ".bmp", ".tif", ".tiff")
FETCHED_FOLDER = "images"
"""Folder of a project for images that `recsys images fetch` downloaded, named by `address_name`."""
EXAMPLES = 3
"""Examples in a note."""
_THREADS = 8
_NO_PATH = "image data in place of a path; save it as a file and name that"
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//\S+", re.IGNORECASE)
# A comma or bar parts two addresses only before the next one begins: both may occur in an address.
_BETWEEN_ADDRESSES = re.compile(r"[\s,;|]+(?=(?:[a-z][a-z0-9+.-]*:)?//)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LocatedImages:
    """Images of the N rows of a file.

    Attributes:
        paths: (N,) str, as in the catalog; missing without a usable image.
        addresses: (N,) str, addresses separated by spaces; missing if the cell has none.
        named: number of rows whose cell is not empty.
        problems: images that cannot be used.
    """

    paths: pd.Series
    addresses: pd.Series
    named: int
    problems: tuple[Reject, ...]


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


def split_addresses(image: str) -> list[str]:
    """Return the web addresses of an `image` value, several of which are separated by spaces, commas or bars.

    Empty if the value is a path.
    """
    parts = _BETWEEN_ADDRESSES.split(image.strip())
    return parts if all(_ADDRESS.fullmatch(part) for part in parts) else []


def address_name(address: str) -> str:
    """Return the name of the file of a fetched image, without suffix: a hash of its address."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def link_fetched_images(items: pd.DataFrame, project: Project) -> pd.DataFrame:
    """Return items in which those with addresses and without an image have the one that was fetched, if there is one.

    `items` has `recsys.schema.ITEM_COLUMNS`, and perhaps `image_urls`.
    """
    folder = project.root / FETCHED_FOLDER
    if IMAGE_URLS not in items or not folder.is_dir():
        return items
    fetched = find_images(folder)
    images = items[IMAGE].to_numpy(dtype=object, copy=True)
    for row in np.flatnonzero((items[IMAGE] == "") & (items[IMAGE_URLS] != "")).tolist():
        names = map(address_name, str(items[IMAGE_URLS].iloc[row]).split())
        found = next((fetched[name] for name in names if name in fetched), None)
        images[row] = "" if found is None else f"{FETCHED_FOLDER}/{found}"
    return items.assign(**{IMAGE: pd.Series(images, index=items.index, dtype="str")})


def locate_images(check: RowCheck, root: Path, project: Project, *, decode: bool) -> LocatedImages | None:
    """Find the images that a file names; None if the file has no column of images.

    Args:
        check: The file's rows.
        root: Folder that relative paths start from.
        project: Project whose folder the catalog's paths start from.
        decode: Decode each image, in threads, to find those that cannot be used.
    """
    column = check.column(IMAGE)
    if column is None:
        return None
    images = as_series(column)
    names = sorted(set(images) - {""})
    addresses = {name: found for name in names if (found := split_addresses(name))}
    finder = FileFinder(root)
    files = {name: finder.find(name) for name in names if name not in addresses and name[:5].lower() != "data:"}
    check.notes += [f"{check.table.path}: {note}" for note in finder.describe()]
    defects = {name: _NO_PATH for name in names if name[:5].lower() == "data:"}
    if decode:
        decoded = list(files)
        with ThreadPoolExecutor(_THREADS) as pool, stage("images", len(decoded), "image") as counting:
            for name, defect in zip(decoded, pool.map(_defect, map(files.__getitem__, decoded)), strict=True):
                if defect is not None:
                    defects[name] = defect
                counting.advance()
    paths = {name: project.image_reference(path) for name, path in files.items() if name not in defects}
    lost = np.flatnonzero(images.isin(list(defects)))
    return LocatedImages(
        # Without any path, `map` would return numbers.
        images.map(paths).astype("str"),
        images.map({name: " ".join(found) for name, found in addresses.items()}).astype("str"),
        int((images != "").sum()),
        tuple(_problem(check, int(row), defects[images[row]]) for row in lost),
    )


def with_images(frame: pd.DataFrame, images: LocatedImages) -> pd.DataFrame:
    """Return the rows (N, ...) with the paths of their images; addresses become, or come before, `image_urls`."""
    frame = frame.assign(**{IMAGE: images.paths})
    if images.addresses.isna().all():
        return frame
    addresses = images.addresses.fillna("")
    if IMAGE_URLS in frame:
        both = (addresses + " " + frame[IMAGE_URLS].fillna("")).str.split()
        addresses = both.map(lambda parts: " ".join(dict.fromkeys(parts))).astype("str")
    return frame.assign(**{IMAGE_URLS: addresses.mask(addresses == "")})


def describe_images(located: Sequence[LocatedImages], catalog: pd.DataFrame) -> tuple[str, ...]:
    """Return notes on images that cannot be used, with examples, and on those that wait on the web.

    Args:
        located: Images of each file.
        catalog: Items as imported.
    """
    notes = []
    problems = [reject.problem for images in located for reject in images.problems]
    if problems:
        named = sum(images.named for images in located)
        examples = "; ".join(map(str, problems[:EXAMPLES]))
        more = "; ..." if len(problems) > EXAMPLES else ""
        notes.append(
            f"{len(problems):,} of {named:,} images cannot be used, and their items are imported without: "
            f"{examples}{more}"
        )
    if IMAGE_URLS in catalog:
        waiting = catalog.loc[(catalog[IMAGE] == "") & catalog[IMAGE_URLS].str.contains("//", regex=False), IMAGE_URLS]
        if len(waiting):
            notes.append(
                f"images on the web that are not downloaded: {len(waiting):,}, such as {waiting.iloc[0].split()[0]}; "
                "their items have no image until `recsys images fetch` downloads them"
            )
    return tuple(notes)


def _problem(check: RowCheck, row: int, defect: str) -> Reject:
    line = int(check.table.lines[row])
    return Reject(Problem(check.table.path, line, check.names[IMAGE], defect), check.table.raw(row))


def _defect(path: Path) -> str | None:
    try:
        check_image(path)
    except ImageError as error:
        return str(error)
    return None
