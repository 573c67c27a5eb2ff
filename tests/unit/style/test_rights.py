"""Uses that licenses allow, in all spellings."""

from __future__ import annotations

import pytest

from style.errors import LibraryError
from style.rights import EVERYTHING, Rights, Use, license_rights

TRADE = {Use.ADAPT, Use.TRADE}


@pytest.mark.parametrize("license", ["CC0-1.0", "CC0", "cc0 1.0 Universal", "Public domain", "PDM-1.0", "own work"])
def test_what_is_free_may_be_used_for_everything(license: str) -> None:
    assert license_rights(license) == Rights(license, EVERYTHING)


@pytest.mark.parametrize(
    ("license", "forbidden", "share_alike"),
    [
        ("CC-BY-4.0", set(), False),
        ("CC BY 4.0", set(), False),
        ("Creative Commons Attribution 4.0 International", set(), False),
        ("CC-BY-SA-3.0", set(), True),
        ("CC BY-NC 2.0", {Use.TRADE}, False),
        ("CC-BY-NC-SA-4.0", {Use.TRADE}, True),
        ("CC-BY-ND-4.0", {Use.ADAPT, Use.TRAIN}, False),
        ("cc by-nc-nd 4.0", {Use.ADAPT, Use.TRAIN, Use.TRADE}, False),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International", EVERYTHING - {Use.SHOW}, False),
    ],
)
def test_creative_commons_are_read_in_any_spelling(license: str, forbidden: set[Use], share_alike: bool) -> None:
    rights = license_rights(license)
    assert rights.uses == EVERYTHING - forbidden
    assert rights.attribution
    assert rights.share_alike is share_alike


def test_research_alone_and_reserved_rights() -> None:
    assert license_rights("research use only").uses == EVERYTHING - {Use.TRADE}
    assert license_rights("All rights reserved").uses == frozenset()
    assert license_rights("MIT").attribution


@pytest.mark.parametrize("word", ["License", "LICENCE", "licence"])
@pytest.mark.parametrize(
    "name", ["MIT", "Apache 2.0", "CC BY-NC 4.0", "Creative Commons Attribution 4.0 International"]
)
def test_names_may_end_in_license_in_both_spellings(name: str, word: str) -> None:
    plain, suffixed = license_rights(name), license_rights(f"{name} {word}")
    assert suffixed.attribution
    assert (suffixed.uses, suffixed.share_alike) == (plain.uses, plain.share_alike)


def test_an_unknown_license_is_fine_or_not_as_one_says() -> None:
    rights = license_rights("The shop's contract 17")
    assert rights.uses is None
    assert rights.rejection("x", TRADE, allow_unknown=True) is None
    assert "is unknown" in str(rights.rejection("x", TRADE, allow_unknown=False))


def test_a_refusal_names_style_license_use_and_cure() -> None:
    rejection = license_rights("CC-BY-NC-ND-4.0").rejection("waves", TRADE, allow_unknown=True)
    assert rejection is not None
    for words in ("'waves'", "'CC-BY-NC-ND-4.0'", "restyling images toward it and commercial use", "column 'uses'"):
        assert words in rejection


def test_named_uses_go_before_the_license() -> None:
    assert license_rights("CC-BY-NC-4.0", "show|adapt | trade").missing(TRADE, allow_unknown=False) == ()
    assert license_rights("CC0-1.0", "show").missing(TRADE, allow_unknown=False) == (Use.ADAPT, Use.TRADE)
    with pytest.raises(LibraryError, match="unknown use 'print'; known ones: show, adapt, train, trade"):
        license_rights("CC0-1.0", "print")
