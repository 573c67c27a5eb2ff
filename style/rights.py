"""What a license lets people do with a picture of a style: to show it, to make something of it, to do so in trade.

The short names are those of SPDX and Creative Commons; spellings such as "CC BY-NC 4.0" are read as such. Whether a
picture restyled toward another one is an adaptation of it in law is unsettled; here it counts as one, and so does
training on it: who has a license that says more grants it by naming uses. This is a guard, not legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from style.errors import LibraryError


class Use(StrEnum):
    """A way to use a picture of a style."""

    SHOW = "show"
    ADAPT = "adapt"
    TRAIN = "train"
    TRADE = "trade"


EVERYTHING = frozenset(Use)
_DONE = {
    Use.SHOW: "showing it",
    Use.ADAPT: "restyling pictures toward it",
    Use.TRAIN: "training on it",
    Use.TRADE: "use in trade",
}


@dataclass(frozen=True, slots=True)
class Rights:
    """What may be done with a picture.

    `license`: as its owner wrote it. `uses`: what is allowed; None where the license is not known here and no uses are
    named. `attribution`: whether its maker has to be named beside what was made of it; `share_alike`: whether that may
    be passed on under the same license alone.
    """

    license: str
    uses: frozenset[Use] | None
    attribution: bool = False
    share_alike: bool = False

    def missing(self, wanted: Collection[Use], *, unknown_is_fine: bool) -> tuple[Use, ...]:
        """The uses among `wanted` that are not allowed, in the order of `Use`."""
        if self.uses is None:
            return () if unknown_is_fine else tuple(use for use in Use if use in wanted)
        return tuple(use for use in Use if use in wanted and use not in self.uses)

    def refusal(self, name: str, wanted: Collection[Use], *, unknown_is_fine: bool) -> str | None:
        """Why a picture called `name` must not be used so, and what to do; None where it may."""
        missing = self.missing(wanted, unknown_is_fine=unknown_is_fine)
        if not missing:
            return None
        if self.uses is None:
            cause = f"the license {self.license!r} is not one known here"
        else:
            cause = f"the license {self.license!r} does not allow {' and '.join(_DONE[use] for use in missing)}"
        return (
            f"style {name!r}: {cause}; choose another style, or, if you hold the right, name it in the column 'uses' "
            f"of styles.csv ({', '.join(Use)}, separated by |)"
        )


def rights_of(license: str, uses: str = "") -> Rights:
    """The rights that a license's name grants; `uses`, names separated by `|`, replace them where given.

    Raises LibraryError for a use that there is not.
    """
    known = _known(license)
    if not uses.strip():
        return known
    return Rights(license, _named(uses), known.attribution, known.share_alike)


def _named(uses: str) -> frozenset[Use]:
    names = [name.strip().casefold() for name in uses.split("|") if name.strip()]
    wrong = next((name for name in names if name not in set(Use)), None)
    if wrong is not None:
        raise LibraryError(f"unknown use {wrong!r}; known ones: {', '.join(Use)}")
    return frozenset(map(Use, names))


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


def _known(license: str) -> Rights:
    folded = re.sub(r"[\s_\-/()]+", " ", license.upper()).strip()
    plain = _VERSION.sub("", folded)
    if plain in _FREE:
        return Rights(license, EVERYTHING)
    if plain in _NAMED or folded in _NAMED:
        return Rights(license, EVERYTHING, attribution=True)
    for words, short in _SPELT_OUT:
        plain = plain.replace(words, short)
    creative = _CREATIVE.match(plain.removesuffix(" LICENSE").removesuffix(" LICENCE"))
    if creative is not None:
        return _creative_commons(license, creative[1].split())
    if _RESEARCH.search(folded):
        return Rights(license, EVERYTHING - {Use.TRADE})
    if _RESERVED.search(folded):
        return Rights(license, frozenset())
    return Rights(license, None)


def _creative_commons(license: str, terms: Iterable[str]) -> Rights:
    terms = frozenset(terms)
    uses = EVERYTHING
    if "NC" in terms:
        uses -= {Use.TRADE}
    if "ND" in terms:
        uses -= {Use.ADAPT, Use.TRAIN}
    return Rights(license, uses, attribution=True, share_alike="SA" in terms)
