"""Style references: images whose style users can choose, with their rights.

A library is a folder with `styles.csv` and the images it names, relative to the folder. Columns are
`style_id,title,image,scenes,artist,license,source`, and `uses` if they differ from those of the license; scenes and
uses are separated by `|`.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from style.errors import LibraryError, RightsError
from style.rights import Use, license_rights

_DELIMITERS = (",", ";", "\t")
_DELIMITER_LINE = re.compile(r'"?sep=.?"?\r?\n', re.IGNORECASE)
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
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise LibraryError(f"{file}: not UTF-8; save it as CSV in UTF-8") from None
    # Excel may name the delimiter in a line of its own.
    named = _DELIMITER_LINE.match(text)
    lines = io.StringIO(text[named.end() :] if named else text)
    header = lines.readline()
    lines.seek(0)
    # The delimiter is the one that parts the first column's name from the others.
    split = {mark: next(csv.reader([header], delimiter=mark), []) for mark in _DELIMITERS}
    delimiter = next((mark for mark, names in split.items() if COLUMNS[0] in names), _DELIMITERS[0])
    reader = csv.DictReader(lines, delimiter=delimiter)
    # The British spelling of the column is read as well.
    reader.fieldnames = ["license" if name == "licence" else name for name in reader.fieldnames or ()]
    missing = [column for column in COLUMNS if column not in reader.fieldnames]
    if missing:
        raise LibraryError(f"{file}: column {missing[0]!r} is missing; expected {', '.join(COLUMNS)}")
    skipped = int(named is not None)
    references = tuple(_reference(row, folder, f"{file}, row {reader.line_num + skipped}") for row in reader)
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
