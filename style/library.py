"""Style references: images whose style users can choose, with their rights.

A library is a folder with `styles.csv` and the images it names, relative to the folder. Columns are
`style_id,title,image,scenes,artist,license,source`, and `uses` if they differ from those of the license; scenes and
uses are separated by `|`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from style.errors import LibraryError, RightsError
from style.rights import Use, license_rights

COLUMNS = ("style_id", "title", "image", "scenes", "artist", "license", "source")


@dataclass(frozen=True, slots=True)
class StyleReference:
    """One style to choose from.

    `scenes`: occasions it suits (everyday, holiday, sale, ...). `uses`: allowed uses if they differ from those of its
    license (`style.rights`).
    """

    style_id: str
    title: str
    image: Path
    scenes: tuple[str, ...]
    artist: str
    license: str
    source: str
    uses: str = ""


def read_library(folder: Path) -> tuple[StyleReference, ...]:
    """Read the references of a library folder, in the file's order; none if the folder has no `styles.csv`.

    Raises LibraryError that names file, row and field.
    """
    file = folder / "styles.csv"
    if not file.is_file():
        return ()
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        # The British spelling of the column is read as well.
        reader.fieldnames = ["license" if name == "licence" else name for name in reader.fieldnames or ()]
        missing = [column for column in COLUMNS if column not in reader.fieldnames]
        if missing:
            raise LibraryError(f"{file}: column {missing[0]!r} is missing; expected {', '.join(COLUMNS)}")
        references = tuple(_reference(row, folder, f"{file}, row {reader.line_num}") for row in reader)
    ids = [reference.style_id for reference in references]
    repeated = next((style_id for index, style_id in enumerate(ids) if style_id in ids[:index]), None)
    if repeated is not None:
        raise LibraryError(f"{file}: style_id {repeated!r} occurs twice; ids must be unique")
    return references


def require(reference: StyleReference, use: Use) -> None:
    """Raise RightsError if the license of a reference is known and does not allow a use."""
    rights = license_rights(reference.license, reference.uses)
    rejection = rights.rejection(reference.style_id, {use}, allow_unknown=True)
    if rejection is not None:
        raise RightsError(rejection)


def _reference(row: dict[str, str | None], folder: Path, place: str) -> StyleReference:
    values = {column: (row[column] or "").strip() for column in COLUMNS}
    for column in ("style_id", "image", "license"):
        if not values[column]:
            raise LibraryError(f"{place}, column {column!r}: is empty; every style needs a value")
    image = folder / values["image"]
    if not image.is_file():
        raise LibraryError(f"{place}, column 'image': {image} does not exist")
    uses = (row.get("uses") or "").strip()
    try:
        license_rights(values["license"], uses)
    except LibraryError as error:
        raise LibraryError(f"{place}, column 'uses': {error}") from None
    scenes = tuple(scene.strip() for scene in values["scenes"].split("|") if scene.strip())
    return StyleReference(
        style_id=values["style_id"],
        title=values["title"] or values["style_id"],
        image=image,
        scenes=scenes,
        artist=values["artist"],
        license=values["license"],
        source=values["source"],
        uses=uses,
    )
