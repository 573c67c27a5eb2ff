"""Style references: pictures whose style a person can choose, with their rights.

A library is a folder with `styles.csv` (columns `style_id,title,image,scenes,artist,license,source`, and `uses` where
the license's own are not meant; scenes and uses are separated by `|`) and the images it names, relative to the folder.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from style.errors import LibraryError, RightsError
from style.rights import Use, rights_of

COLUMNS = ("style_id", "title", "image", "scenes", "artist", "license", "source")


@dataclass(frozen=True, slots=True)
class StyleReference:
    """One style to choose from. `scenes` are occasions it suits (everyday, holiday, sale, ...); `uses`: what may be
    done with it where that is not what its license says (`style.rights`)."""

    style_id: str
    title: str
    image: Path
    scenes: tuple[str, ...]
    artist: str
    license: str
    source: str
    uses: str = ""


def read_library(folder: Path) -> tuple[StyleReference, ...]:
    """The references of a library folder, in the file's order; none where the folder has no `styles.csv`.

    Raises LibraryError that names file, row and field.
    """
    file = folder / "styles.csv"
    if not file.is_file():
        return ()
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise LibraryError(f"{file}: column {missing[0]!r} is missing; expected {', '.join(COLUMNS)}")
        references = tuple(_reference(row, folder, f"{file}, row {reader.line_num}") for row in reader)
    _refuse_duplicates(references, file)
    return references


def require(reference: StyleReference, use: Use) -> None:
    """Raise RightsError where what is known of a reference's license does not allow a use."""
    rights = rights_of(reference.license, reference.uses)
    refusal = rights.refusal(reference.style_id, {use}, unknown_is_fine=True)
    if refusal is not None:
        raise RightsError(refusal)


def _reference(row: dict[str, str | None], folder: Path, place: str) -> StyleReference:
    values = {column: (row[column] or "").strip() for column in COLUMNS}
    for column in ("style_id", "image", "license"):
        if not values[column]:
            raise LibraryError(f"{place}, column {column!r}: is empty; every style needs one")
    image = folder / values["image"]
    if not image.is_file():
        raise LibraryError(f"{place}, column 'image': {image} does not exist")
    uses = (row.get("uses") or "").strip()
    try:
        rights_of(values["license"], uses)
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


def _refuse_duplicates(references: Sequence[StyleReference], file: Path) -> None:
    seen: set[str] = set()
    for reference in references:
        if reference.style_id in seen:
            raise LibraryError(f"{file}: style_id {reference.style_id!r} occurs twice; ids must be unique")
        seen.add(reference.style_id)
