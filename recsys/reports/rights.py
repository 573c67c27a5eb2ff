"""Ledger of a style library: author and license of each style, and its allowed uses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console

from recsys.dataset.project import Project
from recsys.reports.terminal import add_row, plain_table
from style.library import read_library
from style.rights import Use, license_rights


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One style.

    Attributes:
        style_id: id.
        title: title.
        artist: artist.
        license: license.
        source: source.
        uses: allowed uses; None if the license is unknown.
        share_alike: True if restyled images have to be under the same license.
        refusal: reason why images must not be restyled toward it; "" if they may be.
        credit: line that names its author; "" if none is required.
    """

    style_id: str
    title: str
    artist: str
    license: str
    source: str
    uses: tuple[Use, ...] | None
    share_alike: bool
    refusal: str
    credit: str


def ledger(project: Project) -> list[LedgerRow]:
    """Return the styles of a project in the library's order. Raises LibraryError."""
    rows = []
    for one in read_library(project.styles):
        rights = license_rights(one.license, one.uses)
        parts = (one.title, one.artist, one.license, one.source)
        rows.append(
            LedgerRow(
                style_id=one.style_id,
                title=one.title,
                artist=one.artist,
                license=one.license,
                source=one.source,
                uses=None if rights.uses is None else tuple(use for use in Use if use in rights.uses),
                share_alike=rights.share_alike,
                refusal=project.settings.rights.refusal(one.style_id, one.license, one.uses) or "",
                credit=", ".join(part for part in parts if part) if rights.attribution else "",
            )
        )
    return rows


def ledger_json(rows: Sequence[LedgerRow]) -> str:
    """Format the ledger as JSON."""
    return json.dumps({"styles": [asdict(row) for row in rows]}, indent=2, ensure_ascii=False)


def print_ledger(rows: Sequence[LedgerRow]) -> None:
    """Print the ledger, then the reasons of rejected styles."""
    console = Console()
    if not rows:
        console.print(
            "No styles yet. Put images and a styles.csv into the project's folder `styles`; see docs/data.md."
        )
        return
    table = plain_table()
    for name in ("style", "license", "allowed", "artist", "source", "restyle"):
        table.add_column(name, overflow="fold")
    for row in rows:
        allowed = "unknown" if row.uses is None else ", ".join(row.uses) or "nothing"
        add_row(table, row.style_id, row.license, allowed, row.artist, row.source, "no" if row.refusal else "yes")
    console.print(table)
    for row in rows:
        if row.refusal:
            console.print(row.refusal, markup=False, highlight=False)
