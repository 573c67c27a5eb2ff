"""Uses that a license allows for a style image: showing, adapting, training, commercial use.

Short names are those of SPDX and Creative Commons; spellings such as "CC BY-NC 4.0" are recognized. It is unsettled in
law if an image restyled toward another one is an adaptation of it. Here it counts as one, and so does training on it.
Owners of wider rights grant them by naming uses. This is a guard, not legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from style.errors import LibraryError


class Use(StrEnum):
    """Way to use a style image."""

    SHOW = "show"
    ADAPT = "adapt"
    TRAIN = "train"
    TRADE = "trade"


EVERYTHING = frozenset(Use)
_USE_TEXTS = {
    Use.SHOW: "showing it",
    Use.ADAPT: "restyling images toward it",
    Use.TRAIN: "training on it",
    Use.TRADE: "commercial use",
}


@dataclass(frozen=True, slots=True)
class Rights:
    """Rights to use an image.

    `license`: as its owner wrote it. `uses`: allowed uses; None if the license is unknown and no uses are named.
    `attribution`: the maker must be credited in derived works; `share_alike`: derived works may only be passed on under
    the same license.
    """

    license: str
    uses: frozenset[Use] | None
    attribution: bool = False
    share_alike: bool = False

    def missing(self, wanted: Collection[Use], *, allow_unknown: bool) -> tuple[Use, ...]:
        """List the uses among `wanted` that are not allowed, in the order of `Use`.

        `allow_unknown`: an unknown license allows all uses, else none.
        """
        if self.uses is None:
            return () if allow_unknown else tuple(use for use in Use if use in wanted)
        return tuple(use for use in Use if use in wanted and use not in self.uses)

    def rejection(self, name: str, wanted: Collection[Use], *, allow_unknown: bool) -> str | None:
        """Explain why an image called `name` must not be used as `wanted`, with a cure; None if it may be used."""
        missing = self.missing(wanted, allow_unknown=allow_unknown)
        if not missing:
            return None
        if self.uses is None:
            cause = f"the license {self.license!r} is unknown"
        else:
            cause = f"the license {self.license!r} does not allow {' and '.join(_USE_TEXTS[use] for use in missing)}"
        return (
            f"style {name!r}: {cause}; choose another style, or, if you hold the right, name it in the column 'uses' "
            f"of styles.csv ({', '.join(Use)}, separated by |)"
        )


def license_rights(license: str, uses: str = "") -> Rights:
    """Return the rights that a license grants by its name; `uses`, names separated by `|`, replace them if given.

    Raises LibraryError for an unknown use.
    """
    rights = _parse_license(license)
    if not uses.strip():
        return rights
    names = [name.strip().casefold() for name in uses.split("|") if name.strip()]
    wrong = next((name for name in names if name not in set(Use)), None)
    if wrong is not None:
        raise LibraryError(f"unknown use {wrong!r}; known ones: {', '.join(Use)}")
    return Rights(license, frozenset(map(Use, names)), rights.attribution, rights.share_alike)


_FREE = frozenset(
    {"CC0", "PDM", "PUBLIC DOMAIN", "PUBLIC DOMAIN MARK", "PD", "UNLICENSE", "0BSD", "OWN WORK", "OWN", "COMMISSIONED"}
)
_NAMED = frozenset({"MIT", "MIT 0", "APACHE", "APACHE 2.0", "BSD 2 CLAUSE", "BSD 3 CLAUSE", "ISC", "OFL", "OGL UK"})
_VERSION = re.compile(r"\s+(?:V(?:ERSION)?\s*)?[0-9]+(?:\.[0-9]+)*(?:\s+(?:INTERNATIONAL|UNPORTED|UNIVERSAL))?$")
_CREATIVE = re.compile(r"^CC BY((?: (?:NC|ND|SA))*)$")
_SPELT_OUT = (
    ("CREATIVE COMMONS", "CC"),
    ("ATTRIBUTION", "BY"),
    ("NON COMMERCIAL", "NC"),
    ("NONCOMMERCIAL", "NC"),
    ("NO DERIVATIVES", "ND"),
    ("NO DERIVATIVE WORKS", "ND"),
    ("NODERIVATIVES", "ND"),
    ("NODERIVS", "ND"),
    ("SHARE ALIKE", "SA"),
    ("SHAREALIKE", "SA"),
)
_RESEARCH = re.compile(r"\b(?:RESEARCH|EDUCATIONAL|ACADEMIC|STUDY|PERSONAL)(?: USE)?(?: ONLY)?\b|\bNON COMMERCIAL\b")
_RESERVED = re.compile(r"ALL RIGHTS RESERVED|PROPRIETARY|COPYRIGHTED|©")


def _parse_license(license: str) -> Rights:
    # British and American spelling: "MIT Licence" is "MIT License" is "MIT".
    folded = re.sub(r"[\s_\-/()]+", " ", license.upper()).strip().removesuffix(" LICENSE").removesuffix(" LICENCE")
    plain = _VERSION.sub("", folded)
    if plain in _FREE:
        return Rights(license, EVERYTHING)
    if plain in _NAMED or folded in _NAMED:
        return Rights(license, EVERYTHING, attribution=True)
    for words, short in _SPELT_OUT:
        plain = plain.replace(words, short)
    creative = _CREATIVE.match(plain)
    if creative is not None:
        terms = frozenset(creative[1].split())
        uses = EVERYTHING
        if "NC" in terms:
            uses -= {Use.TRADE}
        if "ND" in terms:
            uses -= {Use.ADAPT, Use.TRAIN}
        return Rights(license, uses, attribution=True, share_alike="SA" in terms)
    if _RESEARCH.search(folded):
        return Rights(license, EVERYTHING - {Use.TRADE})
    if _RESERVED.search(folded):
        return Rights(license, frozenset())
    return Rights(license, None)
